"""What differs between Keras' backends: inference of a whole network, and what only TensorFlow has."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.typing import Tensor

if TYPE_CHECKING:
    import keras


def inference(model: "keras.Model") -> Callable[[np.ndarray | Tensor], np.ndarray]:
    """A function from images, float32 ``[batch, ...]``, to the outputs of ``model`` in inference, compiled.

    On TensorFlow one graph serves all sizes of batches and images; JAX compiles once for each, and PyTorch does not.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return lambda images: model.predict_on_batch(np.asarray(images))
    import tensorflow as tf

    signature = [tf.TensorSpec([None, *model.input_shape[1:]], tf.float32)]
    forward = tf.function(lambda images: model(images, training=False), signature, autograph=False)
    return lambda images: forward(images).numpy()


def needs_tensorflow(what: str, part: str) -> None:
    """Raise :class:`InputError` unless Keras runs on TensorFlow.

    ``what``, the start of a sentence, needs its ``part``, such as ``"tf.GradientTape"``.
    """
    import keras

    backend = keras.backend.backend()
    if backend != "tensorflow":
        raise InputError(f"{what} needs {part}, and Keras runs on {backend} here: set KERAS_BACKEND=tensorflow.")
