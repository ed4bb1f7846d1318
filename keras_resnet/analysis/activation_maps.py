"""Class activation maps: the evidence for a class at each place of an image.

CAM (Zhou et al. 2016, "Learning Deep Features for Discriminative Localization", Sec. 2) is exact for a network that
ends in global average pooling and one fully connected layer. Grad-CAM (Selvaraju et al. 2017, "Grad-CAM: Visual
Explanations from Deep Networks via Gradient-based Localization", Sec. 3) extends it to earlier maps by gradients.
"""

from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import ops

from keras_resnet.analysis.parts import split
from keras_resnet.backends import needs_tensorflow
from keras_resnet.errors import InputError
from keras_resnet.evaluation.classifier import classifier_of, last_map, with_activation
from keras_resnet.structure import structure_of
from keras_resnet.typing import Tensor


def activation_map(
    model: keras.Model,
    images: np.ndarray,
    classes: Sequence[int] | np.ndarray | None = None,
    block: str | None = None,
    batch_size: int = 32,
) -> np.ndarray:
    """The evidence for a class at each place of ``images``, in one forward pass in inference.

    Without ``block`` it is the CAM of the last feature map f: sum over k of w_k f_k(y, x), where w are the class'
    weights in the classifier. Its mean over places plus the classifier's bias is the class' logit, so a negative value
    is evidence against the class. With ``block`` it is the Grad-CAM of that block's output A: the positive part of the
    sum over k of a_k A_k(y, x), where a_k is the mean over places of the logit's derivative by A_k. At the last feature
    map that is the positive part of the CAM, divided by the number of places.

    Args:
        model: any Functional classifier with a fully connected last layer: of this package, looped or not, folded, or
            another one, such as those of ``keras.applications``; of any precision.
        images: preprocessed, ``[count, height, width, channels]``.
        classes: a class for each image, int ``[count]``; None for the most probable class.
        block: a block by its name, such as ``"conv4_block2"``, also in a loop, or ``"stem"``; for other models a layer.
        batch_size: images in one pass.

    Returns:
        float32 ``[count, rows, columns]``, with the size of the feature map.

    Raises:
        InputError: the model has no classifier on top or no average pooling under it, or there is no such class,
            or no such block.
    """
    last = classifier_of(model).units
    if classes is not None:
        classes = np.asarray(classes)
        if classes.shape != (len(images),) or classes.dtype.kind not in "iu":
            raise InputError(f"classes must be {len(images)} whole numbers, one for each image.")
        if len(classes) and not (classes.min() >= 0 and classes.max() < last):
            raise InputError(f"classes must be from 0 to {last - 1}, the last class of {model.name}.")
    if block is not None:
        needs_tensorflow("Grad-CAM, the activation map of a block or layer,", "tf.GradientTape")
    explain = _cam(model) if block is None else _grad_cam(model, block)
    maps = [
        explain(
            np.asarray(images[start : start + batch_size], np.float32),
            None if classes is None else classes[start : start + batch_size],
        )
        for start in range(0, len(images), batch_size)
    ]
    return np.concatenate(maps) if maps else np.zeros((0, 0, 0), np.float32)


def _cam(model) -> Callable:
    features = keras.Model(model.input, last_map(model, "name a block or layer, for Grad-CAM"))
    top = classifier_of(model)

    def explain(images, classes):
        maps, kernel = _in_float32(features(images, training=False)), _in_float32(top.kernel)
        if classes is None:
            logits = maps.mean(axis=(1, 2)) @ kernel
            classes = (logits + _in_float32(top.bias) if top.use_bias else logits).argmax(axis=1)
        return np.einsum("byxk,kb->byx", maps, kernel[:, classes])

    return explain


def _grad_cam(model, block: str) -> Callable:
    import tensorflow as tf

    forward = _maps_and_logits(model, block)

    def explain(images, classes):
        images = tf.constant(images)
        with tf.GradientTape() as tape:
            tape.watch(images)  # of a frozen network nothing else is watched
            maps, logits = forward(images)
            classes = tf.argmax(logits, axis=-1) if classes is None else classes
            chosen = tf.gather(logits, classes, batch_dims=1)
        weights = _in_float32(tape.gradient(chosen, maps)).mean(axis=(1, 2))
        return np.maximum(np.einsum("byxk,bk->byx", _in_float32(maps), weights), 0)

    return explain


def _in_float32(tensor: Tensor) -> np.ndarray:
    """The values of a tensor or variable of any precision."""
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


def _maps_and_logits(model, block: str) -> Callable:
    """A function from images to the output of ``block`` and the logits that are computed from it."""
    parts = {part.name: part for part in structure_of(model).parts if part.layers}
    part = parts.get(block)
    if part is not None and part.index is not None:  # the output of a loop's block is not a tensor of the network
        return _along_parts(model, block)
    if part is None and block not in {layer.name for layer in model.layers}:
        known = ", ".join(parts) if parts else "any of its layers' names"
        raise InputError(f"{model.name} has no block or layer {block}: choose one of {known}.")
    tensor = model.get_layer(block).output if part is None else part.output
    if not isinstance(tensor, keras.KerasTensor) or len(tensor.shape) != 4:
        raise InputError(f"{block} of {model.name} gives no feature map: choose a block or layer before the pooling.")
    both = keras.Model(model.input, [tensor, with_activation(model, None).output])
    return lambda images: both(images, training=False)


def _along_parts(model, block: str) -> Callable:
    *parts, head = split(model)
    pooled, top = keras.Model(head.input, classifier_of(model).input), classifier_of(with_activation(model, None))

    def forward(images):
        x, maps = images, None
        for part in parts:
            x = part.model(x, training=False)
            maps = x if part.name == block else maps
        return maps, top(pooled(x, training=False))

    return forward
