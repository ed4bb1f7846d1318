"""Photos, annotations, lists and record shards that a stranger made, or that were damaged."""

import itertools
import json
import os
import random
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image
from watching import Case

from keras_resnet.data import imagenet_batches, open_data, records
from keras_resnet.detection import detection_batches, open_coco_sets, open_det_sets, open_voc_sets, photos_of
from keras_resnet.detection.experiment import readable, with_files
from keras_resnet.errors import in_our_words
from keras_resnet.weights import Preprocessing

PROMISE = "refused with a sentence that says which entry, or read; what is lost later is replaced"
PLAIN = Preprocessing(np.zeros(3))
SIDES = (12, 8)  # of the photos, width and height


def cases(seed: int, count: int) -> list[Case]:
    """``count`` cases, of each kind as many as there are, in turn."""
    draw = random.Random(seed)
    kinds = [list(kind(draw)) for kind in KINDS]
    for kind in kinds:
        draw.shuffle(kind)
    in_turn = itertools.chain.from_iterable(itertools.zip_longest(*kinds))
    return [case for case in in_turn if case is not None][:count]


WRONG = {  # JSON
    "null": "null", "true": "true", "minus one": "-1", "zero": "0", "a half": "0.5", "1e308": "1e308", "NaN": "NaN",
    "Infinity": "-Infinity", "400 digits": "1" + "0" * 400, "5,000 digits": "1" * 5000, "2^63": str(2**63),
    "no text": '""', "text": '"text"', "a number as text": '"1"', "5,000 characters": f'"{"x" * 5000}"',
    "a list": "[]", "a list of one": "[1]", "an object": "{}", "a deep list": "[" * 100_000 + "]" * 100_000,
    "a climbing name": '"../../up.jpg"', "an absolute name": '"/etc/passwd"', "a zero byte": '"a\\u0000b"',
    "half a surrogate pair": '"\\ud800"', "a line end": '"a\\nb"', "nothing": "",
}  # fmt: skip
HERE = "<here>"  # stands for what is put into a document
COCO_PLACES = [
    ("images", 0, field) for field in ("id", "file_name", "height", "width")
] + [("categories", 0, field) for field in ("id", "name")] + [
    ("annotations", 0, field) for field in ("id", "image_id", "category_id", "bbox", "area", "iscrowd")
] + [("annotations", 0, "bbox", 2), (), ("images",), ("categories",), ("annotations",), ("images", 0),
     ("categories", 0), ("annotations", 0)]  # fmt: skip
RECORD_PLACES = [
    (), ("classes",), ("classes", 0), ("complete",), ("splits",), ("splits", "train"), ("splits", "val"),
    ("splits", "train", 0), *(("splits", "train", 0, field) for field in ("file", "examples", "bytes", "sha256")),
]  # fmt: skip


def put(document, place, literal: str) -> str:
    """``document`` as JSON with ``literal`` at ``place``."""
    document = json.loads(json.dumps(document))
    if not place:
        return literal
    inside = document
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = HERE
    return json.dumps(document).replace(json.dumps(HERE), literal)


def photo(path: Path, level: int = 0) -> None:
    """Write a grey photo."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", SIDES, level).convert("RGB").save(path)


def huge_png(path: Path, side: int, rows: int = 4) -> None:
    """A small file whose header promises ``side`` x ``side`` pixels."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    packer = zlib.compressobj(1)
    row = bytes(side * 3 + 1)
    packed = b"".join(packer.compress(row) for _ in range(rows)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b""))


# COCO


def coco_document() -> dict:
    width, height = SIDES
    return {
        "images": [{"id": n, "file_name": f"{n}.jpg", "height": height, "width": width} for n in (1, 2)],
        "categories": [{"id": 1, "name": "dog"}],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1, "bbox": [1, 1, 4, 4], "area": 16, "iscrowd": 0} for n in (1, 2)
        ],
    }


def read_detection(found) -> None:
    """Read photos and a batch, as training does."""
    with in_our_words():  # as every command does
        data = with_files(found.train, readable(found.train))
        for _ in photos_of(data):
            pass
        next(iter(detection_batches(data, PLAIN, 1, 32, 64)))


def coco_case(name: str, write, must=None) -> Case:
    def prepare(folder):
        for number in (1, 2):
            photo(folder / "d" / "train" / f"{number}.jpg")
        write(folder / "d" / "train.json")

    return Case(f"COCO: {name}", prepare, lambda folder: read_detection(open_coco_sets("d")), must=must)


def coco_fields(draw):
    for place, (what, literal) in itertools.product(COCO_PLACES, WRONG.items()):
        text = put(coco_document(), place, literal)
        leads_out = place[-1:] == ("file_name",) and what in ("a climbing name", "an absolute name")
        yield coco_case(
            f"{' '.join(map(str, place)) or 'the file'} is {what}",
            lambda path, text=text: path.write_text(text),
            "refused" if leads_out else None,
        )


def coco_files(draw):
    whole = json.dumps(coco_document()).encode()
    for share in (0, *(draw.random() for _ in range(6))):
        yield coco_case(
            f"cut at {share:.2f}", lambda path, share=share: path.write_bytes(whole[: int(share * len(whole))])
        )
    for number in range(6):
        at = draw.randrange(len(whole))
        changed = whole[:at] + bytes([draw.randrange(128, 256)]) + whole[at + 1 :]
        yield coco_case(
            f"byte {at} is no UTF-8 ({number})", lambda path, changed=changed: path.write_bytes(changed), "refused"
        )
    yield coco_case("a pipe", os.mkfifo, "refused")
    yield coco_case("a folder", lambda path: path.mkdir(), "refused")
    yield coco_case("a link to nothing", lambda path: path.symlink_to("nothing"), "refused")
    yield coco_case("a device", lambda path: path.symlink_to("/dev/zero"), "refused")
    double = coco_document()
    for part in ("images", "categories", "annotations"):
        content = double | {part: double[part] + double[part][:1]}
        yield coco_case(f"an id twice in its {part}", lambda path, c=content: path.write_text(json.dumps(c)), "refused")

    def other_file(make):
        def write(path):
            target = path.parent / "train" / "1.jpg"
            target.unlink()
            make(target)
            path.write_text(json.dumps(coco_document()))

        return write

    for name, make in PHOTOS.items():
        yield coco_case(f"its photo is {name}", other_file(make))


# VOC and DET


def voc_xml(**changed) -> str:
    values = {
        "width": SIDES[0],
        "height": SIDES[1],
        "name": "dog",
        "xmin": 1,
        "ymin": 1,
        "xmax": 6,
        "ymax": 5,
    } | changed
    box = "".join(f"<{key}>{values[key]}</{key}>" for key in ("xmin", "ymin", "xmax", "ymax"))
    size = "".join(f"<{key}>{values[key]}</{key}>" for key in ("width", "height"))
    name = f"<name>{values['name']}</name>"
    return f"<annotation><size>{size}</size><object>{name}<bndbox>{box}</bndbox></object></annotation>"


WORDS = ("", "-1", "0", "0.5", "nan", "inf", "1e308", "9" * 5000, "x" * 5000, "1 2", "&lt;", "&undefined;", "<a/>",
         "٣", "1_0", "0x10", "\udcff")  # fmt: skip
LAUGHS = (
    '<!DOCTYPE a [<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    + "]><annotation><size><height>&a11;</height></size></annotation>"
)


def voc_case(name: str, xml: bytes | None = None, lists: bytes = b"1\n", must=None, make=None) -> Case:
    def prepare(folder):
        root = folder / "d" / "VOC2007"
        photo(root / "JPEGImages" / "1.jpg")
        for part in ("Annotations", "ImageSets/Main"):
            (root / part).mkdir(parents=True)
        (root / "Annotations" / "1.xml").write_bytes(voc_xml().encode() if xml is None else xml)
        (root / "ImageSets" / "Main" / "trainval.txt").write_bytes(lists)
        if make:
            make(root)

    return Case(
        f"VOC: {name}", prepare, lambda folder: read_detection(open_voc_sets("d", None, "07", "none")), must=must
    )


def voc_fields(draw):
    for field, word in itertools.product(("width", "height", "name", "xmin", "ymin", "xmax", "ymax"), WORDS):
        shown = ascii(word if len(word) < 20 else f"{word[0]} {len(word):,} times")
        yield voc_case(f"{field} is {shown}", voc_xml(**{field: word}).encode(errors="surrogateescape"))


def voc_files(draw):
    whole = voc_xml().encode()
    for share in (0, *(draw.random() for _ in range(8))):
        yield voc_case(f"XML cut at {share:.2f}", whole[: int(share * len(whole))])
    yield voc_case("a billion laughs", LAUGHS.encode(), must="refused")
    yield voc_case(
        "a file's content as an entity",
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + voc_xml(name="&x;").encode(),
    )
    yield voc_case("deep XML", b"<a>" * 100_000 + b"</a>" * 100_000, must="refused")
    yield voc_case("an unknown encoding", b'<?xml version="1.0" encoding="none"?>' + whole, must="refused")
    yield voc_case("the XML of another size", voc_xml(width=8, height=12).encode(), must="refused")
    for name in (b"../up", b"/etc/passwd", b"a\0b", b"x" * 5000, b"\xff\xfe", b"", b"2", b"1\n1", b"1 -1 extra"):
        yield voc_case(f"its list names {name[:20]!a}", lists=name + b"\n")
    for what, make in ODD_FILES.items():
        for place in ("Annotations/1.xml", "ImageSets/Main/trainval.txt", "JPEGImages/1.jpg"):

            def replace(root, make=make, place=place):
                (root / place).unlink()
                make(root / place)

            yield voc_case(f"{place} is {what}", make=replace, must="refused")


def det_lists(draw):
    for what, classes, names in (
        ("no classes", b"", b"a 1\n"), ("classes of one word", b"n01\n", b"a 1\n"), ("no names", b"n01 dog\n", b""),
        ("no UTF-8 classes", b"\xff x\n", b"a\n"), ("no UTF-8 names", b"n01 dog\n", b"\xff\n"),
        ("an absolute name", b"n01 dog\n", b"/etc/passwd\n"),
        ("a climbing name", b"n01 dog\n", b"../../up\n"), ("a negative number", b"n01 dog\n", b"a -1\n"),
        ("5,000 digits", b"n01 dog\n", b"a " + b"9" * 5000 + b"\n"), ("other digits", b"n01 dog\n", "a ²\n".encode()),
        ("5,000 characters", b"n01 dog\n", b"a" * 5000 + b"\n"), ("a class twice", b"dog dog\ndog cat\n", b"a 1\n"),
    ):  # fmt: skip

        def prepare(folder, classes=classes, names=names):
            root = folder / "d"
            photo(root / "Data/DET/val/a.JPEG")
            (root / "Annotations/DET/val").mkdir(parents=True)
            (root / "Annotations/DET/val/a.xml").write_text(voc_xml())
            (root / "classes.txt").write_bytes(classes)
            (root / "val1.txt").write_bytes(names)

        yield Case(f"DET: {what}", prepare, lambda folder: read_detection(open_det_sets("d")))


# Folders of photos


def write_folder(root: Path, count: int = 4) -> None:
    for part in ("train", "val"):
        for number in range(count):
            photo(root / part / "ab"[number % 2] / f"{number:03d}.png", number)


def read_folder(folder) -> None:
    """Read a training batch and the validation images."""
    with in_our_words():  # as every command does
        found = open_data("d")
        next(iter(imagenet_batches(found.train, PLAIN, 4, 8, seed=0)))
        for _ in imagenet_batches(found.validation, PLAIN, 4, 8):
            pass


def folder_case(name: str, make, must=None, count=4, use=read_folder) -> Case:
    def prepare(folder):
        write_folder(folder / "d", count)
        make(folder / "d")

    return Case(f"folder: {name}", prepare, use, must=must)


ODD_FILES = {
    "a pipe": os.mkfifo,
    "a folder": lambda path: path.mkdir(),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a link to itself": lambda path: path.symlink_to(path),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
}
PHOTOS = ODD_FILES | {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_bytes(b"no photo"),
    "a PNG header": lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n"),
    "a JPEG header": lambda path: path.write_bytes(b"\xff\xd8\xff\xe0\0\x10JFIF\0"),
    "a GIF of 65,535 x 65,535": lambda path: path.write_bytes(
        b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\2\0;"
    ),
    "a PNG of 20,000 x 20,000": lambda path: huge_png(path, 20_000),
    "a PNG of 2^31 pixels a side": lambda path: huge_png(path, 2**31 - 1, 0),
    "a PNG of no pixels": lambda path: huge_png(path, 0),
    "a whole PNG of 5,000 x 5,000": lambda path: huge_png(path, 5000, 5000),
}  # fmt: skip


def folder_photos(draw):
    for (what, make), part, count in itertools.product(PHOTOS.items(), ("train", "val"), (4, 202)):

        def replace(root, make=make, part=part):
            path = root / part / "a" / "000.png"
            path.unlink()
            make(path)

        yield folder_case(
            f"one of {count} photos in {part} is {what}", replace, "served" if count > 100 else None, count
        )


def folder_shapes(draw):
    def renamed(new):
        return lambda root: os.rename(os.fsencode(root / "train" / "b"), os.fsencode(root / "train") + b"/" + new)

    for name in (b"\xff\xfe", b"a\nb", b"x" * 255, b"\xd9\xa3", b"-rf", b" ", b"%s{0}"):
        yield folder_case(f"a class named {name[:12]!r}", renamed(name))
        path = b"/train/a/" + name[:240] + b".png"
        yield folder_case(
            f"a photo named {name[:12]!r}",
            lambda root, path=path: os.rename(root / "train/a/000.png", os.fsencode(root) + path),
            "served",
        )
    for part in ("train", "val", "train/a"):

        def emptied(root, part=part):
            for path in list((root / part).rglob("*.png")):
                path.unlink()

        yield folder_case(f"no photos in {part}", emptied)
        for what, make in ODD_FILES.items():

            def replaced(root, part=part, make=make):
                os.rename(root / part, root / "elsewhere")
                make(root / part)

            yield folder_case(f"{part} is {what}", replaced)


LABELS = {
    "val.txt": (
        *(b"000.png 0\n", b"000.png -1\n", b"000.png x\n", b"000.png\n", b"\xff\n"),
        *(b"000.png " + b"9" * 5000, b"", b"\0"),
    ),
    "LOC_val_solution.csv": (
        *(b"ImageId,PredictionString\n000,\n", b"x,y\n1,2\n", b"\xff\n", b"ImageId\n\0\n", b""),
        b'"' + b"x" * 200_000,
    ),
    "imagenet_2012_validation_synset_labels.txt": (b"a\n", b"a\nb\na\nb\nc\n", b"\xff", b"", b"x y z w"),
    "ILSVRC2012_validation_ground_truth.txt": (b"1\n", b"x\n", b"\xff", b"", b"9" * 5000),
}  # fmt: skip


def label_lists(draw):
    def flat(root, name, content=None, make=None, meta=None):
        for path in list((root / "val").rglob("*.png")):
            os.rename(path, root / "val" / path.name)
        (root / name).write_bytes(content) if make is None else make(root / name)
        if meta is not None:
            (root / "meta.mat").write_bytes(meta)

    for name, contents in LABELS.items():
        for content in contents:
            yield folder_case(f"{name} holds {content[:20]!r}", lambda root, n=name, c=content: flat(root, n, c))
        for what, make in ODD_FILES.items():
            yield folder_case(f"{name} is {what}", lambda root, n=name, make=make: flat(root, n, make=make), "refused")
    for meta in (b"", b"MATLAB 5.0", b"\0" * 200, bytes(draw.randrange(256) for _ in range(400))):

        def with_meta(root, meta=meta):
            flat(root, "ILSVRC2012_validation_ground_truth.txt", b"1\n2\n1\n2\n", meta=meta)

        yield folder_case(f"meta.mat holds {meta[:10]!r}", with_meta, "refused")


def lost_photos(draw):
    """Photos that go, or are damaged, between two readings: a few are replaced, many end in a sentence."""
    damages = {
        "gone": lambda path: path.unlink(),
        **{what: (lambda path, make=make: (path.unlink(), make(path))) for what, make in PHOTOS.items()},
    }
    for (what, damage), lost in itertools.product(damages.items(), (1, 150)):
        if "whole" in what and lost > 1:  # whole, and minutes of work
            continue
        places = draw.sample(range(202), lost)

        def use(folder, damage=damage, places=places):
            found = open_data("d")
            len(found.train), len(found.validation)
            for place in places:
                damage(Path(found.train.file(place)))
            with in_our_words():
                for _ in imagenet_batches(found.train, PLAIN, 101, 8, seed=0).take(2):
                    pass
            found.train.reader.check()

        name = f"folder: {lost} of 202 photos are {what} in training"
        must = "served" if lost == 1 else "refused"
        yield Case(name, lambda folder: write_folder(folder / "d", 202), use, ("d/train/*",), must)


# Record shards


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
    for place, (what, literal) in itertools.product(RECORD_PLACES, WRONG.items()):

        def change(root, manifest, place=place, literal=literal):
            (root / records.MANIFEST).write_text(put(manifest, place, literal))

        yield record_case(f"{' '.join(map(str, place)) or 'the manifest'} is {what}", change)
    for what, make in ODD_FILES.items():
        for file in (records.MANIFEST, "train-0.tfrecord"):

            def replace(root, manifest, make=make, file=file):
                (root / file).unlink()
                make(root / file)

            yield record_case(f"{file} is {what}", replace, "refused")


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
    for what, record in {"empty": b"", "of another kind": b"\x0a\x02hi", "random": bytes(range(256))}.items():

        def framed(content, record=record):
            length = struct.pack("<Q", len(record))
            sums = (struct.pack("<I", records.masked_crc(part)) for part in (length, record))
            return content + length + next(sums) + record + next(sums)

        yield record_case(f"a whole record that is {what}", changed(framed), "refused")
    yield record_case(
        "fewer classes than labels",
        lambda root, manifest: (root / records.MANIFEST).write_text(json.dumps(manifest | {"classes": ["a"]})),
        "refused",
    )


KINDS = (
    coco_fields, coco_files, voc_fields, voc_files, det_lists, folder_photos, folder_shapes, label_lists, lost_photos,
    record_manifests, record_shards,
)  # fmt: skip
