"""Training a classifier as a run does it: what is trained, on what, how it is judged, and what is shown."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import keras

from keras_resnet import plots
from keras_resnet.data import Shard
from keras_resnet.evaluation import evaluate, recalibrate_batch_norm
from keras_resnet.models import build
from keras_resnet.network import Network
from keras_resnet.training import tensorboard
from keras_resnet.training.model import TrainingModel, synchronize_batch_norm
from keras_resnet.training.optimizer import SGD
from keras_resnet.training.schedules import WARM_UP_DEPTH
from keras_resnet.training.strategy import distribute
from keras_resnet.weights.preprocessing import Preprocessing

# Images that statistics are recalibrated on: a tenth of an epoch, up to fifty of the paper's batches, and not fewer
# batches than a moving average of momentum 0.9 amounts to, (1 + 0.9) / (1 - 0.9).
SHARE, MOST_IMAGES, FEWEST_BATCHES = 0.1, 12_800, 19


@dataclass(frozen=True)
class Experiment:
    """What a recipe adds to its settings.

    Fields:
        classes: class names.
        train, validation, test: splits with a ``name`` and a length; the last two may be None. Without ``validation``
            no network is judged or chosen: the last one is the run's.
        preprocessing: what the network's inputs went through.
        train_batches: (start step, shard) to an endless data set of (images, labels).
        test_batches: (split, shard) to one pass of (images, labels).
        reference_batch: the batch size ``settings.base_lr`` is meant for.
        milestones: where the rate falls under the schedule ``"steps"``, as fractions of the whole length.
        warm_up_epochs: epochs over which the rate rises linearly, at most a tenth of the run.
        averaged: keep a moving average of the weights, which is evaluated and saved.
        network: makes the network; None builds the settings' model.
        rates: of the stages, as :class:`SGD` takes them.
        warm_up: start at a tenth of the rate (Sec. 4.2); None: CIFAR networks with shortcuts from depth 110 on.
    """

    columns: ClassVar = ("loss", "error", "top5_error")

    classes: tuple[str, ...]
    train: object
    validation: object | None
    test: object | None
    preprocessing: Preprocessing
    train_batches: Callable
    test_batches: Callable
    reference_batch: int
    milestones: tuple[float, ...]
    warm_up_epochs: float = 0.0
    averaged: bool = False
    network: Callable[[], Network] | None = None
    rates: dict[str, tuple[float, int]] | None = None
    warm_up: bool | None = None

    def model(self, settings, strategy, total_steps: int) -> TrainingModel:
        """The compiled model, in the strategy's scope."""
        averaging = {"use_ema": True, "ema_momentum": ema_momentum(total_steps)} if self.averaged else {}
        network = self.network() if self.network else self._new_network(settings)
        network.preprocessing = self.preprocessing
        network.class_names = tuple(self.classes)
        if settings.sync_bn and strategy.num_replicas_in_sync > 1:
            synchronize_batch_norm(network)
        model = TrainingModel(network, settings.accumulate, timed=not settings.deterministic)
        model.compile(SGD(settings.base_lr, l2=settings.weight_decay, rates=self.rates, **averaging))
        return model

    def _new_network(self, settings) -> Network:
        size = settings.image_size
        return build(settings.spec(), input_shape=(size, size, 3), classes=len(self.classes))

    def epoch_steps(self, settings) -> int:
        """Steps from one validation to the next: an epoch.

        In a run whose length is given in steps they train at least as many images as a validation has.
        """
        images = max(len(self.train), len(self.validation or ()) if settings.steps else 0)
        return max(1, round(images / settings.batch_size))

    def starts_slowly(self, model) -> bool:
        """Whether the network needs the warm-up of Sec. 4.2."""
        spec = model.network.spec
        if self.warm_up is not None:
            return self.warm_up
        return spec.residual and spec.stem == "cifar" and spec.depth >= WARM_UP_DEPTH

    def describe(self, model, state) -> None:
        """Write the graph and the first augmented inputs for TensorBoard."""
        tensorboard.graph(model)
        batch = next(iter(self.train_batches(state.step + state.skipped, Shard()).take(1)))
        tensorboard.inputs(model, batch, self.classes, state.step)

    def validator(self, strategy) -> Callable:
        """A function of (model, whether to stop) to loss and errors; its values count only if it was not stopped."""
        batches = distribute(strategy, lambda shard: self.test_batches(self.validation, shard))

        def validate(model, stopping):
            def look():
                model.stop_evaluating = stopping()

            stop = keras.callbacks.LambdaCallback(on_test_batch_end=lambda batch, logs: look())
            model.mistakes.reset()
            values = model.evaluate(batches, verbose=0, return_dict=True, callbacks=[stop])
            model.reset_metrics()
            return values

        return validate

    def judged(self, values: dict[str, float]) -> float:
        """What validation is to bring down: the error, in percent."""
        return values["error"]

    def summary(self, values: dict[str, float]) -> str:
        """A validation in a few words."""
        return f"val_error {values['error']:.2f} %"

    def pictures(self, model, step: int) -> None:
        """What TensorBoard shows of a validation: its worst mistakes."""
        tensorboard.mistakes(model, self.classes, step)

    def recalibrate(self, model, settings, state, stopping=lambda: False) -> None:
        """Give normalization the statistics of the weights as they are, on the next of the training images.

        Not on more than there are, or than were trained on; it ends early when ``stopping``.
        """
        strategy = model.distribute_strategy
        share = int(min(SHARE * len(self.train), MOST_IMAGES)) // settings.batch_size
        batches = max(1, min(max(share, FEWEST_BATCHES), len(self.train) // settings.batch_size, state.step))
        start = state.step + state.skipped
        images = distribute(strategy, lambda shard: self.train_batches(start, shard).take(batches))
        recalibrate_batch_norm(model.network, itertools.takewhile(lambda _: not stopping(), images), strategy)

    def result(self, model, settings, state) -> dict:
        """Evaluate the network, as each validation does."""
        strategy = model.distribute_strategy
        result = {}
        for key, split in (("val", self.validation), ("test", self.test)):
            scores = {}
            if split:
                data = distribute(strategy, lambda shard, split=split: self.test_batches(split, shard))
                scores = evaluate(model, data, len(self.classes), f"the {len(split):,} images of {split.name}")
            result[f"{key}_error"] = scores.get("error")
            if "top5_error" in scores:
                result[f"{key}_top5_error"] = scores["top5_error"]
            result[f"{key}_examples"] = len(split) if split else None
            result[f"{key}_split"] = split.name if split else None
        return result | {"best_val_error": state.best_error if self.validation else None}

    def report(self, result: dict) -> list[str]:
        """The result in words, a line each."""
        lines = [
            f"{name} error {result[f'{key}_error']:.2f} % ({result[f'{key}_examples']:,} images: "
            f"{result[f'{key}_split']})"
            for key, name in (("val", "validation"), ("test", "test"))
            if result[f"{key}_error"] is not None
        ]
        if self.validation:
            lines[0] += f", of best.keras {result['best_val_error']:.2f} %"
        return lines

    def draw(self, name: str, rows: list[dict], path) -> None:
        """The run's curves as a picture."""
        plots.error_curves({name: rows}, path)


def ema_momentum(total_steps: int) -> float:
    """Of the moving average of the weights: over about a fiftieth of the run, at most 10,000 steps."""
    return 1 - 1 / min(10_000, max(10, total_steps / 50))
