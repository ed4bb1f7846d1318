"""All photos of all parts of a classification data set in one row, with what one look at each tells."""

import os
from dataclasses import dataclass

import numpy as np

from keras_resnet.data import Data
from keras_resnet.data.gathering import content_keys
from keras_resnet.data.overview import check_in_files, counts_of, left_out_of, opened_parts
from keras_resnet.data.splits import PARTS, LeftOut
from keras_resnet.inspection.copies import Copies, find_copies
from keras_resnet.inspection.facts import PhotoFacts, facts_of


@dataclass(frozen=True)
class Photos:
    """The photos of a data set.

    Fields:
        classes: class names.
        files: paths.
        names: the same below their folder, or as a list of photos has them.
        parts: "train", "val" or "test" of each, text.
        labels: class numbers, int.
        facts: of the photos.
        copies: among them.
        counts: of each part, how many photos each class has.
        left_out: what lies beside them and is not used.
    """

    classes: tuple[str, ...]
    files: list[str]
    names: list[str]
    parts: np.ndarray
    labels: np.ndarray
    facts: PhotoFacts
    copies: Copies
    counts: dict[str, np.ndarray]
    left_out: tuple[LeftOut, ...]

    def about(self, position: int) -> dict[str, str]:
        """The photo at ``position`` as plain values."""
        label = self.classes[self.labels[position]]
        return {"photo": self.files[position], "class": label, "part": str(self.parts[position])}


def photos_of(data: Data) -> Photos:
    """Look at every photo of ``data``.

    Raises:
        InputError: its parts cannot be used, or are not photos in files of their own.
    """
    check_in_files(data)
    splits = opened_parts(data)
    files: list[str] = []
    names: list[str] = []
    parts: list[str] = []
    labels, keys = [], []
    for part, split in splits.items():
        assert split.files is not None
        assert split.folder is not None
        photos = [split.photo(position) for position in range(len(split))]
        files += photos
        names += [os.fsdecode(path) for path in split.files["path"]]
        parts += [PARTS[part]] * len(split)
        labels.append(split.files["directory"])
        keys.append(content_keys(split.folder, split.files))
    facts = facts_of(files)
    copies = find_copies(files, np.concatenate(keys), facts)
    counts = {PARTS[part]: counts_of(split, len(data.classes)) for part, split in splits.items()}
    return Photos(
        *(data.classes, files, names, np.array(parts), np.concatenate(labels)),
        *(facts, copies, counts, left_out_of(data)),
    )
