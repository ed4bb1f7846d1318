"""A detection data set: an index of photos with their objects, and a reader of the photos' bytes."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from keras_resnet.data.reading import Reader, read_regular
from keras_resnet.data.viewing import turned
from keras_resnet.detection.boxes import Truths
from keras_resnet.errors import InputError
from keras_resnet.typing import Tensor

SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that exchange the sides


@dataclass(frozen=True)
class Photo:
    """One photo and its objects.

    Fields:
        id: the benchmark's identifier.
        file: the JPEG or PNG file, or the name that the photo of a record had as a file.
        height, width: in pixels, of the picture that the boxes refer to.
        objects: the ground truth.
        orientation: the EXIF orientation by which the stored picture must be turned into that picture; 1 for none.
        index: the image index of ImageNet DET.
    """

    id: int | str
    file: Path
    height: int
    width: int
    objects: Truths
    orientation: int = 1
    index: int | None = None


class PhotoBytes(Protocol):
    """Reads photos by position."""

    def __call__(self, position: int) -> bytes:
        """The bytes of the JPEG or PNG file at ``position``; raises InputError if they cannot be read."""
        ...


@dataclass(frozen=True)
class FileBytes(PhotoBytes):
    """Reads photos that are files of their own."""

    files: Sequence[Path]

    def __call__(self, position: int) -> bytes:
        return read_regular(self.files[position])[0]


@dataclass(frozen=True)
class JoinedBytes(PhotoBytes):
    """Reads the photos of several data sets, one set after the other."""

    parts: Sequence["DetectionData"]

    def __call__(self, position: int) -> bytes:
        for part in self.parts:
            if position < len(part):
                return part.reader.fetch(position)
            position -= len(part)
        raise IndexError(position)


@dataclass(frozen=True)
class DetectionData:
    """The photos of one part of a benchmark.

    Other photos, or another order, come from :meth:`select` alone, which keeps each photo with its bytes.

    Fields:
        name: of the part.
        classes: class names, in the order of the class numbers.
        photos: the index, in the benchmark's order, including photos without objects.
        categories: COCO's category id of each class.
        dataset: the content of COCO's annotation file, for its scorer.
        annotated: False for a test part whose objects the benchmark does not publish.
        in_records: whether the photos are in records instead of files of their own.
        reader: reads the bytes of the photo at each position of ``photos``, and counts those lost in training; by
            default from the photos' files.
    """

    name: str
    classes: tuple[str, ...]
    photos: tuple[Photo, ...]
    categories: tuple[int | str, ...] = ()
    dataset: dict[str, Any] | None = field(default=None, repr=False)
    annotated: bool = True
    in_records: bool = False
    reader: Reader = field(default=None, repr=False)  # type: ignore[assignment]  # filled in below

    def __post_init__(self):
        if self.reader is None:
            read = FileBytes([photo.file for photo in self.photos])
            object.__setattr__(self, "reader", Reader(self.name, len(self.photos), read))
        if self.reader.size != len(self.photos):
            raise ValueError(f"{self.name} has {len(self.photos)} photos, and its reader has {self.reader.size}.")

    def __len__(self) -> int:
        return len(self.photos)

    @property
    def has_objects(self) -> bool:
        """Whether some photo shows an object that is not ignored, without which there is nothing to score by."""
        return any((~photo.objects.ignored).any() for photo in self.photos)

    def select(self, positions: Sequence[int]) -> "DetectionData":
        """The photos at ``positions`` in this order, with their bytes and, once each, their COCO annotations.

        Photos that cannot be read are counted together with those of the whole set.
        """
        photos = tuple(self.photos[position] for position in positions)
        ids = {photo.id for photo in photos}
        dataset = self.dataset and {
            **self.dataset,
            "images": [image for image in self.dataset["images"] if image["id"] in ids],
            "annotations": [entry for entry in self.dataset["annotations"] if entry["image_id"] in ids],
        }
        return replace(self, photos=photos, dataset=dataset, reader=self.reader.among(positions))

    def first(self, count: int) -> "DetectionData":
        """The first ``count`` photos, or all if there are fewer."""
        if count >= len(self):
            return self
        return replace(self.select(range(count)), name=f"first {count:,} of {self.name}")

    def picture(self, position: Tensor) -> Tensor:
        """The photo at ``position``, a scalar int64, as its boxes refer to it: uint8 ``[height, width, 3]``."""
        return self.decode(self.reader.read(position), position)

    def decode(self, encoded: Tensor, position: Tensor) -> Tensor:
        """As :meth:`picture`, from the photo's bytes, a scalar string."""
        import tensorflow as tf

        from keras_resnet.data.decoding import decode_stored

        picture = decode_stored(encoded)
        orientations = [photo.orientation for photo in self.photos]
        return picture if set(orientations) <= {1} else turned(picture, tf.constant(orientations)[position])


def check_same_classes(first: DetectionData, second: DetectionData) -> None:
    """Raise :class:`InputError` unless both parts have the same classes with the same numbers."""
    for number, names in enumerate(itertools.zip_longest(first.classes, second.classes, fillvalue="missing")):
        if names[0] != names[1]:
            raise InputError(
                f"Class {number} is {names[0]} in {first.name} and {names[1]} in {second.name}: give both the same "
                "classes in the same order."
            )


def join(parts: Sequence[DetectionData]) -> DetectionData:
    """Several parts of one benchmark as one, without COCO's annotations, whose ids each part has for itself.

    Raises:
        InputError: the parts have different classes.
    """
    for part in parts[1:]:
        check_same_classes(parts[0], part)
    name, photos = "+".join(part.name for part in parts), tuple(photo for part in parts for photo in part.photos)
    return DetectionData(
        name,
        parts[0].classes,
        photos,
        parts[0].categories,
        annotated=all(part.annotated for part in parts),
        in_records=any(part.in_records for part in parts),
        reader=Reader(name, len(photos), JoinedBytes(parts)),
    )
