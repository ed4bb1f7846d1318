"""One training run from resolved settings to ``result.json``."""

import contextlib
import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf

from keras_resnet import processor
from keras_resnet.backends import needs_tensorflow
from keras_resnet.errors import InputError
from keras_resnet.training.callbacks import (
    Diverged,
    LearningRate,
    LostPhotos,
    Saves,
    Validation,
    Windows,
    check_photos,
    rate_of,
)
from keras_resnet.training.context import RunContext
from keras_resnet.training.display import tensorboard
from keras_resnet.training.display.console import Console, speed
from keras_resnet.training.display.error_curves import Curves
from keras_resnet.training.display.tracking import UNTRACKED, open_tracking
from keras_resnet.training.files.agreement import LENGTHS, differing
from keras_resnet.training.files.run_result import provenance
from keras_resnet.training.files.workdir import BEST, CURVES, LAST, RESULT, Workdir, read_result
from keras_resnet.training.final_weights import finalize
from keras_resnet.training.settings import RunSettings, as_json, describe
from keras_resnet.training.signals import StopSignals
from keras_resnet.training.state import Calendar, State
from keras_resnet.training.stepping.schedules import schedule
from keras_resnet.training.stepping.step import Step
from keras_resnet.training.strategy import check_batch, choose_strategy, distribute
from keras_resnet.training.task import Model, Task
from keras_resnet.training.workers import agree, is_chief, together

Chosen = TypeVar("Chosen", bound=RunSettings)
MAX_ROLLBACKS = 3
MAX_WARM_UP = 0.1  # of a run


def run(
    settings: Chosen,
    prepare: Callable[[Chosen], Task[Model]],
    growing: tuple[str, ...] = LENGTHS,
    patience: int | None = None,
) -> dict[str, Any]:
    """Train, or continue, the run in ``settings.workdir``; write ``result.json`` and return its content.

    Args:
        settings: resolved settings, see :func:`resolve`.
        prepare: opens the data and returns the task for the settings.
        growing: settings that may be larger than those of the run in the folder, to lengthen it.
        patience: end after so many epochs without a lower validation error, and with the network of the lowest; None
            trains to the end and keeps the last network.

    Raises:
        InputError: the settings, data or workdir cannot be used, or Keras does not run on TensorFlow.
        Stopped: a signal came; the run continues from a checkpoint of the last step.
    """
    needs_tensorflow("Training in a folder", "tf.distribute")
    origin = provenance()  # now, because the checkout may change while the run goes on
    strategy = choose_strategy()
    chief, everywhere = is_chief(strategy), functools.partial(together, strategy)
    if chief:
        print(f"settings: {describe(settings)}", flush=True)
        advice = processor.advice_on(settings.precision)
        if advice and not tf.config.list_physical_devices("GPU"):
            print(advice, flush=True)
    settings.check()
    check_batch(strategy, settings.batch_size, settings.accumulate)
    keras.config.set_dtype_policy(settings.precision)
    keras.utils.set_random_seed(settings.seed)
    if settings.deterministic:
        tf.config.experimental.enable_op_determinism()
    plain, defaults = as_json(settings), as_json(type(settings)())
    with contextlib.ExitStack() as ending:
        workdir = Workdir(settings.workdir, plain, defaults, growing, chief, everywhere)
        ending.callback(workdir.close)
        task = everywhere(lambda: prepare(settings))
        epoch_steps = task.epoch_steps()
        total_steps = settings.steps or max(1, round((settings.epochs or 0) * epoch_steps))
        calendar = Calendar(epoch_steps, total_steps, settings.save_every, settings.keep_every)
        with strategy.scope():
            model = task.build_model(strategy, total_steps)
        restored = workdir.restore(model)
        state, metric_values = restored or (State(warm_up_end=None if task.needs_warm_up(model) else 0), {})
        tracking = everywhere(lambda: open_tracking(settings.track, workdir, plain) if chief else UNTRACKED)
        ending.callback(tracking.close)
        if task.validation is None and not state.step:  # an earlier version may have begun such a run
            _check_unvalidated(settings, patience, task.train.name)
        context = RunContext(settings, task, workdir, calendar, state, strategy, tracking, patience)
        curves = _train(model, context, metric_values)
        result = _result(model, context, curves.rows) | origin
        workdir.save_model(LAST, model.saved())
        workdir.write_json(RESULT, result)
        tracking.end(result)
        workdir.write(CURVES, lambda path: task.reporter.draw_curves(settings.model, curves.rows, path))
        if chief:
            with curves.events("validation"):
                tensorboard.settings(as_json(settings), result)
                task.reporter.end(model, result["steps"], workdir)
            _report(task.reporter.result_lines(result), result, workdir)
    return result


def _check_unvalidated(settings: RunSettings, patience: int | None, name: str) -> None:
    """Raise :class:`InputError` for what a run on ``name``, which has no validation data, would wait for in vain."""
    given = ["--schedule plateau"] if settings.schedule == "plateau" else []
    given += [f"--patience {patience}"] if patience is not None else []
    if given:
        raise InputError(f"{given[0]} needs validation data, and {name} comes without: leave it out.")


def finished_result(settings: RunSettings) -> dict[str, Any] | None:
    """The content of ``result.json`` if the run in ``settings.workdir`` has ended and has these settings; else None.

    A run of other settings is left to :func:`run`, which lengthens or refuses it.
    """
    result = read_result(settings.workdir)
    if result is None or differing(result["settings"], as_json(settings), as_json(type(settings)())):
        return None
    return result


def _train(model: Step, context: RunContext, metric_values: dict[str, np.ndarray]) -> Curves:
    """Call ``fit`` until the run is finished, going back to the last checkpoint whenever the loss diverges.

    ``metric_values`` are those of the checkpoint that ``model`` was restored from.
    """
    settings, workdir, calendar, state = context.settings, context.workdir, context.calendar, context.state
    agree(context.strategy, state.step, "the checkpoint they found")
    rates = _rates(context, calendar.total_steps)
    _announce(context, rates)
    curves = workdir.together(lambda: _begin_curves(model, context))
    rate = LearningRate(rates, state)
    rollbacks, diverged_at = 0, -1
    with StopSignals() as signals:
        validation = Validation(context, curves, signals)
        saves = Saves(context, signals, metric_values)
        callbacks: list[keras.callbacks.Callback] = [
            rate,
            Windows(context, curves, rate),
            LostPhotos(context),
            validation,
            saves,
        ]
        if settings.profile and workdir.chief:
            callbacks.append(tensorboard.Profile(workdir.path / "train", *settings.profile))
        for callback in callbacks:
            callback.set_model(model)
        if state.step == 0:  # a divergence in the first steps goes back to this checkpoint
            saves.save()
        while not context.finished:
            try:
                if validation.catch_up():
                    saves.save()  # with what this validation changed, as if it had not been cut short
                if state.step < calendar.total_steps and not state.finished:
                    _fit(model, context, callbacks)
            except Diverged as divergence:
                rollbacks = rollbacks + 1 if divergence.step <= diverged_at or diverged_at < 0 else 1
                diverged_at = max(diverged_at, divergence.detected_at)
                saves.metric_values = _go_back(model, context, divergence, rollbacks)
                workdir.together(curves.go_back)
    if context.patience is not None:
        workdir.together(lambda: _return_to_best(model, context))
    elif validation.final is not None:
        for variable, value in zip(model.variables, validation.final, strict=True):
            variable.assign(value)
    else:  # an earlier process had validated the last step already
        finalize(model, lambda: context.task.recalibrate(model, state))
    return curves


def _announce(context: RunContext, rates: Callable[[int, int], float]) -> None:
    """Say where the run begins and how long it is; raise :class:`InputError` if that is past its end."""
    workdir, calendar, state = context.workdir, context.calendar, context.state
    if state.step and workdir.chief:
        print(f"continuing at step {state.step} of {calendar.total_steps} in {workdir.path}", flush=True)
    if state.step > calendar.total_steps:
        raise InputError(
            f"{workdir.path} is at step {state.step}, past the end of its {calendar.total_steps} steps, because it now "
            "has fewer images: give the earlier data, or another --workdir."
        )
    if workdir.grown and state.finished:
        ended = f"{workdir.path} ended at step {state.step} for want of progress"
        print(f"{ended}: a larger length adds nothing", flush=True)
    elif workdir.grown:
        before = int(workdir.grown.get("steps") or max(1, round(workdir.grown["epochs"] * calendar.epoch_steps)))
        old = rate_of(_rates(context, before), replace(state, step=max(0, state.step - 1)))
        print(
            f"lengthened from {before} to {calendar.total_steps} steps: the rate goes on as in a run of that length, "
            f"at {rate_of(rates, state):.4g}; its last was {old:.4g}",
            flush=True,
        )
    if workdir.chief:
        size = context.settings.batch_size
        print(f"{calendar.total_steps} steps of {size} images; the first takes longer", flush=True)


def _return_to_best(model: Step, context: RunContext) -> None:
    """Give ``model`` the weights of the validation with the lowest error, and say which that was."""
    state, calendar, path = context.state, context.calendar, context.workdir.path / BEST
    try:
        best = keras.models.load_model(path)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}, with which --patience ends, cannot be read ({error!s:.200}): start again in another --workdir."
        ) from error
    model.saved().set_weights(best.get_weights())
    if context.workdir.chief:
        epoch, last = (calendar.epochs_since(0, step) for step in (state.best_step, state.step))
        early = state.step < calendar.total_steps
        why = f"stopped after {last - epoch} epochs without a lower validation error: " if early else ""
        print(f"{why}the network is that of epoch {epoch} (step {state.best_step}), with the lowest", flush=True)


def _rates(context: RunContext, total_steps: int) -> Callable[[int, int], float]:
    """The learning rates of a run of ``total_steps``."""
    settings, task = context.settings, context.task
    return schedule(
        settings.schedule or "steps",
        settings.base_lr * settings.batch_size / task.reference_batch,
        total_steps,
        task.milestones,
        round(min(task.warm_up_epochs * context.calendar.epoch_steps, MAX_WARM_UP * total_steps)),
    )


def _begin_curves(model: Step, context: RunContext) -> Curves:
    curves = Curves(context, Console())
    if context.workdir.chief and not context.finished:
        with curves.events("train"):
            context.task.reporter.begin(model, context.state)
    return curves


def _fit(model: Step, context: RunContext, callbacks: list[keras.callbacks.Callback]) -> None:
    """One call of ``fit`` for all remaining steps, a single epoch to Keras: the callbacks know the run's epochs."""
    first = context.state.step + context.state.skipped
    model.fit(
        distribute(context.strategy, lambda shard: context.task.train_batches(first, shard)),
        steps_per_epoch=context.calendar.total_steps - context.state.step,
        callbacks=callbacks,
        shuffle=False,
        verbose=0,
    )


def _go_back(model: Step, context: RunContext, divergence: Diverged, rollbacks: int) -> dict[str, np.ndarray]:
    """Restore the last checkpoint, and leave out the batches from there to the step where divergence was noticed.

    Returns the values of the metrics at the checkpoint.
    """
    workdir, state, batch_size = context.workdir, context.state, context.settings.batch_size
    batch = divergence.step + state.skipped
    problem = (
        f"The loss or gradient of step {divergence.step + 1} is not finite (batch {batch} of the run's order, examples "
        f"{batch * batch_size:,} to {(batch + 1) * batch_size - 1:,})"
    )
    if rollbacks == MAX_ROLLBACKS:
        raise InputError(
            f"{problem}, and this has happened {MAX_ROLLBACKS - 1} times before with other batches: start again with a "
            "lower --base-lr and another --workdir."
        )
    restored = workdir.restore(model)
    if restored is None:
        raise InputError(
            f"{problem}, and {workdir.path} has no checkpoint left to go back to: start again with the same command."
        )
    good, metric_values = restored
    skipped = state.skipped + divergence.detected_at - good.step
    if workdir.chief:
        left_out = divergence.detected_at - good.step
        print(f"{problem}: back to step {good.step}, leaving out {left_out} batches", flush=True)
    vars(state).update(vars(good) | {"skipped": skipped})
    return metric_values


def _result(model: Step, context: RunContext, rows: list[dict]) -> dict[str, Any]:
    settings, task, state = context.settings, context.task, context.state
    result = {"model": settings.model, "steps": state.step, "seed": settings.seed}
    result |= task.evaluate(model, state)
    check_photos(context)
    rates = [row["images_per_second"] for row in rows if row["split"] == "train"]
    result["images_per_second"] = float(np.median(rates)) if rates else None
    result["seconds"], result["best_step"] = state.seconds, state.best_step if task.validation else None
    result["skipped_batches"] = state.skipped
    result["devices"] = context.strategy.num_replicas_in_sync
    result["train_examples"], result["train_split"] = len(task.train), task.train.name
    result["settings"] = as_json(settings)
    return result


def _report(lines: list[str], result: dict[str, Any], workdir: Workdir) -> None:
    for line in lines:
        print(line)
    rate = f"{speed(result['images_per_second'])}, " if result["images_per_second"] else ""
    print(f"{rate}{result['seconds']:.0f} s; results, curves.png and models in {workdir.path}")
    print(f"curves: tensorboard --logdir {workdir.path.parent}", flush=True)
