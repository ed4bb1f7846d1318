"""The RPN's boxes of all training photos, extracted once into files that the R-CNN learns from (appendix C)."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tqdm

from keras_resnet.data.pipelines import Shard
from keras_resnet.detection.data.photo_files import content_hashes
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.detection.training.photo_reading import read_photos
from keras_resnet.errors import InputError
from keras_resnet.evaluation.scoring import weights_digest
from keras_resnet.evaluation.views import View
from keras_resnet.files import object_or_none, save_array, write_json, write_whole
from keras_resnet.localization.batches import WHOLE
from keras_resnet.localization.localizer import Localizer
from keras_resnet.localization.networks import STRIDE, LocalizationRPN

MANIFEST = "proposals.json"
PHOTOS = 500  # in a file


@dataclass(frozen=True)
class Proposals:
    """Photos with the boxes that a network proposed in them.

    Fields:
        data: the photos.
        boxes: of each photo's class, the best first, float32 ``[photos, count, 4]``, in its pixels.
    """

    data: DetectionData
    boxes: np.ndarray


def extract(
    network: LocalizationRPN, data: DetectionData, folder: Path, count: int, shard: Shard = WHOLE
) -> Callable[[], Proposals]:
    """Write the ``count`` best boxes of each photo's class into ``folder``; what is there already is not done again.

    The network is applied to whole photos at the paper's second scale, 256 where the crops have 224 pixels. Of several
    workers each does its share of the files.

    Args:
        network: the RPN.
        data: the training photos.
        folder: for files of 500 photos each, and a description.
        count: fewer where the map has fewer anchors.
        shard: this worker's share.

    Returns:
        a function that reads all of them, once every worker is done.

    Raises:
        InputError: the folder holds the boxes of another network or of other photos.
    """
    side = View("multi-scale").sides(network.size, STRIDE)[1]
    localizer = Localizer([network], view=View("multi-scale", (side,)), proposals=count)
    folder.mkdir(parents=True, exist_ok=True)
    about = {"network": weights_digest(network), "photos": _hash(content_hashes(data).tobytes()), "count": count}
    _describe(folder / MANIFEST, about, shard)
    starts = range(0, len(data), PHOTOS)
    assigned = starts[shard.index :: shard.workers]
    with tqdm.tqdm(
        total=len(assigned) * PHOTOS, desc="proposals", unit=" photos", disable=None, leave=False
    ) as progress:
        for start in assigned:
            path, part = _file(folder, start), data.select(range(start, min(start + PHOTOS, len(data))))
            if _stored(path, len(part)) is None:
                boxes = _of_all(localizer, part)
                write_whole(path, functools.partial(save_array, values=boxes))
            progress.update(PHOTOS)

    def read() -> Proposals:
        parts = [_stored(_file(folder, start), min(PHOTOS, len(data) - start)) for start in starts]
        whole = [part for part in parts if part is not None]
        if len(whole) < len(parts):
            raise InputError(f"{folder} lacks some of its files: run the same command again.")
        fewest = min(part.shape[1] for part in whole)
        return Proposals(data, np.concatenate([part[:, :fewest] for part in whole]))

    return read


def _of_all(localizer: Localizer, data: DetectionData) -> np.ndarray:
    extracted = []
    for photo, image in read_photos(data):
        (boxes, _), *_ = localizer.proposals(image, photo.objects.classes[:1], photo.file)
        extracted.append(_with_area(boxes, image.shape).astype(np.float32))
    fewest = min(map(len, extracted))
    return np.stack([boxes[:fewest] for boxes in extracted])


def _with_area(boxes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Boxes at least a pixel wide and high, within an image of ``shape``, so that they can be warped."""
    limits = np.array(shape[1::-1])
    low = np.minimum(boxes[:, :2], limits - 1)
    return np.concatenate([low, np.maximum(boxes[:, 2:], low + 1)], axis=1)


def _describe(path: Path, about: dict, shard: Shard) -> None:
    stored = object_or_none(path)
    if stored is None and shard.index == 0:
        write_json(path, about)
    if stored not in (None, about):
        raise InputError(
            f"{path.parent} holds the proposals of another network, of other photos, or of another number: remove the "
            "folder, or give another --workdir."
        )


def _stored(path: Path, photos: int) -> np.ndarray | None:
    """The boxes in a file, without reading them yet; None where there is none that is whole."""
    try:
        boxes = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    good = boxes.dtype == np.float32 and boxes.ndim == 3 and boxes.shape[0] == photos and boxes.shape[2] == 4
    return boxes if good else None


def _file(folder: Path, start: int) -> Path:
    return folder / f"proposals-{start // PHOTOS:05d}.npy"


def annotated_digest(data: DetectionData) -> str:
    """A hash of the photos' contents, their classes and their boxes, in hexadecimal."""
    objects = (part.tobytes() for photo in data.photos for part in (photo.objects.classes, photo.objects.boxes))
    return _hash(content_hashes(data).tobytes(), *objects)


def _hash(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:32]
