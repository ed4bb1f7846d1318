"""One training run from resolved settings to ``result.json``."""

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from keras_resnet import plots
from keras_resnet.evaluation import ErrorRate, TopKErrorRate, evaluate
from keras_resnet.models import build, change_spec
from keras_resnet.specs import find_spec
from keras_resnet.training.callbacks import Checkpoints, ConsoleLine, Curves, LearningRate, State
from keras_resnet.training.optimizer import SGD
from keras_resnet.training.results import provenance
from keras_resnet.training.schedules import WARM_UP_DEPTH, step_schedule
from keras_resnet.training.settings import Settings, as_json, describe
from keras_resnet.training.strategy import choose_strategy
from keras_resnet.training.workdir import Workdir
from keras_resnet.weights.preprocessing import Preprocessing

TOP_K = 5


@dataclass(frozen=True)
class Experiment:
    """What a recipe adds to its settings.

    Fields:
        classes: class names.
        train, validation, test: splits with a ``name`` and a length; ``test`` may be None.
        preprocessing: what the network's inputs went through.
        train_batches: start step to an endless data set of (images, labels).
        test_batches: split to one pass of (images, labels).
        reference_batch: the batch size ``settings.base_lr`` is meant for.
        milestones: where the rate falls, as fractions of the whole length.
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


def run(settings: Settings, prepare: Callable[[Settings], Experiment]) -> dict:
    """Train, or continue, the run in ``settings.workdir``; writes and returns ``result.json``'s content.

    Args:
        settings: resolved settings, see :func:`resolve`.
        prepare: opens the data.

    Raises:
        InputError: settings, data or workdir that cannot be used.
    """
    start = time.perf_counter()
    origin = provenance()  # of the code that runs, not of what the tree holds when it ends
    print(f"settings: {describe(settings)}", flush=True)
    keras.config.set_dtype_policy(settings.precision)
    keras.utils.set_random_seed(settings.seed)
    spec = find_spec(settings.model)
    if settings.shortcut is not None:
        spec = change_spec(spec, shortcut=settings.shortcut)
    workdir = Workdir(settings.workdir, as_json(settings))
    experiment = prepare(settings)
    epoch_steps = max(1, round(len(experiment.train) / settings.batch_size))
    total_steps = settings.steps or max(1, round(settings.epochs * epoch_steps))
    schedule = step_schedule(
        settings.base_lr * settings.batch_size / experiment.reference_batch, total_steps, experiment.milestones
    )
    with choose_strategy().scope():
        model = build(
            spec,
            input_shape=(settings.image_size, settings.image_size, 3),
            classes=len(experiment.classes),
        )
        model.preprocessing = experiment.preprocessing
        metrics = [ErrorRate()] + ([TopKErrorRate(TOP_K)] if len(experiment.classes) > 2 * TOP_K else [])
        model.compile(SGD(schedule(0)), "sparse_categorical_crossentropy", metrics=metrics)
    warm_up = spec.residual and spec.stem == "cifar" and spec.depth >= WARM_UP_DEPTH
    state = State(**(workdir.restore(model) or {"warm_up_end": None if warm_up else 0}))
    if state.step:
        print(f"continuing at step {state.step} of {total_steps} in {workdir.path}", flush=True)
    curves = _train(model, experiment, settings, workdir, state, schedule, total_steps, epoch_steps, start)
    result = _result(model, experiment, settings, state, curves, total_steps) | origin
    workdir.save_model("last.keras", model)
    workdir.write_json("result.json", result)
    plots.error_curves({settings.model: curves.rows}, workdir.path / "curves.png")
    _report(result, workdir)
    return result


def _train(model, experiment, settings, workdir, state, schedule, total_steps, epoch_steps, start) -> Curves:
    """Call ``fit`` for the whole epochs, then for the last part of one, if the length is not a whole number."""
    rate = LearningRate(schedule, state)
    curves = Curves(workdir.path, state, settings.batch_size, epoch_steps, rate)
    terminal = sys.stdout.isatty()
    epochs = math.ceil(total_steps / epoch_steps)
    callbacks = [rate, curves, Checkpoints(workdir, state)]
    callbacks += [] if terminal else [ConsoleLine(curves, epochs, start)]
    validation = experiment.test_batches(experiment.validation)
    for last_epoch, steps in ((total_steps // epoch_steps, epoch_steps), (epochs, total_steps % epoch_steps)):
        first_epoch = math.ceil(state.step / epoch_steps)
        if first_epoch < last_epoch and steps:
            model.fit(
                experiment.train_batches(state.step),
                initial_epoch=first_epoch,
                epochs=last_epoch,
                steps_per_epoch=steps,
                validation_data=validation,
                callbacks=callbacks,
                shuffle=False,
                verbose=1 if terminal else 0,
            )
    return curves


def _result(model, experiment, settings, state, curves, total_steps) -> dict:
    result = {"model": settings.model, "steps": total_steps, "seed": settings.seed}
    for key, split in (("val", experiment.validation), ("test", experiment.test)):
        scores = evaluate(model, experiment.test_batches(split), len(experiment.classes)) if split else {}
        result[f"{key}_error"] = scores.get("error")
        if "top5_error" in scores:
            result[f"{key}_top5_error"] = scores["top5_error"]
        result[f"{key}_examples"] = len(split) if split else None
        result[f"{key}_split"] = split.name if split else None
    rates = [row["images_per_second"] for row in curves.rows if row["split"] == "train"]
    result["images_per_second"] = float(np.median(rates)) if rates else None
    result["seconds"] = state.seconds
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
