"""Settings of recipes that train on people's own photos, and how these are opened and shown before a run begins."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np

from keras_resnet import data
from keras_resnet.bounds import Between
from keras_resnet.data.balancing import class_weights, drawn_evenly
from keras_resnet.data.dividing import Division, DivisionFlags
from keras_resnet.errors import InputError
from keras_resnet.training.flags import Rare
from keras_resnet.training.settings import Settings
from keras_resnet.training.strategy import choose_strategy
from keras_resnet.training.workers import is_chief


@dataclass(frozen=True)
class PhotoSettings(DivisionFlags, Settings):
    """What to classify, and how photos without a split are divided."""

    balance: Literal["none", "weights", "sampling"] = "none"
    """Make rare classes count as much as common ones: by weights in the loss, or by drawing each equally often."""
    patience: Annotated[int, Between(1, 1_000_000)] | None = None
    """End after so many epochs without a lower validation error, and with the network of the lowest."""
    strict: Rare[bool] = False
    """Stop at photos that do not decode instead of leaving them out."""

    def check(self) -> None:
        super().check()
        self.division()

    def division(self) -> Division:
        """How photos without a split are divided."""
        return Division(self.val_share, self.folds, self.fold)

    def network_name(self) -> str:
        fold = f"-fold{self.fold}of{self.folds}" if self.folds else ""
        return super().network_name() + fold


def balanced(settings: PhotoSettings, split: "data.Split") -> "data.Split":
    """The training part, whose photos are drawn of each class equally often if ``settings`` ask for it.

    Raises:
        InputError: they do, and the photos are not in files of their own.
    """
    if settings.balance != "sampling":
        return split
    return replace(split, draw=drawn_evenly(_labels(split)))


def loss_weights(settings: PhotoSettings, opened: "data.Data") -> np.ndarray | None:
    """Weights of the classes in the loss, float32 ``[classes]``, if ``settings`` ask for them; raises as the former."""
    if settings.balance != "weights":
        return None
    return class_weights(_labels(opened.train), len(opened.classes))


def _labels(split: "data.Split") -> np.ndarray:
    if split.files is None:
        raise InputError(f"--balance counts photos in files of their own, which {split.name} has not: leave it out.")
    return split.files["directory"]


def open_photos(settings: PhotoSettings) -> "data.Data":
    """Open ``settings.data`` and print what it holds, and what was left out and why.

    Raises:
        InputError: it cannot be used; of all its parts at once.
    """
    opened = data.open_data(settings.data, settings.data_dir, settings.division())
    about = data.overview(opened)
    if settings.strict:
        data.check_strictly(opened)
    if is_chief(choose_strategy()):
        print(about, flush=True)
    return opened
