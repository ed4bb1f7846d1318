"""Networks whose files hold what their run learned about them, and no optimizer."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import tensorflow as tf

from keras_resnet.typing import Tensor


class TrainedPhotos:
    """A mixin before ``Step`` and ``keras.Model`` for networks whose files tell which photos they have been trained on.

    A run saves the network itself and shows the means of the loss and of its terms.

    Attributes:
        stored: the names of the arrays that belong to no layer and are saved with the network.
        trained_on: the contents of those photos, see :func:`~keras_resnet.detection.content_hashes`.
    """

    stored: ClassVar[tuple[str, ...]] = ("trained_on",)

    if TYPE_CHECKING:  # defined by keras.Model
        optimizer: Any
        train_metrics: list

    trained_on: np.ndarray = np.zeros(0, np.uint64)

    def saved(self) -> Self:
        """The model that a run saves: the network itself."""
        return self

    def update_metrics(self, data: tuple[Tensor, ...], losses: Tensor, values: Tensor) -> None:
        """Update the running means of the loss and of its terms, the columns of ``values``."""
        for metric, value in zip(self.train_metrics, [losses, *tf.unstack(values, axis=1)], strict=True):
            metric.update_state(value)

    def save_own_variables(self, store: dict[str, np.ndarray]) -> None:
        """Store what belongs to no layer: the arrays named in ``stored``."""
        for name in self.stored:
            store[name] = getattr(self, name)

    def load_own_variables(self, store: dict[str, np.ndarray]) -> None:
        """Restore what :meth:`save_own_variables` stored; files of earlier versions lack it."""
        for name in self.stored:
            if name in store.keys():  # noqa: SIM118  Keras' store is no mapping
                setattr(self, name, np.array(store[name], getattr(self, name).dtype))

    def get_compile_config(self) -> None:
        """None: a file holds only the network; its optimizer is in the checkpoints of its run."""

    def save(self, filepath: str | Path, *args: Any, **kwargs: Any) -> None:
        """Save the network, without its optimizer, as a ``.keras`` file."""
        optimizer, self.optimizer = getattr(self, "optimizer", None), None  # a model not compiled yet has none
        try:
            super().save(filepath, *args, **kwargs)  # type: ignore[misc]
        finally:
            self.optimizer = optimizer
