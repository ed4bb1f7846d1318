"""The preprocessing a network's weights expect, kept with the network."""

import math
import warnings
from dataclasses import dataclass, replace

import numpy as np

from keras_resnet.errors import InputError, one_of

CENTER_CROP = 7 / 8  # 224 of 256 (Sec. 3.4)


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """``(x - mean) / std`` on RGB or BGR values from 0 to 255.

    Fields:
        mean: three channel means, or a mean image ``[height, width, 3]``, in ``channels`` order.
        std: three channel deviations; ones as in the paper, which only subtracts the mean.
        channels: ``"RGB"`` or ``"BGR"``, the order the network reads.
        crop: share of the image's shorter side that the center view keeps: 224 of 256, or all as for CIFAR.
    """

    mean: np.ndarray
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    channels: str = "RGB"
    crop: float = CENTER_CROP

    def __post_init__(self):
        one_of("channels", self.channels, ("RGB", "BGR"))
        if not 0 < self.crop <= 1:
            raise InputError(f"crop {self.crop!r} must be a share of the image's shorter side: 0 < crop <= 1.")
        object.__setattr__(self, "mean", np.asarray(self.mean, np.float32))
        object.__setattr__(self, "std", tuple(float(s) for s in self.std))
        if self.mean.ndim not in (1, 3) or self.mean.shape[-1] not in (1, 3) or not np.isfinite(self.mean).all():
            raise InputError(f"mean of shape {self.mean.shape} must be three finite numbers, or an image of such.")
        if len(self.std) not in (1, 3) or not all(0 < s < math.inf for s in self.std):
            raise InputError(f"std {str(self.std)[:80]} must be three positive numbers.")

    def mean_for(self, height: int | None, width: int | None) -> np.ndarray:
        """The mean image where the input has its size, else its channel means."""
        if self.mean.ndim == 1 or self.mean.shape[:2] == (height, width):
            return self.mean
        return self.mean.mean(axis=(0, 1))

    def __call__(self, x, shift=0.0):
        """Prepare ``[..., height, width, 3]`` RGB values from 0 to 255; NumPy in, NumPy out, else TensorFlow.

        ``shift``, three values in RGB order as ``x``, is added to the values first, at no cost of its own.
        """
        mean, std = self.mean_for(*x.shape[-3:-1]), np.asarray(self.std, np.float32)
        order = slice(None, None, -1 if self.channels == "BGR" else 1)
        offset = mean - (shift[order] if hasattr(shift, "shape") else shift)
        if isinstance(x, np.ndarray):
            x = x.astype(np.float32)
        else:
            import tensorflow as tf

            x = tf.cast(x, tf.float32)
            if mean.ndim == 1:  # whole rows: TensorFlow takes three times as long to repeat three values
                row = [tf.shape(x)[-2], 3]
                offset, std = tf.broadcast_to(offset, row), tf.broadcast_to(std, row)
        centered = x[..., order] - offset
        return centered if set(self.std) == {1.0} else centered / std

    def undo(self, x: np.ndarray) -> np.ndarray:
        """RGB values from 0 to 255 of what ``__call__`` gave."""
        x = x * np.asarray(self.std, np.float32) + self.mean_for(*x.shape[-3:-1])
        return x[..., ::-1] if self.channels == "BGR" else x

    def at_crop(self, crop: float) -> "Preprocessing":
        """The same with another ``crop``."""
        return replace(self, crop=crop)

    def get_config(self) -> dict:
        return {"mean": self.mean.tolist(), "std": list(self.std), "channels": self.channels, "crop": self.crop}

    @classmethod
    def from_config(cls, config: dict) -> "Preprocessing":
        return cls(**config)


TORCH = Preprocessing(
    mean=255 * np.array([0.485, 0.456, 0.406]), std=tuple(255 * np.array([0.229, 0.224, 0.225]))
)  # RGB / 255, then torchvision's mean and deviation
CAFFE = Preprocessing(mean=np.array([103.939, 116.779, 123.68]), channels="BGR")  # the authors' released models


def preprocess_input(x, model=None):
    """``x``, RGB values from 0 to 255 ``[..., height, width, 3]``, as float32 prepared the way ``model`` was trained.

    Warns of values that are all from 0 to 1, which are no images of this range.

    Raises:
        InputError: no model is given, it does not know its preprocessing, as one with random weights, or ``x`` is no
            RGB image.
    """
    if not hasattr(model, "name"):
        raise InputError(
            "preprocess_input needs the model, whose weights decide how: preprocess_input(images, model); without one "
            "call a Preprocessing, such as keras_resnet.weights.CAFFE."
        )
    if getattr(model, "preprocessing", None) is None:
        raise InputError(
            f"{model.name} does not know its preprocessing: load weights, or set "
            "model.preprocessing = keras_resnet.Preprocessing(mean=...)."
        )
    if not hasattr(x, "shape"):
        x = np.asarray(x)
    if len(x.shape) < 3 or x.shape[-1] != 3:
        raise InputError(f"preprocess_input takes [..., height, width, 3] RGB images, not shape {tuple(x.shape)}.")
    if isinstance(x, np.ndarray) and x.dtype.kind == "f" and x.size and x.min() >= 0 and 0 < x.max() <= 1:
        warnings.warn("preprocess_input takes values from 0 to 255, and these are all from 0 to 1.", stacklevel=2)
    return model.preprocessing(x)
