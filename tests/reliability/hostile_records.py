"""Record shards that are damaged or come from a stranger."""

import itertools
import json
import struct
from pathlib import Path

import numpy as np
from hostile_folders import read_folder, write_folder
from hostile_pieces import ODD_FILES, WRONG, put
from watching import Case

from keras_resnet.data import open_data, records

RECORD_PLACES = [
    (), ("classes",), ("classes", 0), ("complete",), ("splits",), ("splits", "train"), ("splits", "val"),
    ("splits", "train", 0), *(("splits", "train", 0, field) for field in ("file", "examples", "bytes", "sha256")),
]  # fmt: skip


def write_records(root: Path, label: int = 1, image: bytes | None = None) -> dict:
    write_folder(root.parent / "source")
    if image is not None:
        (root.parent / "source" / "train" / "b" / "001.png").write_bytes(image)
    source = open_data(str(root.parent / "source"))
    root.mkdir()
    splits = {}
    for part, split in (("train", source.train), ("val", source.validation)):
        splits[part] = [records.write_shard(root / f"{part}-0.tfrecord", split, np.arange(len(split)))]
    return {"classes": ["a", "b"], "of": {}, "megabytes": 1, "complete": True, "splits": splits}


def record_case(name: str, change, must=None) -> Case:
    def prepare(folder):
        manifest = write_records(folder / "d")
        (folder / "d" / records.MANIFEST).write_text(json.dumps(manifest))
        change(folder / "d", manifest)

    return Case(f"records: {name}", prepare, read_folder, must=must)


def record_manifests(draw):
    for place, (description, literal) in itertools.product(RECORD_PLACES, WRONG.items()):

        def change(root, manifest, place=place, literal=literal):
            (root / records.MANIFEST).write_text(put(manifest, place, literal))

        yield record_case(f"{' '.join(map(str, place)) or 'the manifest'} is {description}", change)
    for description, make in ODD_FILES.items():
        for file in (records.MANIFEST, "train-0.tfrecord"):

            def replace(root, manifest, make=make, file=file):
                (root / file).unlink()
                make(root / file)

            yield record_case(f"{file} is {description}", replace, "refused")


def record_shards(draw):
    def changed(damage):
        def change(root, manifest):
            path = root / "train-0.tfrecord"
            path.write_bytes(damage(path.read_bytes()))
            manifest["splits"]["train"][0]["bytes"] = path.stat().st_size
            (root / records.MANIFEST).write_text(json.dumps(manifest))

        return change

    for number in range(20):
        share, bit = draw.random(), draw.randrange(8)

        def flip(content, share=share, bit=bit):
            content = bytearray(content)
            content[int(share * len(content))] ^= 1 << bit
            return bytes(content)

        yield record_case(f"a bit flipped at {share:.3f} ({number})", changed(flip))
        yield record_case(
            f"cut at {share:.3f}", changed(lambda content, share=share: content[: int(share * len(content))]), "refused"
        )
    yield record_case("an empty shard", changed(lambda content: b""), "refused")
    yield record_case("zeros", changed(lambda content: bytes(len(content))), "refused")
    yield record_case("text", changed(lambda content: b"no records " * 20), "refused")
    yield record_case(
        "a record of 2^60 bytes", changed(lambda content: struct.pack("<Q", 2**60) + content[8:]), "refused"
    )
    for description, record in {"empty": b"", "of another kind": b"\x0a\x02hi", "random": bytes(range(256))}.items():

        def framed(content, record=record):
            length = struct.pack("<Q", len(record))
            sums = (struct.pack("<I", records.masked_crc(part)) for part in (length, record))
            return content + length + next(sums) + record + next(sums)

        yield record_case(f"a whole record that is {description}", changed(framed), "refused")
    yield record_case(
        "fewer classes than labels",
        lambda root, manifest: (root / records.MANIFEST).write_text(json.dumps(manifest | {"classes": ["a"]})),
        "refused",
    )
