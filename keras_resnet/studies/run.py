"""Running a study: each arm and seed is a run of its own, that can stop and continue; then the comparison."""

import functools
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import keras
import numpy as np

from keras_resnet import plots, training
from keras_resnet.bounds import Between, Count, Length, Pixels, Positive, check_fields
from keras_resnet.command_line import Folder
from keras_resnet.errors import one_of
from keras_resnet.files import write_whole
from keras_resnet.studies.report import report
from keras_resnet.studies.statistics import compare, mean_std
from keras_resnet.studies.study import MEASURES, Arm, Study
from keras_resnet.training.cifar import PAPER, CifarSettings, check_data, cifar_experiment
from keras_resnet.training.metrics_file import read_metrics
from keras_resnet.training.results import provenance
from keras_resnet.training.settings import Precision, as_json
from keras_resnet.training.workdir import differing

LAST = 0.1  # the part of the steps whose training errors are averaged
KEPT = ("val_error", "test_error", "seconds", "images_per_second", "skipped_batches", "command", "commit", "hardware")


@dataclass(frozen=True)
class StudySettings:
    """How long to train, and how often."""

    data: str = "cifar10"
    """The name of a TFDS data set, demo, or a folder with train/<class>/* and val/<class>/*."""
    data_dir: Path | None = None
    """Where TFDS data sets are prepared."""
    workdir: Folder | None = None
    """Where runs and result.json go; the same command continues there. Default: runs/studies/<study>."""
    scale: Annotated[float, Between(1e-6, 1_000)] = 1.0
    """Share of the paper's 64,000 steps; the rate falls at the same shares."""
    seeds: Annotated[int, Between(1, 10_000)] | None = None
    """How many runs of each arm; seeds 0, 1, ..."""
    arms: Annotated[tuple[str, ...], Length(1, 1_000)] | None = None
    """Only these arms; the others are reported as not run."""
    batch_size: Count = PAPER["batch_size"]
    """Images a step; the rate is scaled by it."""
    base_lr: Positive = PAPER["base_lr"]
    """Learning rate for a batch of 128."""
    train_images: Count | None = None
    """Train on so many of the training images, evenly spaced; default: all."""
    image_size: Pixels = PAPER["image_size"]
    """Side of the images; other sizes are resized to it: half of it takes a quarter of the time."""
    precision: Precision = "float32"
    """Number format of the layers."""

    def __post_init__(self):
        check_fields(self)

    def check(self) -> None:
        """Raise :class:`InputError` for settings that no run can have."""
        CifarSettings(batch_size=self.batch_size, train_images=self.train_images).check()

    @property
    def steps(self) -> int:
        """Steps of each run."""
        return max(1, round(self.scale * PAPER["steps"]))


def command_line(study: Study, description: str) -> None:
    """The program of a study."""
    training.command_line(functools.partial(run_study, study), StudySettings(seeds=study.seeds), description)


def run_study(study: Study, settings: StudySettings) -> dict:
    """Train what is not trained yet, compare, write ``result.json`` and the figures, and return the result."""
    settings = replace(
        settings, workdir=settings.workdir or Path("runs/studies") / study.name, seeds=settings.seeds or study.seeds
    )
    for name in settings.arms or ():
        one_of("--arms", name, [arm.name for arm in study.arms])
    chosen = [arm for arm in study.arms if not settings.arms or arm.name in settings.arms]
    check_data(settings)
    origin, seeds = provenance(), range(settings.seeds)
    found = {arm.name: {seed: _finished(_settings(arm, seed, settings)) for seed in seeds} for arm in study.arms}
    for seed in seeds:  # a study that is stopped has the same number of runs of each arm, but for one
        for arm in chosen:
            if found[arm.name][seed] is None:
                print(f"\n== {study.name}: {arm.name}, seed {seed}", flush=True)
                found[arm.name][seed] = _trained(_settings(arm, seed, settings))
                _write(settings.workdir / "result.json", _result(study, settings, _there(found)) | origin)
    runs = _there(found)
    result = _result(study, settings, runs) | origin
    _write(settings.workdir / "result.json", result)
    _draw(study, settings.workdir, runs, result)
    print("\n" + "\n".join(report(result)))
    print(f"\nresult.json, figure.png and curves.png in {settings.workdir}", flush=True)
    return result


def _there(found: dict[str, dict[int, dict | None]]) -> dict[str, list[dict]]:
    """The runs of each arm that has any, those of earlier calls too, in the order of their seeds."""
    runs = {name: [run for run in by_seed.values() if run is not None] for name, by_seed in found.items()}
    return {name: of_arm for name, of_arm in runs.items() if of_arm}


def _settings(arm: Arm, seed: int, settings: StudySettings) -> CifarSettings:
    """Of one run."""
    return CifarSettings(
        model=arm.model,
        change=arm.change or None,
        data=settings.data,
        data_dir=settings.data_dir,
        workdir=settings.workdir / f"{arm.name}-seed{seed}",
        batch_size=settings.batch_size,
        steps=settings.steps,
        image_size=settings.image_size,
        precision=settings.precision,
        train_images=settings.train_images,
        seed=seed,
        base_lr=settings.base_lr,
        **arm.settings,
    )


def _trained(wanted: CifarSettings) -> dict:
    keras.backend.clear_session()
    return _with_curves(wanted, training.run(wanted, cifar_experiment, growing=()))


def _finished(wanted: CifarSettings) -> dict | None:
    """The run of the same settings in its folder, if it is there and done."""
    path = wanted.workdir / "result.json"
    result = json.loads(path.read_text()) if path.exists() else None
    defaults = as_json(type(wanted)())
    same = result is not None and not differing(result["settings"], as_json(wanted), defaults)
    return _with_curves(wanted, result) if same else None  # other settings: the run itself refuses them, in words


def last_train_error(rows: list[dict], steps: int) -> float:
    """Mean error of the last tenth of ``steps``; a point counts by its steps, as an epoch ends in a short one."""
    points = [row for row in rows if row["split"] == "train"]
    lengths = np.diff([0, *(row["step"] for row in points)])
    errors, last = np.array([row["error"] for row in points]), [row["step"] > (1 - LAST) * steps for row in points]
    return float(np.average(errors[last], weights=lengths[last]))


def _with_curves(wanted: CifarSettings, result: dict) -> dict:
    rows = read_metrics(wanted.workdir / "metrics.csv")
    own = {"seed": wanted.seed, "train_error": last_train_error(rows, wanted.steps), "rows": rows}
    return own | {key: result[key] for key in KEPT}


def _result(study: Study, settings: StudySettings, runs: dict[str, list[dict]]) -> dict:
    arms = {}
    for arm in study.arms:
        found = runs.get(arm.name, [])
        arms[arm.name] = {"model": arm.model, "change": arm.change, "settings": arm.settings, "paper": arm.paper}
        arms[arm.name] |= _costs(arm, settings.image_size)
        arms[arm.name]["runs"] = [{k: v for k, v in run.items() if k != "rows"} for run in found]
        for measure in (*MEASURES, "test_error"):
            values = [run[measure] for run in found if run[measure] is not None]
            mean, std = mean_std(values) if values else (None, None)
            arms[arm.name][measure] = {"mean": mean, "std": std, "best": min(values, default=None)}
    done = [pair for pair in study.pairs if all(runs.get(name) for name in pair)]
    values = {name: [run[study.measure] for run in found] for name, found in runs.items()}
    comparisons = [{"first": a, "second": b} | compare(values[a], values[b], len(done)) for a, b in done]
    return {
        "study": study.name,
        "question": study.question,
        "measure": study.measure,
        "steps": settings.steps,
        "scale": settings.scale,
        "batch_size": settings.batch_size,
        "base_lr": settings.base_lr,
        "seeds": max((len(found) for found in runs.values()), default=0),
        "data": settings.data,
        "train_images": settings.train_images,
        "image_size": settings.image_size,
        "precision": settings.precision,
        "arms": arms,
        "comparisons": comparisons,
        "costed": {arm.name: _costs(arm) for arm in study.costed},
    }


@functools.cache
def _cost(model: str, change: tuple[str, ...], image_size: int | None) -> dict:
    return Arm("", model, change).cost(image_size)


def _costs(arm: Arm, image_size: int | None = None) -> dict:
    return dict(_cost(arm.model, arm.change, image_size))


def _write(path: Path, result: dict) -> None:
    write_whole(path, lambda part: part.write_text(json.dumps(result, indent=2) + "\n"))


def _draw(study: Study, workdir: Path, runs: dict[str, list[dict]], result: dict) -> None:
    values = {name: [run[study.measure] for run in found] for name, found in runs.items()}
    write_whole(workdir / "figure.png", lambda path: plots.study(values, MEASURES[study.measure], path))
    first = {name: found[0]["rows"] for name, found in runs.items()}
    write_whole(workdir / "curves.png", lambda path: plots.error_curves(first, path))
