"""Pack the decoded images of a small-image data set into a few compact, lossless files.

python tools/pack_images.py --data cifar10 --data-dir DIR --out cifar10 --files 2

writes cifar10-0.npz and cifar10-1.npz, at half of the size of the images' pixels: sheets of images as lossless WebP,
and their labels. ``study_on_jax.py`` reads them on a machine that has neither TensorFlow nor the data set.
"""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import PIL.Image

from keras_resnet.bounds import Between
from keras_resnet.command_line import check_output, run_tool
from keras_resnet.errors import InputError
from keras_resnet.files import write_whole
from keras_resnet.weights.file_bounds import npz_arrays

SHEET = 2_500  # images
COLUMNS = 50
PARTS = ("train", "val", "test")
DATA, CLASSES = "data", "classes"
COUNT, LABELS = "_count", "_labels"  # ends of names: a part's number of images, in each file; a sheet's labels
ABOUT = {DATA, CLASSES, *(part + COUNT for part in PARTS)}  # what each file of a set has
FASTEST_METHOD = 4  # above it, WebP takes ten times as long for 1.5 % less


class Packed(NamedTuple):
    """The name of a data set, its parts by name, and the names of its classes in order."""

    data: str
    parts: dict[str, "Images"]
    classes: tuple[str, ...]


class Images(NamedTuple):
    """Images, uint8 ``[count, side, side, 3]``, and their labels, int32 ``[count]``."""

    images: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class PackImages:
    """The data set, and where its files go."""

    out: Path
    """What the names of the files begin with."""
    data: str = "cifar10"
    """The name of a TFDS data set, or demo."""
    data_dir: Path | None = None
    """Where TFDS data sets are prepared."""
    image_size: Annotated[int, Between(8, 128)] = 32
    """Side to which the images are resized."""
    files: Annotated[int, Between(1, 100)] = 1
    """Number of files, of about equal size."""

    def run(self) -> None:
        check_output("--out", self.out.with_name(f"{self.out.name}-0.npz"), ".npz")
        from keras_resnet.training.cifar import decoded

        classes, splits, _ = decoded(self.data, self.data_dir, self.image_size)
        about = {DATA: np.array(self.data), CLASSES: np.array(classes)} | {
            part + COUNT: np.array(len(split or ())) for part, split in zip(PARTS, splits, strict=True)
        }
        sheets = [
            (f"{part}_{start:07d}", split.images[start : start + SHEET], split.labels[start : start + SHEET])
            for part, split in zip(PARTS, splits, strict=True)
            if split
            for start in range(0, len(split), SHEET)
        ]
        for number, chosen in enumerate(np.array_split(np.arange(len(sheets)), self.files)):
            arrays: dict[str, np.ndarray] = dict(about)
            for name, images, labels in (sheets[index] for index in chosen):
                arrays |= {name: encode(images), name + LABELS: labels.astype(np.int32)}
            path = self.out.with_name(f"{self.out.name}-{number}.npz")
            write_whole(path, lambda part, arrays=arrays: _save(part, arrays))
            print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB", flush=True)


def _save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with open(path, "wb") as file:
        np.savez(file, **arrays)


def encode(images: np.ndarray) -> np.ndarray:
    """A sheet of ``images``, filled up with black, as the bytes of a WebP file, uint8 ``[bytes]``."""
    count, side = images.shape[:2]
    rows = -(-count // COLUMNS)
    filled = np.concatenate([images, np.zeros((rows * COLUMNS - count, side, side, 3), np.uint8)])
    sheet = filled.reshape(rows, COLUMNS, side, side, 3).swapaxes(1, 2).reshape(rows * side, COLUMNS * side, 3)
    buffer = io.BytesIO()
    PIL.Image.fromarray(sheet).save(buffer, "webp", lossless=True, quality=100, method=FASTEST_METHOD)
    return np.frombuffer(buffer.getvalue(), np.uint8)


def decode(sheet: np.ndarray, count: int) -> np.ndarray:
    """The ``count`` images of a sheet made by :func:`encode`, uint8 ``[count, side, side, 3]``."""
    pixels = np.asarray(PIL.Image.open(io.BytesIO(sheet.tobytes()), formats=["webp"]).convert("RGB"))
    side = pixels.shape[1] // COLUMNS
    return pixels.reshape(-1, side, COLUMNS, side, 3).swapaxes(1, 2).reshape(-1, side, side, 3)[:count]


def read_images(paths: tuple[Path, ...], size: int) -> Packed:
    """What all files of a data set hold, with images of ``size`` pixels.

    Each pixel of a smaller image is the mean of the area it covers, as in ``data.decode_all``.

    Raises:
        InputError: a file cannot be read, ``paths`` lack some files of the set or have one of another set, such as one
            that an earlier call left, or ``size`` does not divide the side.
    """
    arrays: dict[str, np.ndarray] = {}
    shown = ", ".join(map(str, paths)) or "--images"
    try:
        for path in paths:
            read = npz_arrays(path)
            both = arrays.keys() & read.keys()
            if not both <= ABOUT or not all(np.array_equal(arrays[name], read[name]) for name in both):
                raise InputError(f"{path} is of another set than {paths[0]}, or has images of it again: leave one out.")
            arrays |= read
        counts = {part: int(arrays[part + COUNT]) for part in PARTS}
        held = sum(name + LABELS in arrays for name in arrays)
        missing = sum(-(-count // SHEET) for count in counts.values()) - held
        if missing > 0:
            raise InputError(f"{shown}: {missing:,} sheets are missing; give all files of the set.")
        names = {part: [f"{part}_{start:07d}" for start in range(0, counts[part], SHEET)] for part in PARTS}
        labels = {part: [arrays[name + LABELS] for name in names[part]] for part in PARTS}
        whole = {
            part: np.concatenate([decode(arrays[n], len(y)) for n, y in zip(names[part], labels[part], strict=True)])
            for part in PARTS
            if counts[part]
        }
        name, classes = str(arrays[DATA]), tuple(map(str, arrays[CLASSES]))
    except InputError:
        raise
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{shown}: not files of pack_images.py ({error!s:.100}).") from error
    parts = {part: Images(_smaller(images, size), np.concatenate(labels[part])) for part, images in whole.items()}
    return Packed(name, parts, classes)


def _smaller(images: np.ndarray, size: int) -> np.ndarray:
    side = images.shape[1]
    if side % size:
        raise InputError(f"--image-size {size} does not divide the side of the packed images, {side}.")
    factor = side // size
    if factor == 1:
        return images
    areas = images.reshape(len(images), size, factor, size, factor, 3).astype(np.float32)
    return np.round(areas.mean((2, 4))).astype(np.uint8)


if __name__ == "__main__":
    run_tool(PackImages, __doc__)
