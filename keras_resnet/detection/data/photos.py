"""What every source of detection data gives: photos with their objects, mended where the benchmarks allow it."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from keras_resnet.data.reading import Reader, read_regular
from keras_resnet.detection.boxes import Truths, area
from keras_resnet.errors import InputError

NAMED = 5
LONGEST = 1000  # characters of a name
MOST_SHOWN = 150  # characters of a path
SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that exchange the sides


@dataclass(frozen=True)
class Photo:
    """One image file and its objects.

    Fields:
        id: the benchmark's.
        file: JPEG or PNG.
        height, width: in pixels, of the picture that the boxes are of.
        objects: with their boxes.
        orientation: the EXIF orientation by which the stored picture is turned into that one; 1 for not at all.
        index: DET's image index.
    """

    id: int | str
    file: Path
    height: int
    width: int
    objects: Truths
    orientation: int = 1
    index: int | None = None


@dataclass(frozen=True)
class DetectionData:
    """Photos of one part of a benchmark.

    Fields:
        name: which part.
        classes: class names; a class's number is its place.
        photos: in the benchmark's order, also those without objects.
        categories: COCO's category id of each class.
        dataset: the content of COCO's annotation file, for its scorer.
        encoded: scalar int64 tensor, a position, to the photo file's bytes, where they are not in files of their own.
        annotated: False for a test part whose objects the benchmark keeps to itself.
        reader: what reads photos and counts what is lost in training, where the next whole photo stands in.
    """

    name: str
    classes: tuple[str, ...]
    photos: tuple[Photo, ...]
    categories: tuple[int, ...] = ()
    dataset: dict | None = field(default=None, repr=False)
    encoded: Callable | None = field(default=None, repr=False)
    annotated: bool = True
    reader: Reader | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.photos)

    def read(self, position):
        """The JPEG or PNG bytes of the photo at ``position``, a scalar int64 tensor, as a scalar string tensor."""
        import tensorflow as tf

        if self.encoded is not None:
            return self.encoded(position)
        return tf.io.read_file(tf.constant([str(photo.file) for photo in self.photos], tf.string)[position])

    def picture(self, position):
        """The picture that the boxes of the photo at ``position`` are of, uint8 ``[height, width, 3]``."""
        import tensorflow as tf

        from keras_resnet.data.augment import decode

        picture = decode(self.read(position))
        if all(photo.orientation == 1 for photo in self.photos):
            return picture
        return turned(picture, tf.constant([photo.orientation for photo in self.photos])[position])


def turned(picture, orientation):
    """``picture`` ``[height, width, 3]`` as a viewer shows it, by its EXIF orientation, 1 to 8, a scalar tensor."""
    import tensorflow as tf

    both = picture, tf.transpose(picture, [1, 0, 2])
    ways = [lambda p=p, axes=axes: tf.reverse(p, axes) for p in both for axes in ([], [1], [0, 1], [0])]
    return tf.switch_case(tf.convert_to_tensor(orientation) - 1, ways)


def join(parts: list[DetectionData]) -> DetectionData:
    """Several parts of one benchmark as one; without COCO's annotations, which are each part's own."""
    sizes = np.cumsum([0, *map(len, parts)])

    def encoded(position):
        import tensorflow as tf

        position = tf.cast(position, tf.int64)
        number = tf.searchsorted(tf.constant(sizes[1:], tf.int64), [position], side="right")[0]
        readers = [lambda p=p, s=s: p.read(position - s) for p, s in zip(parts, sizes[:-1], strict=True)]
        return tf.switch_case(number, readers)

    name = "+".join(part.name for part in parts)
    photos = tuple(photo for part in parts for photo in part.photos)
    in_files = all(part.encoded is None for part in parts)
    annotated = all(part.annotated for part in parts)
    reader = None
    if all(part.reader is not None for part in parts):

        def fetch(position):
            number = np.searchsorted(sizes[1:], position, side="right")
            return parts[number].reader.fetch(position - sizes[number])

        reader = Reader(name, len(photos), fetch)
    encoded_or_none = None if in_files else encoded
    return DetectionData(name, parts[0].classes, photos, parts[0].categories, None, encoded_or_none, annotated, reader)


def chosen(data: DetectionData, positions: Sequence[int]) -> DetectionData:
    """``data`` with the photos at ``positions`` alone, also of its COCO annotations."""
    photos = tuple(data.photos[position] for position in positions)
    kept = {photo.id for photo in photos}
    dataset = data.dataset and {
        **data.dataset,
        "images": [image for image in data.dataset["images"] if image["id"] in kept],
        "annotations": [entry for entry in data.dataset["annotations"] if entry["image_id"] in kept],
    }

    def encoded(position):
        import tensorflow as tf

        return data.encoded(tf.constant(positions, tf.int64)[position])

    reader = data.reader and data.reader.among(positions)
    in_files = data.encoded is None
    return replace(data, photos=photos, dataset=dataset, encoded=None if in_files else encoded, reader=reader)


class Mending:
    """Puts boxes right, counts what it did, and says so once."""

    def __init__(self, source: Path):
        self.source = source
        self.counts: Counter[str] = Counter()

    def mend(self, what: str, boxes, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
        """``boxes`` ``[n, 4]`` clipped to the image, and which of them have an area left, ``[n]``.

        Raises:
            InputError: corners are in the wrong order, or are not numbers; it names the file and ``what``.
        """
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        if not np.isfinite(boxes).all() or (boxes[:, 2:] < boxes[:, :2]).any():
            bad = boxes[~np.isfinite(boxes).all(axis=1) | (boxes[:, 2:] < boxes[:, :2]).any(axis=1)][0]
            raise InputError(f"{self.source}: {what} has a box whose corners are in the wrong order, {bad.tolist()}.")
        clipped = np.clip(boxes, 0, [width, height, width, height])
        kept = area(clipped) > 0
        self.counts["boxes without area inside their image left out"] += int((~kept).sum())
        self.counts["boxes clipped to their image"] += int((kept & (clipped != boxes).any(axis=1)).sum())
        return clipped, kept

    def report(self) -> None:
        """Say on standard error what was mended."""
        done = [f"{count:,} {what}" for what, count in self.counts.items() if count]
        if done:
            print(f"{self.source}: {', '.join(done)}", file=sys.stderr)


def below(folder: Path, name: str, source: Path) -> Path:
    """``folder / name``, where ``name`` is one that a file gives.

    Raises:
        InputError: it leads out of the folder, or is no name of a file.
    """
    path = Path(name)
    if not 0 < len(name) <= LONGEST or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise InputError(
            f"{source} names the file {name[:100]!r}, which is not one below {folder}: put the name right."
        )
    return folder / path


def unannotated(name, image: Path) -> Photo:
    """A photo of a test part without annotations; its size is the file's.

    Raises:
        InputError: the file is missing or no picture.
    """
    import io

    from PIL import Image

    encoded, _ = read_regular(image)
    try:
        with Image.open(io.BytesIO(encoded)) as picture:
            width, height = picture.size
    except Exception as error:  # whatever a damaged header leads to
        raise InputError(f"{image} cannot be read as a picture: repair the file.") from error
    return Photo(name, image, height, width, Truths(np.zeros((0, 4)), np.zeros(0)))


def check_files(photos, source: Path) -> None:
    """Raise :class:`InputError` naming the first photos whose files are missing, or whose folder is closed."""
    missing = [photo.file for photo in photos if not os.path.isfile(photo.file)]
    if missing:
        check_reachable(missing[0])
        names = ", ".join(str(path)[-MOST_SHOWN:] for path in missing[:NAMED])
        raise InputError(f"{source} lists {len(missing)} images that are not there: {names}.")


def check_reachable(path: Path) -> None:
    """Raise :class:`InputError` for a file that cannot be looked for, as a folder above it is closed."""
    try:
        os.stat(path)
    except PermissionError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): check the permissions of its folder.") from error
    except (OSError, ValueError):
        pass
