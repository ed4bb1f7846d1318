"""Convert a data set to sharded TFRecord files, one whole shard after another; the same command continues.

    python tools/make_records.py --data DIR --out SHARDS                   then train with --data SHARDS
    python tools/make_records.py --data DIR --out SHARDS --verify          compare every shard with its checksum

DIR is anything that recipes accept as --data. Photos are copied unchanged, in an order that is shuffled once; photos
that do not decode are left out. --shorter-side 512 reduces larger photos, which makes them faster to read and decode:
crops of 224 pixels need at most 480. records.json lists classes, shards, their sizes and SHA-256 checksums.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import tqdm

from keras_resnet import InputError, data
from keras_resnet.bounds import Between, Pixels
from keras_resnet.command_line import Folder, run_tool
from keras_resnet.data import records
from keras_resnet.data.lock import one_at_a_time
from keras_resnet.data.splits import PARTS, Data, Split
from keras_resnet.files import sha256_of, write_json


@dataclass(frozen=True)
class MakeRecords:
    """Sharded TFRecord files of a data set."""

    out: Folder
    """Folder for the shards."""
    data: str = "demo"
    """What to convert: a folder, the name of a TFDS data set, or demo."""
    data_dir: Path | None = None
    """Where TFDS data sets are prepared."""
    shard_megabytes: Annotated[int, Between(1, 1_000_000)] = 128
    """Approximate size of a shard."""
    shorter_side: Pixels | None = None
    """Resize photos with a longer shorter side to this, as JPEGs of quality 95; default: keep all unchanged."""
    verify: bool = False
    """Write nothing; read every shard in --out and compare it with its checksum."""

    def run(self) -> None:
        """Write or verify."""
        if self.verify:
            self._verify()
            return
        if self.data != "demo" and os.path.realpath(os.path.expanduser(self.data)) == os.path.realpath(self.out):
            raise InputError(f"--out {self.out} would be read in place of --data from then on: give another --out.")
        data_set = data.open_data(self.data, self.data_dir)
        self.out.mkdir(parents=True, exist_ok=True)
        with one_at_a_time(self.out / records.MANIFEST, f"writing into {self.out}"):
            self._write_all(data_set)

    def _write_all(self, data_set: Data) -> None:
        manifest = self._manifest(data_set)
        for part, stem in PARTS.items():
            split = getattr(data_set, part)
            if split is not None:
                self._write(manifest, stem, self._smaller(split))
        manifest["complete"] = True
        self._keep(manifest)
        total = sum(shard["bytes"] for shards in manifest["splits"].values() for shard in shards)
        print(f"{total / 2**20:.0f} MiB in {self.out}; train with --data {self.out}")

    def _smaller(self, split: Split) -> Split:
        """``split`` with its photos reduced to ``shorter_side``."""
        if self.shorter_side is None:
            return split

        def read(position):
            encoded, label = split.read(position)
            return data.decoding.at_most(encoded, self.shorter_side), label

        return replace(split, read=read)

    def _manifest(self, data_set: Data) -> dict:
        """A new manifest, or that of a stopped command if it was for the same images."""
        fingerprints = {
            stem: getattr(data_set, part).fingerprint for part, stem in PARTS.items() if getattr(data_set, part)
        }
        fresh = {
            "classes": list(data_set.classes),
            "of": fingerprints,
            "megabytes": self.shard_megabytes,
            "shorter_side": self.shorter_side,
            "complete": False,
            "splits": {},
        }
        if not (self.out / records.MANIFEST).exists():
            return fresh
        before = records.read_manifest(self.out)
        if any(before.get(key) != fresh[key] for key in ("classes", "of", "megabytes", "shorter_side")):
            raise InputError(
                f"{self.out} holds shards of other images or of another size, or other class names: use another --out."
            )
        return before | {"complete": False}  # until all that is missing has been written

    def _write(self, manifest, stem, split) -> None:
        order = np.random.default_rng(0).permutation(len(split)).astype(np.int64)
        shards = np.array_split(order, self._shards(split))
        done = manifest["splits"].setdefault(stem, [])
        del done[self._whole(done) :]
        progress = tqdm.tqdm(
            total=len(split), initial=sum(shard["examples"] for shard in done), desc=stem, unit=" images"
        )
        with progress:
            for number in range(len(done), len(shards)):
                path = self.out / f"{stem}-{number:05d}-of-{len(shards):05d}.tfrecord"
                done.append(records.write_shard(path, split, shards[number]))
                self._keep(manifest)
                progress.update(len(shards[number]))

    def _shards(self, split) -> int:
        sample = np.linspace(0, len(split) - 1, min(len(split), 200)).astype(np.int64)
        size = np.mean([len(split.read(position)[0].numpy()) for position in sample]) * len(split)
        return int(min(len(split), max(1, round(size / (self.shard_megabytes * 2**20)))))

    def _whole(self, done) -> int:
        """The number of listed shards, from the first, that exist in full size."""
        for number, shard in enumerate(done):
            path = self.out / shard["file"]
            if not path.is_file() or path.stat().st_size != shard["bytes"]:
                return number
        return len(done)

    def _keep(self, manifest) -> None:
        write_json(self.out / records.MANIFEST, manifest)

    def _verify(self) -> None:
        if not (self.out / records.MANIFEST).exists():
            raise InputError(f"There is no {self.out / records.MANIFEST}: make the shards first.")
        manifest = records.read_manifest(self.out)
        if not manifest["complete"]:
            raise InputError(f"The shards in {self.out} are not finished: run the same command without --verify.")
        shards = [shard for shards in manifest["splits"].values() for shard in shards]
        bad = []
        for shard in tqdm.tqdm(shards, "verifying", unit=" shards"):
            path = self.out / shard["file"]
            if not path.is_file() or sha256_of(path) != shard["sha256"]:
                bad.append(shard["file"])
        if bad:
            raise InputError(
                f"{len(bad)} of {len(shards)} shards in {self.out} are missing or damaged ({', '.join(bad[:5])}): "
                "remove them and run the same command without --verify."
            )
        print(f"all {len(shards)} shards in {self.out} are whole")


if __name__ == "__main__":
    run_tool(MakeRecords, __doc__)
