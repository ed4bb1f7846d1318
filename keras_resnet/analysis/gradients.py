"""Gradients: norms by layer and stage over batches, update/weight ratios, flow over depth, and shattering."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_resnet.analysis.curvature import Loss, cross_entropy_of
from keras_resnet.analysis.parts import split
from keras_resnet.backends import needs_tensorflow
from keras_resnet.structure import stage_of, weight_of
from keras_resnet.typing import Normalization, Tensor
from keras_resnet.weights.named import slots


@dataclass(frozen=True)
class GradientNorms:
    """Norms of the gradient with respect to one weight array; each block of a loop has its own.

    Fields:
        weight: the array's canonical name.
        stage: the array's stage, such as ``"conv2"``.
        norms: ``[batches]``.
    """

    weight: str
    stage: str
    norms: np.ndarray


def gradient_norms(loss: Loss) -> list[GradientNorms]:
    """The norms of each weight's gradient, for each batch of ``loss`` separately, in the network's order."""
    names = weight_names(loss.model)
    gradients = [loss.tensors(loss.batch_gradient(i)) for i in range(len(loss.batches))]
    rows = []
    for number, weights in enumerate(names):
        for name, index in weights:
            arrays = [np.asarray(of_batch[number]) for of_batch in gradients]
            norms = [np.linalg.norm(array if index is None else array[index]) for array in arrays]
            rows.append(GradientNorms(name, stage_of(name), np.array(norms)))
    return rows


def weight_names(model: keras.Model) -> list[list[tuple[str, int | None]]]:
    """The canonical names in each trainable variable, each with its index in a loop's stack, or None."""
    names: dict[int, list] = {}
    for name, slot in slots(model).items():
        names.setdefault(id(slot.variable), []).append((name, slot.index))
    return [names[id(variable)] for variable in model.trainable_variables]


def by_stage(rows: list[GradientNorms]) -> dict[str, np.ndarray]:
    """The norms ``[batches]`` of the gradient with respect to all weights of each stage together."""
    squares: dict[str, np.ndarray] = {}
    for row in rows:
        squares[row.stage] = squares.get(row.stage, 0) + row.norms**2
    return {stage: np.sqrt(total) for stage, total in squares.items()}


def update_ratios(model: keras.Model, optimizer: keras.optimizers.Optimizer) -> dict[str, float]:
    """The norm of the last update divided by that of the weight, for each kernel by canonical name.

    Args:
        model: a network of this package, which ``optimizer`` trains, directly or within a training model.
        optimizer: a :class:`keras_resnet.training.SGD`, whose momentum is the update.
    """
    ratios = {}
    for names, variable, update in zip(
        weight_names(model), model.trainable_variables, optimizer.momentums, strict=True
    ):
        for name, index in names:
            if weight_of(name) == "kernel":
                pair = (np.asarray(v.value if index is None else v.value[index]) for v in (update, variable))
                change, weight = (float(np.linalg.norm(array)) for array in pair)
                ratios[name] = change / max(weight, 1e-30)
    return ratios


def flow(
    model: keras.Model,
    images: np.ndarray | Tensor,
    labels: np.ndarray | Tensor,
    normalization: Normalization = "moving",
) -> dict[str, float]:
    """The norm of the cross-entropy's gradient with respect to the output of each part, by the part's name.

    The norms are means over images. If they are the same for all parts, depth neither amplifies nor weakens gradients;
    the ratio of two norms is the factor by which the parts between them change the gradient.

    Args:
        model: a network of this package with its classifier, looped or not.
        images: preprocessed images ``[count, height, width, channels]``.
        labels: int ``[count]``.
        normalization: ``"moving"`` or ``"batch"``, see :class:`keras_resnet.analysis.Loss`.
    """
    needs_tensorflow("The flow of gradients", "tf.GradientTape")
    parts, training = split(model), normalization == "batch"
    outputs, x = [], tf.constant(images, tf.float32)
    with tf.GradientTape() as tape:
        for part in parts:
            states = [v.value for v in part.model.non_trainable_variables]
            weights = [v.value for v in part.model.trainable_variables]
            x, _ = part.model.stateless_call(weights, states, x, training=training)
            tape.watch(x)
            outputs.append(x)
        losses = cross_entropy_of(model)(labels, x)
    gradients = tape.gradient(losses, outputs[:-1])
    sizes = [float(tf.reduce_mean(tf.norm(tf.reshape(g, [len(images), -1]), axis=1))) for g in gradients]
    return dict(zip([part.name for part in parts], sizes, strict=False))


def shattering(
    model: keras.Model,
    images: np.ndarray | Tensor,
    labels: np.ndarray | Tensor,
    distances: Sequence[float],
    seed: int = 0,
) -> np.ndarray:
    """The correlation of the gradients at nearby inputs (Balduzzi et al. 2017), which is low for shattered gradients.

    Args:
        model: a network with its classifier.
        images: preprocessed images ``[count, height, width, channels]``.
        labels: int ``[count]``.
        distances: distances of the nearby inputs, in a random direction, as fractions of each image's norm.
        seed: of the random directions.

    Returns:
        ``[distances, images]``: the correlations of the cross-entropy's gradients with respect to the two inputs.
    """
    needs_tensorflow("The shattering of gradients", "tf.GradientTape")
    images, cross_entropy = tf.constant(images, tf.float32), cross_entropy_of(model)

    @tf.function(autograph=False)
    def gradient(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            losses = cross_entropy(labels, model(inputs, training=False))
        flat = tf.reshape(tape.gradient(losses, inputs), [len(images), -1])
        return tf.math.l2_normalize(flat - tf.reduce_mean(flat, axis=1, keepdims=True), axis=1, epsilon=1e-30)

    def size(maps):
        return tf.norm(tf.reshape(maps, [len(images), 1, 1, -1]), axis=-1, keepdims=True)

    direction = tf.random.stateless_normal(images.shape, [seed, 0])
    direction *= size(images) / size(direction)
    at_images = gradient(images)
    return np.stack([tf.reduce_sum(at_images * gradient(images + r * direction), axis=1).numpy() for r in distances])


class GradientWatch(keras.callbacks.Callback):
    """Records gradient norms by stage and update/weight ratios on fixed images, every ``every`` steps of ``fit``.

    Args:
        images: those whose loss is differentiated, as :class:`Loss` takes them.
        labels: of the images, as :class:`Loss` takes them.
        every: steps between records.
        batch_size: images in one pass; batch normalization uses the statistics of each batch.

    Attributes:
        records: dictionaries of ``step``, ``norms`` (``[batches]`` by stage) and ``ratios`` (by kernel).
    """

    def __init__(
        self,
        images: np.ndarray | Tensor,
        labels: np.ndarray | Tensor,
        every: int,
        batch_size: int = 32,
    ):
        super().__init__()
        self.images, self.labels, self.every, self.batch_size = images, labels, every, batch_size
        self.records: list[dict[str, Any]] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.step = 0
        self.network = getattr(self.model, "network", self.model)
        self.loss = Loss(self.network, self.images, self.labels, "batch", self.batch_size)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.step += 1
        if self.step % self.every == 0:
            self.loss.take_weights()
            optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
            ratios = update_ratios(self.network, optimizer)
            self.records.append({"step": self.step, "norms": by_stage(gradient_norms(self.loss)), "ratios": ratios})
