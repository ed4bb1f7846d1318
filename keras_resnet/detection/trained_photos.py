"""Networks that remember the photos they have been trained on, and are saved without their optimizer."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np


class TrainedPhotos:
    """A mixin before ``keras.Model`` for networks whose files tell which photos they have been trained on.

    Attributes:
        trained_on: the contents of those photos, see :func:`~keras_resnet.detection.content_hashes`.
    """

    if TYPE_CHECKING:  # defined by keras.Model
        optimizer: Any

    trained_on: np.ndarray = np.zeros(0, np.uint64)

    def save_own_variables(self, store: dict[str, np.ndarray]) -> None:
        """Store what belongs to no layer: the contents of the photos it has learned from."""
        store["trained_on"] = self.trained_on

    def load_own_variables(self, store: dict[str, np.ndarray]) -> None:
        """Restore what :meth:`save_own_variables` stored; files of earlier versions lack it."""
        if "trained_on" in store.keys():  # noqa: SIM118  Keras' store is no mapping
            self.trained_on = np.array(store["trained_on"])

    def get_compile_config(self) -> None:
        """None: a file holds only the network; its optimizer is in the checkpoints of its run."""

    def save(self, filepath: str | Path, *args: Any, **kwargs: Any) -> None:
        """Save the network, without its optimizer, as a ``.keras`` file."""
        optimizer, self.optimizer = getattr(self, "optimizer", None), None  # a model not compiled yet has none
        try:
            super().save(filepath, *args, **kwargs)  # type: ignore[misc]
        finally:
            self.optimizer = optimizer
