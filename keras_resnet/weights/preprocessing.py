"""The preprocessing that a network's weights expect, kept with the network."""

import math
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from keras_resnet.errors import InputError, one_of
from keras_resnet.typing import Tensor

if TYPE_CHECKING:
    import keras

CENTER_CROP = 7 / 8  # 224 of 256 (Sec. 3.4)
SIDE_OVER_PADDING = 8  # CIFAR's images of 32 pixels are padded by 4 on each side (Sec. 4.2)
Channels = Literal["RGB", "BGR"]


@dataclass(frozen=True, eq=False)
class Preprocessing:
    """``(x - mean) / std`` of RGB or BGR values from 0 to 255, or of other channels in the order they are given.

    Fields:
        mean: a mean for each channel, or a mean image ``[height, width, channels]``, in the order of ``channels``.
        std: a standard deviation for each channel; by default ones, as in the paper, which subtracts only the mean.
        channels: ``"BGR"`` turns three channels around; ``"RGB"`` leaves any number of channels in their order.
        crop: the fraction of the image's shorter side that the center view keeps: 224 of 256, or 1 for CIFAR.
    """

    mean: np.ndarray
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    channels: Channels = "RGB"
    crop: float = CENTER_CROP

    def __post_init__(self):
        one_of("channels", self.channels, get_args(Channels))
        if not 0 < self.crop <= 1:
            raise InputError(f"crop {self.crop!r} must be a fraction of the image's shorter side: 0 < crop <= 1.")
        object.__setattr__(self, "mean", np.asarray(self.mean, np.float32))
        object.__setattr__(self, "std", tuple(float(s) for s in self.std))
        if self.mean.ndim not in (1, 3) or not self.mean.size or not np.isfinite(self.mean).all():
            raise InputError(f"mean of shape {self.mean.shape} must be finite numbers, or an image of them.")
        if not self.std or not all(0 < s < math.inf for s in self.std):
            raise InputError(f"std {str(self.std)[:80]} must be positive numbers, one for each channel.")
        means, stds = self.mean.shape[-1], len(self.std)
        if (means != stds and 1 not in (means, stds)) or (self.channels == "BGR" and not {means, stds} <= {1, 3}):
            raise InputError(
                f"mean of {means} and std of {stds} channels in the order {self.channels} do not go together: give as "
                "many of each, and three for BGR."
            )

    def mean_for(self, height: int | None, width: int | None) -> np.ndarray:
        """The mean image if it has this size, otherwise the channel means."""
        if self.mean.ndim == 1 or self.mean.shape[:2] == (height, width):
            return self.mean
        return self.mean.mean(axis=(0, 1))

    def __call__(self, x: np.ndarray | Tensor, shift: float | np.ndarray | Tensor = 0.0) -> np.ndarray | Tensor:
        """Preprocess values from 0 to 255, ``[..., height, width, channels]``, with the library of ``x``.

        ``shift``, three values in RGB order, is added to the values first, at no additional cost.
        """
        if max(self.mean.shape[-1], len(self.std)) not in (1, x.shape[-1]):
            raise InputError(
                f"The preprocessing is of {max(self.mean.shape[-1], len(self.std))} channels, and the images have "
                f"{x.shape[-1]}: give images of the kind that the network was trained on."
            )
        mean, std = self.mean_for(*x.shape[-3:-1]), np.asarray(self.std, np.float32)
        order = slice(None, None, -1 if self.channels == "BGR" else 1)
        offset = mean - (shift if isinstance(shift, float) else shift[order])
        if isinstance(x, np.ndarray):
            x = x.astype(np.float32)
        elif other_backend(x):
            from keras import ops

            x, offset, std = (ops.convert_to_tensor(values, "float32") for values in (x, offset, std))
            x, order = (ops.flip(x, -1) if self.channels == "BGR" else x), slice(None)  # PyTorch has no negative steps
        else:
            import tensorflow as tf

            x = tf.cast(x, tf.float32)
            if mean.ndim == 1:  # whole rows: TensorFlow takes three times as long to broadcast three values
                row = [tf.shape(x)[-2], x.shape[-1]]
                offset, std = tf.broadcast_to(offset, row), tf.broadcast_to(std, row)
        centered = x[..., order] - offset
        return centered if set(self.std) == {1.0} else centered / std

    def undo(self, x: np.ndarray) -> np.ndarray:
        """The RGB values from 0 to 255 that ``__call__`` turned into ``x``."""
        x = x * np.asarray(self.std, np.float32) + self.mean_for(*x.shape[-3:-1])
        return x[..., ::-1] if self.channels == "BGR" else x

    def at_crop(self, crop: float) -> "Preprocessing":
        """This preprocessing with another ``crop``."""
        return replace(self, crop=crop)

    def get_config(self) -> dict[str, Any]:
        """The fields as plain values."""
        return {"mean": self.mean.tolist(), "std": list(self.std), "channels": self.channels, "crop": self.crop}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Preprocessing":
        """The preprocessing with the fields in ``config``."""
        return cls(**config)


def other_backend(x: Tensor) -> bool:
    """Whether Keras runs on JAX or PyTorch and ``x`` is a tensor of that, as opposed to one of ``tf.data``."""
    import keras

    return keras.backend.backend() != "tensorflow" and keras.ops.is_tensor(x)


TORCH = Preprocessing(
    mean=255 * np.array([0.485, 0.456, 0.406]), std=tuple(255 * np.array([0.229, 0.224, 0.225]))
)  # torchvision's mean and standard deviation, of RGB / 255
CAFFE = Preprocessing(mean=np.array([103.939, 116.779, 123.68]), channels="BGR")  # the authors' released models


def preprocess_input(x: "np.typing.ArrayLike | Tensor", model: "keras.Model | None" = None) -> np.ndarray | Tensor:
    """``x`` preprocessed as the weights of ``model`` expect, in float32.

    ``x`` holds values from 0 to 255, ``[..., height, width, 3]`` in the order RGB, or as many channels as the model
    reads; a warning is issued if all are from 0 to 1.

    Raises:
        InputError: there is no model, it does not know its preprocessing, as with random weights, or ``x`` has other
            channels.
    """
    if model is None or not hasattr(model, "name"):
        raise InputError(
            "preprocess_input needs the model, on whose weights the preprocessing depends: preprocess_input(images, "
            "model); without a model, call a Preprocessing, such as keras_resnet.weights.CAFFE."
        )
    preprocessing = getattr(model, "preprocessing", None)
    if preprocessing is None:
        raise InputError(
            f"{model.name} does not know its preprocessing: load weights, or set "
            "model.preprocessing = keras_resnet.Preprocessing(mean=...)."
        )
    if not hasattr(x, "shape"):
        x = np.asarray(x)
    channels = model.input_shape[-1]
    if len(x.shape) < 3 or x.shape[-1] != channels:
        what = "RGB images" if channels == 3 else "images"
        raise InputError(f"preprocess_input takes [..., height, width, {channels}] {what}, not shape {tuple(x.shape)}.")
    if isinstance(x, np.ndarray) and x.dtype.kind == "f" and x.size and x.min() >= 0 and 0 < x.max() <= 1:
        warnings.warn("preprocess_input takes values from 0 to 255, and these are all from 0 to 1.", stacklevel=2)
    return preprocessing(x)
