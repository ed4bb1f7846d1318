"""One training run from resolved settings to ``result.json``."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from keras_resnet import plots
from keras_resnet.data import Shard
from keras_resnet.errors import InputError
from keras_resnet.evaluation import evaluate, recalibrate_batch_norm
from keras_resnet.models import build, change_spec
from keras_resnet.network import Network
from keras_resnet.specs import find_spec
from keras_resnet.training import tensorboard
from keras_resnet.training.callbacks import Diverged, LearningRate, Saves, Validation, Windows
from keras_resnet.training.console import Console
from keras_resnet.training.curves import Curves
from keras_resnet.training.model import TrainingModel, synchronize_batch_norm
from keras_resnet.training.optimizer import SGD
from keras_resnet.training.results import provenance
from keras_resnet.training.schedules import WARM_UP_DEPTH, schedule
from keras_resnet.training.settings import Settings, as_json, describe
from keras_resnet.training.signals import StopSignals
from keras_resnet.training.state import Calendar, State
from keras_resnet.training.strategy import agree, check_batch, choose_strategy, distribute, is_chief
from keras_resnet.training.workdir import Workdir
from keras_resnet.weights.preprocessing import Preprocessing

MOST_ROLLBACKS = 3
RECALIBRATION_IMAGES = 12_800  # fifty of the paper's batches
LONGEST_WARM_UP = 0.1  # of a run


@dataclass(frozen=True)
class Experiment:
    """What a recipe adds to its settings.

    Fields:
        classes: class names.
        train, validation, test: splits with a ``name`` and a length; ``test`` may be None.
        preprocessing: what the network's inputs went through.
        train_batches: (start step, shard) to an endless data set of (images, labels).
        test_batches: (split, shard) to one pass of (images, labels).
        reference_batch: the batch size ``settings.base_lr`` is meant for.
        milestones: where the rate falls under the schedule ``"steps"``, as fractions of the whole length.
        warm_up_epochs: epochs over which the rate rises linearly, at most a tenth of the run.
        averaged: keep a moving average of the weights, which is evaluated and saved.
        network: makes the network; None builds the settings' model.
        rates: of the stages, as :class:`SGD` takes them.
    """

    classes: tuple[str, ...]
    train: object
    validation: object
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


def run(settings: Settings, prepare: Callable[[Settings], Experiment]) -> dict:
    """Train, or continue, the run in ``settings.workdir``; writes and returns ``result.json``'s content.

    Args:
        settings: resolved settings, see :func:`resolve`.
        prepare: opens the data.

    Raises:
        InputError: settings, data or workdir that cannot be used.
        Stopped: a signal came; the run continues from a checkpoint of the last step.
    """
    origin = provenance()  # of the code that trains, whatever the checkout becomes meanwhile
    strategy = choose_strategy()
    chief = is_chief(strategy)
    if chief:
        print(f"settings: {describe(settings)}", flush=True)
    check_batch(strategy, settings.batch_size)
    keras.config.set_dtype_policy(settings.precision)
    keras.utils.set_random_seed(settings.seed)
    if settings.deterministic:
        tf.config.experimental.enable_op_determinism()
    with contextlib.closing(Workdir(settings.workdir, as_json(settings), chief)) as workdir:
        experiment = prepare(settings)
        epoch_steps = max(1, round(len(experiment.train) / settings.batch_size))
        total_steps = settings.steps or max(1, round(settings.epochs * epoch_steps))
        calendar = Calendar(epoch_steps, total_steps, settings.save_every)
        model = _model(strategy, settings, experiment, total_steps)
        curves = _train(model, experiment, settings, workdir, calendar)
        result = _result(model, experiment, settings, curves) | origin
        workdir.save_model("last.keras", model.network)
        workdir.write_json("result.json", result)
        if chief:
            plots.error_curves({settings.model: curves.rows}, workdir.path / "curves.png")
            with curves.writers["validation"].as_default():
                tensorboard.settings(as_json(settings), result)
            _report(result, workdir)
    return result


def _model(strategy, settings, experiment, total_steps) -> TrainingModel:
    averaging = {"use_ema": True, "ema_momentum": ema_momentum(total_steps)} if experiment.averaged else {}
    with strategy.scope():
        network = experiment.network() if experiment.network else _new_network(settings, len(experiment.classes))
        network.preprocessing = experiment.preprocessing
        network.class_names = tuple(experiment.classes)
        if settings.sync_bn and strategy.num_replicas_in_sync > 1:
            synchronize_batch_norm(network)
        model = TrainingModel(network, settings.accumulate, timed=not settings.deterministic)
        model.compile(SGD(settings.base_lr, rates=experiment.rates, **averaging))
    return model


def _new_network(settings, classes: int) -> Network:
    spec = find_spec(settings.model)
    if settings.shortcut is not None:
        spec = change_spec(spec, shortcut=settings.shortcut)
    return build(spec, input_shape=(settings.image_size, settings.image_size, 3), classes=classes)


def ema_momentum(total_steps: int) -> float:
    """Of the moving average of the weights: over about a fiftieth of the run, at most 10,000 steps."""
    return 1 - 1 / min(10_000, max(10, total_steps / 50))


def _train(model, experiment, settings, workdir, calendar) -> Curves:
    """Call ``fit`` until the run is at its end, from the last checkpoint where there is one or the loss diverges."""
    strategy = model.distribute_strategy
    spec = model.network.spec
    warm_up = spec.residual and spec.stem == "cifar" and spec.depth >= WARM_UP_DEPTH
    state, running = workdir.restore(model) or (State(warm_up_end=None if warm_up else 0), {})
    agree(strategy, state.step, "the checkpoint they found")
    if state.step and workdir.chief:
        print(f"continuing at step {state.step} of {calendar.total_steps} in {workdir.path}", flush=True)
    rate = LearningRate(
        schedule(
            settings.schedule or "steps",
            settings.base_lr * settings.batch_size / experiment.reference_batch,
            calendar.total_steps,
            experiment.milestones,
            round(min(experiment.warm_up_epochs * calendar.epoch_steps, LONGEST_WARM_UP * calendar.total_steps)),
        ),
        state,
    )
    curves = Curves(workdir, state, calendar, settings.batch_size, experiment.classes, Console())
    if workdir.chief:
        _describe(model, experiment, settings, curves, state)
    rollbacks, diverged_at = 0, -1
    with StopSignals() as signals:
        batches = distribute(strategy, lambda shard: experiment.test_batches(experiment.validation, shard))
        validation = Validation(state, calendar, curves, workdir, batches, settings.schedule, signals)
        saves = Saves(state, calendar, workdir, signals)
        saves.running = running
        callbacks = [
            rate,
            Windows(state, calendar, curves, rate),
            validation,
            saves,
        ]
        if settings.profile and workdir.chief:
            callbacks.append(tensorboard.Profile(workdir.path / "train", *settings.profile))
        for callback in callbacks:
            callback.set_model(model)
        if state.step == 0:  # what a divergence in the first steps goes back to
            saves.save()
        while not (state.finished or (state.step == calendar.total_steps == state.validated)):
            try:
                validation.catch_up()
                if state.step < calendar.total_steps and not state.finished:
                    _fit(model, experiment, strategy, calendar, state, callbacks)
            except Diverged as divergence:
                rollbacks = rollbacks + 1 if divergence.step <= diverged_at or diverged_at < 0 else 1
                diverged_at = max(diverged_at, divergence.seen_at)
                saves.running = _go_back(model, workdir, state, divergence, rollbacks, settings.batch_size)
                curves.go_back()
    model.optimizer.finalize_variable_values(model.trainable_variables)  # averaged weights, if there are any
    model.equalize()
    return curves


def _fit(model, experiment, strategy, calendar, state, callbacks) -> None:
    """One call of ``fit`` for all steps to come, as one epoch of Keras': the callbacks know the run's own."""
    first = state.step + state.skipped
    model.fit(
        distribute(strategy, lambda shard: experiment.train_batches(first, shard)),
        steps_per_epoch=calendar.total_steps - state.step,
        callbacks=callbacks,
        shuffle=False,
        verbose=0,
    )


def _go_back(model, workdir, state, divergence, rollbacks, batch_size) -> dict:
    """Take up the last checkpoint, leaving out the batches from there to where the loss was seen not to be finite.

    Returns the metrics of the window the checkpoint is in.
    """
    batch = divergence.step + state.skipped
    what = (
        f"The loss or gradient of step {divergence.step + 1} is not finite (batch {batch} of the run's order, examples "
        f"{batch * batch_size:,} to {(batch + 1) * batch_size - 1:,})"
    )
    if rollbacks == MOST_ROLLBACKS:
        raise InputError(
            f"{what}, and so it was {MOST_ROLLBACKS - 1} times before with other batches: start again with a lower "
            "--base-lr and another --workdir."
        )
    good, running = workdir.restore(model)
    skipped = state.skipped + divergence.seen_at - good.step
    if workdir.chief:
        print(f"{what}: back to step {good.step}, leaving out {divergence.seen_at - good.step} batches", flush=True)
    vars(state).update(vars(good) | {"skipped": skipped})
    return running


def _describe(model, experiment, settings, curves, state) -> None:
    """Write the graph and the first augmented inputs for TensorBoard."""
    batch = next(iter(experiment.train_batches(state.step + state.skipped, Shard()).take(1)))
    with curves.writers["train"].as_default():
        tensorboard.graph(model)
        tensorboard.inputs(model, batch, experiment.classes, state.step)


def _result(model, experiment, settings, curves) -> dict:
    """Recalibrate normalization and evaluate."""
    strategy, state = model.distribute_strategy, curves.state
    result = {"model": settings.model, "steps": state.step, "seed": settings.seed}
    batches = max(1, min(RECALIBRATION_IMAGES, len(experiment.train)) // settings.batch_size)
    recalibrate_batch_norm(
        model.network,
        distribute(strategy, lambda shard: experiment.train_batches(state.step + state.skipped, shard).take(batches)),
        strategy,
    )
    for key, split in (("val", experiment.validation), ("test", experiment.test)):
        scores = {}
        if split:
            data = distribute(strategy, lambda shard, split=split: experiment.test_batches(split, shard))
            scores = evaluate(model, data, len(experiment.classes))
        result[f"{key}_error"] = scores.get("error")
        if "top5_error" in scores:
            result[f"{key}_top5_error"] = scores["top5_error"]
        result[f"{key}_examples"] = len(split) if split else None
        result[f"{key}_split"] = split.name if split else None
    rates = [row["images_per_second"] for row in curves.rows if row["split"] == "train"]
    result["images_per_second"] = float(np.median(rates)) if rates else None
    result["seconds"] = state.seconds
    result["skipped_batches"] = state.skipped
    result["devices"] = strategy.num_replicas_in_sync
    result["train_examples"], result["train_split"] = len(experiment.train), experiment.train.name
    result["settings"] = as_json(settings)
    return result


def _report(result: dict, workdir: Workdir) -> None:
    for key, name in (("val", "validation"), ("test", "test")):
        if result[f"{key}_error"] is not None:
            examples = f"{result[f'{key}_examples']:,} images: {result[f'{key}_split']}"
            print(f"{name} error {result[f'{key}_error']:.2f} % ({examples})")
    speed = f"{result['images_per_second']:.0f} images/s, " if result["images_per_second"] else ""
    print(f"{speed}{result['seconds']:.0f} s; results, curves.png and models in {workdir.path}")
    print(f"curves: tensorboard --logdir {workdir.path.parent}", flush=True)
