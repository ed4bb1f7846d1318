"""Gradients: norms by layer and stage over batches, update/weight ratios, flow over depth, and shattering."""

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from keras_resnet.analysis.curvature import Loss
from keras_resnet.analysis.parts import split
from keras_resnet.structure import stage_of, weight_of
from keras_resnet.weights.named import slots


@dataclass(frozen=True)
class GradientNorms:
    """``norms`` ``[batches]`` of the gradient of one weight array, or of one block's in a loop, by canonical name."""

    weight: str
    stage: str
    norms: np.ndarray


def gradient_norms(loss: Loss) -> list[GradientNorms]:
    """The norm of each weight's gradient, of each batch of ``loss`` by itself, in the network's order."""
    names = weight_names(loss.model)
    gradients = [loss.tensors(loss.batch_gradient(i)) for i in range(len(loss.batches))]
    found = []
    for number, weights in enumerate(names):
        for name, index in weights:
            arrays = [np.asarray(each[number]) for each in gradients]
            norms = [np.linalg.norm(array if index is None else array[index]) for array in arrays]
            found.append(GradientNorms(name, stage_of(name), np.array(norms)))
    return found


def weight_names(model: keras.Model) -> list[list[tuple[str, int | None]]]:
    """For each trainable variable its canonical names, with the slice of each in a loop's stack, else None."""
    names: dict[int, list] = {}
    for name, slot in slots(model).items():
        names.setdefault(id(slot.variable), []).append((name, slot.index))
    return [names[id(variable)] for variable in model.trainable_variables]


def by_stage(found: list[GradientNorms]) -> dict[str, np.ndarray]:
    """Norms ``[batches]`` of the gradient of each stage's weights together."""
    squares: dict[str, np.ndarray] = {}
    for each in found:
        squares[each.stage] = squares.get(each.stage, 0) + each.norms**2
    return {stage: np.sqrt(total) for stage, total in squares.items()}


def update_ratios(model: keras.Model, optimizer) -> dict[str, float]:
    """Norm of the last update over that of the weight, of each kernel by canonical name.

    Args:
        model: a network of this package; the one that ``optimizer`` trains, or what it trains wraps.
        optimizer: :class:`keras_resnet.training.SGD`, whose momentum is the update.
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


def flow(model: keras.Model, images, labels, normalization: str = "moving") -> dict[str, float]:
    """The mean norm, over images, of the gradient of the cross-entropy with respect to what each part gives.

    Where the norm stays the same from part to part, depth neither amplifies nor weakens gradients; the ratio of two
    norms is the factor of the parts between them.

    Args:
        model: a network of this package with its classifier, looped or not.
        images: preprocessed, ``[count, height, width, channels]``.
        labels: int ``[count]``.
        normalization: ``"moving"`` or ``"batch"``, see :class:`keras_resnet.analysis.Loss`.
    """
    parts, training = split(model), normalization == "batch"
    outputs, x = [], tf.constant(images, tf.float32)
    with tf.GradientTape() as tape:
        for part in parts:
            states = [v.value for v in part.model.non_trainable_variables]
            weights = [v.value for v in part.model.trainable_variables]
            x, _ = part.model.stateless_call(weights, states, x, training=training)
            tape.watch(x)
            outputs.append(x)
        losses = keras.losses.sparse_categorical_crossentropy(labels, x)
    gradients = tape.gradient(losses, outputs[:-1])
    sizes = [float(tf.reduce_mean(tf.norm(tf.reshape(g, [len(images), -1]), axis=1))) for g in gradients]
    return dict(zip([part.name for part in parts], sizes, strict=False))


def shattering(model: keras.Model, images, labels, distances, seed: int = 0) -> np.ndarray:
    """How alike the gradients of nearby inputs are (Balduzzi et al. 2017): a shattered one forgets its neighbour's.

    Args:
        model: a network with softmax probabilities.
        images: preprocessed, ``[count, height, width, channels]``.
        labels: int ``[count]``.
        distances: of the neighbour, as shares of each image's own norm, in a random direction.
        seed: draws the directions.

    Returns:
        ``[distances, images]``, the correlation of the cross-entropy's gradients with respect to both inputs.
    """
    images = tf.constant(images, tf.float32)

    @tf.function
    def gradient(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            losses = keras.losses.sparse_categorical_crossentropy(labels, model(inputs, training=False))
        flat = tf.reshape(tape.gradient(losses, inputs), [len(images), -1])
        return tf.math.l2_normalize(flat - tf.reduce_mean(flat, axis=1, keepdims=True), axis=1, epsilon=1e-30)

    def size(maps):
        return tf.norm(tf.reshape(maps, [len(images), 1, 1, -1]), axis=-1, keepdims=True)

    direction = tf.random.stateless_normal(images.shape, [seed, 0])
    direction *= size(images) / size(direction)
    here = gradient(images)
    return np.stack([tf.reduce_sum(here * gradient(images + r * direction), axis=1).numpy() for r in distances])


class GradientWatch(keras.callbacks.Callback):
    """During ``fit``, every ``every`` steps: gradient norms by stage and update/weight ratios on fixed images.

    Args:
        images, labels: what the gradients are of, as :class:`Loss` takes them.
        every: steps from one record to the next.
        network: the network that is trained; the model of ``fit`` itself if None.
        normalization, batch_size: of :class:`Loss`.

    Attributes:
        records: a dictionary a record: ``step``, ``norms`` (stage to ``[batches]``) and ``ratios`` (kernel to ratio).
    """

    def __init__(self, images, labels, every: int, network=None, normalization: str = "batch", batch_size: int = 32):
        super().__init__()
        self.images, self.labels, self.every = images, labels, every
        self.network, self.options = network, {"normalization": normalization, "batch_size": batch_size}
        self.records: list[dict] = []

    def on_train_begin(self, logs=None):
        self.step = 0
        self.network = self.network or getattr(self.model, "network", self.model)
        self.loss = Loss(self.network, self.images, self.labels, **self.options)

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step % self.every == 0:
            self.loss.take_weights()
            optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
            ratios = update_ratios(self.network, optimizer)
            self.records.append({"step": self.step, "norms": by_stage(gradient_norms(self.loss)), "ratios": ratios})
