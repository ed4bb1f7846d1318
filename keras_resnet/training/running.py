"""One training run from resolved settings to ``result.json``."""

import contextlib
import functools
from collections.abc import Callable
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf

from keras_resnet import processor
from keras_resnet.errors import InputError
from keras_resnet.training.callbacks import Diverged, LearningRate, LostPhotos, Saves, Validation, Windows
from keras_resnet.training.display import tensorboard
from keras_resnet.training.display.console import Console, speed
from keras_resnet.training.display.error_curves import Curves
from keras_resnet.training.files.run_result import provenance
from keras_resnet.training.files.workdir import CURVES, LAST, RESULT, Workdir
from keras_resnet.training.judging import settle
from keras_resnet.training.settings import RunSettings, as_json, describe
from keras_resnet.training.signals import StopSignals
from keras_resnet.training.state import Calendar, State
from keras_resnet.training.stepping.schedules import schedule
from keras_resnet.training.stepping.step import Step
from keras_resnet.training.strategy import check_batch, choose_strategy, distribute
from keras_resnet.training.task import Model, Task
from keras_resnet.training.workers import agree, is_chief, together

Chosen = TypeVar("Chosen", bound=RunSettings)
LENGTHS = ("steps", "epochs")
MOST_ROLLBACKS = 3
LONGEST_WARM_UP = 0.1  # of a run


def run(
    settings: Chosen, prepare: Callable[[Chosen], Task[Model]], growing: tuple[str, ...] = LENGTHS
) -> dict[str, Any]:
    """Train, or continue, the run in ``settings.workdir``; writes and returns ``result.json``'s content.

    Args:
        settings: resolved settings, see :func:`resolve`.
        prepare: from settings to the task; opens the data.
        growing: settings by which a run in the folder may be lengthened.

    Raises:
        InputError: settings, data or workdir that cannot be used.
        Stopped: a signal came; the run continues from a checkpoint of the last step.
    """
    origin = provenance()  # of the code that trains, whatever the checkout becomes meanwhile
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
    with contextlib.closing(Workdir(settings.workdir, plain, defaults, growing, chief, everywhere)) as workdir:
        task = everywhere(lambda: prepare(settings))
        epoch_steps = task.epoch_steps()
        total_steps = settings.steps or max(1, round((settings.epochs or 0) * epoch_steps))
        calendar = Calendar(epoch_steps, total_steps, settings.save_every, settings.keep_every)
        with strategy.scope():
            model = task.build_model(strategy, total_steps)
        curves = _train(model, task, settings, workdir, calendar)
        result = _result(model, task, settings, curves) | origin
        workdir.save_model(LAST, model.saved())
        workdir.write_json(RESULT, result)
        workdir.write(CURVES, lambda path: task.reporter.draw_curves(settings.model, curves.rows, path))
        if chief:
            with curves.writers["validation"].as_default():
                tensorboard.settings(as_json(settings), result)
                task.reporter.end(model, result["steps"], workdir)
            _report(task.reporter.result_lines(result), result, workdir)
    return result


def _train(model: Step, task: Task, settings: RunSettings, workdir: Workdir, calendar: Calendar) -> Curves:
    """Call ``fit`` until the run is at its end, from the last checkpoint where there is one or the loss diverges."""
    strategy = model.distribute_strategy
    state, running = workdir.restore(model) or (State(warm_up_end=None if task.needs_warm_up(model) else 0), {})
    agree(strategy, state.step, "the checkpoint they found")
    if state.step and workdir.chief:
        print(f"continuing at step {state.step} of {calendar.total_steps} in {workdir.path}", flush=True)
    if state.step > calendar.total_steps:
        raise InputError(
            f"{workdir.path} is at step {state.step}, behind the end of its {calendar.total_steps} steps, since it has "
            "fewer images than before: give the data of before, or another --workdir."
        )
    rates = _rates(settings, task, calendar.epoch_steps, calendar.total_steps)
    if workdir.grown and not state.finished:
        before = int(workdir.grown.get("steps") or max(1, round(workdir.grown["epochs"] * calendar.epoch_steps)))
        old = _rates(settings, task, calendar.epoch_steps, before)(max(0, state.step - 1), state.drops)
        print(
            f"lengthened from {before} to {calendar.total_steps} steps: the rate goes on as in a run of that length, "
            f"at {rates(state.step, state.drops):.4g}; its last was {old:.4g}",
            flush=True,
        )
    rate = LearningRate(rates, state)
    if workdir.chief:
        print(f"{calendar.total_steps} steps of {settings.batch_size} images; the first takes longer", flush=True)
    curves = workdir.together(lambda: _begin_curves(model, task, settings, workdir, calendar, state))
    rollbacks, diverged_at = 0, -1
    with StopSignals() as signals:
        validation = Validation(
            state, calendar, curves, workdir, task, settings.schedule == "plateau", signals, strategy
        )
        saves = Saves(state, calendar, workdir, signals)
        saves.running = running
        callbacks: list[keras.callbacks.Callback] = [
            rate,
            Windows(state, calendar, curves, rate),
            LostPhotos((task.train, task.validation), state, calendar, workdir.together),
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
                    _fit(model, task, strategy, calendar, state, callbacks)
            except Diverged as divergence:
                rollbacks = rollbacks + 1 if divergence.step <= diverged_at or diverged_at < 0 else 1
                diverged_at = max(diverged_at, divergence.seen_at)
                saves.running = _go_back(model, workdir, state, divergence, rollbacks, settings.batch_size)
                workdir.together(curves.go_back)
    settle(model, lambda: task.recalibrate(model, state))
    return curves


def _rates(settings: RunSettings, task: Task, epoch_steps: int, total_steps: int) -> Callable[[int, int], float]:
    return schedule(
        settings.schedule or "steps",
        settings.base_lr * settings.batch_size / task.reference_batch,
        total_steps,
        task.milestones,
        round(min(task.warm_up_epochs * epoch_steps, LONGEST_WARM_UP * total_steps)),
    )


def _begin_curves(
    model: Step, task: Task, settings: RunSettings, workdir: Workdir, calendar: Calendar, state: State
) -> Curves:
    curves = Curves(workdir, state, calendar, settings.batch_size, task, Console())
    if workdir.chief:
        with curves.writers["train"].as_default():
            task.reporter.begin(model, state)
    return curves


def _fit(model: Step, task: Task, strategy, calendar: Calendar, state: State, callbacks: list) -> None:
    """One call of ``fit`` for all steps to come, as one epoch of Keras': the callbacks know the run's own."""
    first = state.step + state.skipped
    model.fit(
        distribute(strategy, lambda shard: task.train_batches(first, shard)),
        steps_per_epoch=calendar.total_steps - state.step,
        callbacks=callbacks,
        shuffle=False,
        verbose=0,
    )


def _go_back(
    model: Step, workdir: Workdir, state: State, divergence: Diverged, rollbacks: int, batch_size: int
) -> dict:
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
    found = workdir.restore(model)
    if found is None:
        raise InputError(
            f"{what}, and {workdir.path} has no checkpoint any more to go back to: start again with the same command."
        )
    good, running = found
    skipped = state.skipped + divergence.seen_at - good.step
    if workdir.chief:
        print(f"{what}: back to step {good.step}, leaving out {divergence.seen_at - good.step} batches", flush=True)
    vars(state).update(vars(good) | {"skipped": skipped})
    return running


def _result(model: Step, task: Task, settings: RunSettings, curves: Curves) -> dict:
    state = curves.state
    result = {"model": settings.model, "steps": state.step, "seed": settings.seed}
    result |= task.evaluate(model, state)
    rates = [row["images_per_second"] for row in curves.rows if row["split"] == "train"]
    result["images_per_second"] = float(np.median(rates)) if rates else None
    result["seconds"] = state.seconds
    result["skipped_batches"] = state.skipped
    result["devices"] = model.distribute_strategy.num_replicas_in_sync
    result["train_examples"], result["train_split"] = len(task.train), task.train.name
    result["settings"] = as_json(settings)
    return result


def _report(lines: list[str], result: dict, workdir: Workdir) -> None:
    for line in lines:
        print(line)
    rate = f"{speed(result['images_per_second'])}, " if result["images_per_second"] else ""
    print(f"{rate}{result['seconds']:.0f} s; results, curves.png and models in {workdir.path}")
    print(f"curves: tensorboard --logdir {workdir.path.parent}", flush=True)
