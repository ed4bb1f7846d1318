"""Networks that remember the photos they have learned from, and are saved without their optimizer."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np


class TrainedPhotos:
    """A class to inherit before ``keras.Model``, whose files then hold what they should.

    Attributes:
        trained_on: the contents of the photos it has learned from (see ``photo_files``), saved with it.
    """

    if TYPE_CHECKING:  # what keras.Model has
        optimizer: Any

    trained_on: np.ndarray = np.zeros(0, np.uint64)

    def save_own_variables(self, store: Any) -> None:
        """Keep what is not a layer's: the photos it has learned from."""
        store["trained_on"] = self.trained_on

    def load_own_variables(self, store: Any) -> None:
        """Take up what a file of :meth:`save_own_variables` holds; earlier files do not."""
        if "trained_on" in store.keys():  # noqa: SIM118  a store of Keras' is no mapping
            self.trained_on = np.array(store["trained_on"])

    def get_compile_config(self) -> None:
        """None: a file holds the network, a run's checkpoints its optimizer."""

    def save(self, filepath: str | Path, *args: Any, **kwargs: Any) -> None:
        """Save the network, without its optimizer, as a ``.keras`` file."""
        optimizer, self.optimizer = getattr(self, "optimizer", None), None  # none before it is compiled
        try:
            super().save(filepath, *args, **kwargs)  # type: ignore[misc]
        finally:
            self.optimizer = optimizer
