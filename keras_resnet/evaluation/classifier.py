"""The classifier on top of a model: its logits, and its fully convolutional form for images of any size."""

from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from keras_resnet.backends import inference
from keras_resnet.errors import InputError
from keras_resnet.typing import Tensor
from keras_resnet.wording import counted


def classifier_of(model: keras.Model) -> keras.layers.Dense:
    """The last layer of ``model``; raises :class:`InputError` unless it is fully connected."""
    top = model.layers[-1]
    if not isinstance(top, keras.layers.Dense) or len(model.output_shape) != 2:
        raise InputError(f"{model.name} has no classifier on top: build or load it with include_top=True.")
    return top


def with_activation(model: keras.Model, activation: str | None) -> keras.Model:
    """``model`` with another activation of its classifier: None for logits, ``"softmax"`` for probabilities.

    Both models share the layers below the classifier.
    """
    top = classifier_of(model)
    if top.activation is keras.activations.get(activation):
        return model
    other = type(top).from_config({**top.get_config(), "activation": activation})
    outputs = other(top.input)
    other.set_weights(top.get_weights())
    return keras.Model(model.input, outputs, name=model.name)


def input_size(model: keras.Model) -> int:
    """The side, in pixels, of the square photos for which ``model`` was built.

    Raises:
        InputError: its images are not square, or have other channels than photos.
    """
    height, width, channels = model.input_shape[1:]
    if channels != 3:
        raise InputError(
            f"{model.name} takes images of {counted(channels, 'channel')}, and photos are read as red, green and blue: "
            "give it images of your own in Python."
        )
    if height is None or height != width:
        raise InputError(f"{model.name} takes images of {height} x {width} pixels: build it for one square size.")
    return height


def last_map(model: keras.Model, way_out: str) -> keras.KerasTensor:
    """The feature map that global average pooling takes in right under the classifier; dropout between does not count.

    Raises:
        InputError: there is no such pooling; the sentence ends in ``way_out``.
    """
    layer = classifier_of(model).input._keras_history.operation
    while isinstance(layer, keras.layers.Dropout):
        layer = layer.input._keras_history.operation
    if not isinstance(layer, keras.layers.GlobalAveragePooling2D):
        raise InputError(f"{model.name} has no global average pooling under its classifier: {way_out}.")
    return layer.input


def pooled_window(model: keras.Model) -> int:
    """The side of the last feature map, over which global average pooling averages."""
    return last_map(model, "use the center view").shape[1]


def dense_scores(model: keras.Model) -> Callable[[np.ndarray | Tensor], np.ndarray]:
    """A function from float32 images of any size, ``[batch, height, width, channels]``, to probabilities.

    The network is applied fully convolutionally (Sec. 3.4): average pooling slides over the last feature map with the
    window that it has at the model's own size, the classifier and softmax are applied at each position, and the
    probabilities are averaged over positions to ``[batch, classes]``. At the model's own size that is the model itself.
    """
    window = pooled_window(model)
    top = classifier_of(with_activation(model, "softmax"))
    features = keras.Model(model.input, last_map(model, "use the center view"))
    body = keras.models.clone_model(  # the same layers, for inputs of any size
        features, input_tensors=keras.Input((None, None, model.input_shape[-1])), clone_function=lambda layer: layer
    )
    maps = ops.average_pool(ops.cast(body.output, "float32"), window, 1, "valid")
    return inference(keras.Model(body.input, ops.mean(top(maps), axis=(1, 2))))
