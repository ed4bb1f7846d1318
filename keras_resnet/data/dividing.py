"""Photos without a split are divided by their content, class by class, the same way each time."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from keras_resnet.bounds import Between, check_fields
from keras_resnet.errors import InputError

VAL_SHARE = 0.15


@dataclass(frozen=True)
class DivisionFlags:
    """What a command line says about photos without a split."""

    val_share: Annotated[float, Between(0.001, 0.999)] | None = None
    """Of photos without a split, the share of each class for validation; default: 0.15."""
    folds: Annotated[int, Between(2, 1000)] | None = None
    """Divide photos without a split into so many parts instead, and validate on --fold of them."""
    fold: Annotated[int, Between(1, 1000)] | None = None
    """Which of --folds to validate on, from 1 on."""


@dataclass(frozen=True)
class Division(DivisionFlags):
    """How photos without a split are divided into training and validation.

    The side of a photo depends on what its file holds and on the other photos of its class, never on names or times:
    copies fall on one side, and a photo that is added moves at most one other.
    """

    def __post_init__(self):
        check_fields(self)
        if self.val_share is not None and self.folds is not None:
            raise InputError("--val-share and --folds both divide the photos: give one of them.")
        if (self.folds is None) != (self.fold is None):
            raise InputError("--folds and --fold go together: --folds 5 --fold 1 validates on the first of five parts.")
        if self.folds is not None and self.fold is not None and self.fold > self.folds:
            raise InputError(f"--fold {self.fold} is not one of --folds {self.folds}: it is from 1 to {self.folds}.")

    @property
    def share(self) -> float:
        """Of the photos for validation."""
        return 1 / self.folds if self.folds else self.val_share or VAL_SHARE

    def refuse_if_given(self, where: str) -> None:
        """Raise :class:`InputError` if it is asked for of data that are divided already."""
        if self != BY_SHARE:
            flag = "--folds" if self.folds else "--val-share"
            raise InputError(f"{flag} divides photos without a split, and {where} has its own: leave {flag} out.")

    def names(self, name: str) -> tuple[str, str]:
        """What the training and the validation part of data called ``name`` are called."""
        if self.folds:
            return f"{name} without fold {self.fold} of {self.folds}", f"fold {self.fold} of {self.folds} of {name}"
        return f"{1 - self.share:.0%} of {name}", f"{self.share:.0%} of {name}"

    def held_out(self, labels: np.ndarray, keys: np.ndarray, where: str) -> np.ndarray:
        """Which photos are for validation, bool ``[photos]``.

        Of each class the photos of the lowest keys, at least one and all but one at most; or, of folds, every
        ``folds``-th in the order of the keys.

        Args:
            labels: of the photos, int ``[photos]``.
            keys: of :func:`keras_resnet.data.gathering.content_keys`.
            where: what the photos are of, for the message.

        Raises:
            InputError: fewer different photos than folds.
        """
        contents, first, group = np.unique(keys, return_index=True, return_inverse=True)
        label = labels[first]  # of a photo that lies in two classes, that of the first
        if self.folds and len(contents) < self.folds:
            raise InputError(
                f"--folds {self.folds} needs as many different photos, and {where} has {len(contents)}: ask for fewer."
            )
        counts = np.bincount(label)
        order = np.lexsort((contents, label))
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
        if self.folds and self.fold:
            chosen = (rank + label) % self.folds == self.fold - 1  # classes of few photos begin at different folds
        else:
            wanted = np.round(self.share * counts).astype(np.int64)
            chosen = rank < np.minimum(np.maximum(wanted, 1), counts - 1)[label]
        return chosen[group]


BY_SHARE = Division()
