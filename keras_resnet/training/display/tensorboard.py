"""What a run writes for TensorBoard besides its curves: statistics of the stages, images, settings, graph, profile."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_resnet import drawing
from keras_resnet.structure import stage_of, weight_of
from keras_resnet.training.files.run_result import final_values
from keras_resnet.training.stepping.step import Step
from keras_resnet.training.stepping.training_model import TrainingModel
from keras_resnet.typing import Tensor
from keras_resnet.weights.named import slots

IMAGES = 16  # of a training batch


def health(model: Step, step: int) -> None:
    """Write, per stage, the gradient norm, the ratio of update to weight, and the moving statistics.

    These are the average absolute moving mean and the average deviation; a loop counts once, with all its blocks.
    """
    scalars = {}
    for stage, square in zip(model.stages, model.local(model.gradient_squares), strict=True):
        scalars[f"stages_gradient_norm/{stage}"] = float(np.sqrt(square))
    optimizer: Any = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    squares = {stage: np.zeros(2) for stage in model.stages}
    for variable, update in zip(model.trainable_variables, optimizer.momentums, strict=True):
        squares[stage_of(variable.path)] += [_square(update), _square(variable)]  # v in w <- w + v
    for stage, (update, weight) in squares.items():
        scalars[f"stages_update_over_weight/{stage}"] = float(np.sqrt(update / max(weight, 1e-30)))
    statistics: dict[str, list[float]] = {}
    for name, slot in slots(model.saved()).items():
        kind = weight_of(name)
        if kind in ("moving_mean", "moving_variance") and slot.index in (None, 0):
            value = slot.variable.numpy()
            size = np.abs(value).mean() if kind == "moving_mean" else np.sqrt(value).mean()
            tag = {"moving_mean": "stages_bn_mean", "moving_variance": "stages_bn_deviation"}[kind]
            statistics.setdefault(f"{tag}/{stage_of(name)}", []).append(float(size))
    scalars |= {tag: float(np.mean(values)) for tag, values in statistics.items()}
    for tag, value in scalars.items():
        tf.summary.scalar(tag, value, step)


def _square(variable) -> float:
    return 2 * float(
        tf.nn.l2_loss(tf.convert_to_tensor(variable.value))
    )  # on the variable's device, so nothing is copied


def inputs(model: TrainingModel, batch: tuple[Tensor, ...], classes: tuple[str, ...], step: int) -> None:
    """Write the first images of a training batch after augmentation, with the mean added back."""
    images, labels = (part.numpy()[:IMAGES] for part in batch[:2])
    labels = labels.argmax(axis=1) if labels.ndim == 2 else labels
    titles = [classes[label] for label in labels]
    tf.summary.image("inputs after augmentation", _grid(model, images, titles), step)


def mistakes(model: TrainingModel, classes: tuple[str, ...], step: int) -> None:
    """Write the wrongly classified images with the highest losses in the last validation."""
    images, labels, guesses, losses = model.mistakes.values(model.local)
    if len(images):
        triples = zip(labels, guesses, losses, strict=True)
        titles = [f"{classes[label]}, not {classes[guess]}\nloss {loss:.1f}" for label, guess, loss in triples]
        tf.summary.image("worst mistakes", _grid(model, images, titles), step)


def _grid(model, images, titles):
    images = model.network.preprocessing.undo(images)
    return drawing.photo_grid(np.clip(images, 0, 255).astype(np.uint8), titles)[None]


def settings(values: dict, result: dict) -> None:
    """Write the settings and the final errors, or other results, for the HParams page."""
    from tensorboard.plugins.hparams import api

    plain = {key: value for key, value in values.items() if isinstance(value, (bool, int, float, str))}
    plain.pop("workdir", None)
    api.hparams(plain)
    for key, value in final_values(result).items():
        tf.summary.scalar(f"final/{key}", value, result["steps"])


def graph(model: TrainingModel) -> None:
    """Write the network's graph."""
    traced = tf.function(lambda images: model.network(images), autograph=False).get_concrete_function(
        tf.TensorSpec([None, *model.input_shape[1:]], tf.float32)
    )
    tf.summary.graph(traced.graph)


class Profile(keras.callbacks.Callback):
    """Profiles steps ``first`` to ``last``, counted from the start of this process, into ``folder``."""

    def __init__(self, folder: Path, first: int, last: int):
        super().__init__()
        self.folder, self.first, self.last = str(folder), first, last
        self.active = False

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if batch == self.first:
            tf.profiler.experimental.start(self.folder)
            self.active = True

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if batch >= self.last:
            self.stop()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self.stop()

    def stop(self) -> None:
        """End the profile, if it is running."""
        if self.active:
            tf.profiler.experimental.stop()
            self.active = False
