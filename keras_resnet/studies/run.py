"""Running a study: each arm and seed is a run of its own, that can stop and continue; then the comparison."""

import functools
import glob
import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from keras_resnet import plots, training
from keras_resnet.errors import InputError, one_of
from keras_resnet.files import write_whole
from keras_resnet.studies.report import report
from keras_resnet.studies.settings import StudySettings
from keras_resnet.studies.statistics import compare, mean_std
from keras_resnet.studies.study import MEASURES, Arm, Study
from keras_resnet.training.cifar import CifarSettings, check_data, cifar_experiment
from keras_resnet.training.metrics_file import read_metrics
from keras_resnet.training.ownership import RUN, STUDY, check_owned, holds, mark
from keras_resnet.training.results import provenance
from keras_resnet.training.settings import as_json
from keras_resnet.training.workdir import METRICS, RESULT, differing, is_unmarked_run, read_result

LAST = 0.1  # the part of the steps whose training errors are averaged
KEPT = ("val_error", "test_error", "seconds", "images_per_second", "skipped_batches", "command", "commit", "hardware")


def run_study(study: Study, settings: StudySettings) -> dict:
    """Train what is not trained yet, compare, write ``result.json`` and the figures, and return the result."""
    settings = replace(
        settings, workdir=settings.workdir or Path("runs/studies") / study.name, seeds=settings.seeds or study.seeds
    )
    for name in settings.arms or ():
        one_of("--arms", name, [arm.name for arm in study.arms])
    chosen = [arm for arm in study.arms if not settings.arms or arm.name in settings.arms]
    check_data(settings)
    _take(study, settings.workdir)
    origin, seeds = provenance(), range(settings.seeds)
    found = {arm.name: {seed: _finished(_settings(arm, seed, settings)) for seed in seeds} for arm in study.arms}
    for seed in seeds:  # a study that is stopped has the same number of runs of each arm, but for one
        for arm in chosen:
            if found[arm.name][seed] is None:
                print(f"\n== {study.name}: {arm.name}, seed {seed}", flush=True)
                found[arm.name][seed] = _trained(_settings(arm, seed, settings))
                _write(settings.workdir / RESULT, _result(study, settings, _there(found)) | origin)
    runs = _there(found)
    result = _result(study, settings, runs) | origin
    _write(settings.workdir / RESULT, result)
    _draw(study, settings.workdir, runs, result)
    print("\n" + "\n".join(report(result)))
    print(f"\nresult.json, figure.png and curves.png in {settings.workdir}", flush=True)
    return result


def _take(study: Study, workdir: Path) -> None:
    """Make the study's folder, or see that it is one of this package."""

    def looks_like_one(folder: Path) -> bool:
        runs = [path for arm in study.arms for path in folder.glob(f"{glob.escape(arm.name)}-seed*")]
        return any(holds(path, RUN) or is_unmarked_run(path) for path in runs)

    try:
        workdir.mkdir(parents=True, exist_ok=True)
        check_owned(workdir, STUDY, looks_like_one)
        mark(workdir, STUDY)
    except OSError as error:
        raise InputError(f"The workdir {workdir} cannot be written ({error.strerror}): choose another one.") from error


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
    done = _with_curves(wanted, training.run(wanted, cifar_experiment, growing=()))
    if done is None:
        raise InputError(
            f"{wanted.workdir / METRICS} has lost the last points of its curves: move that folder away to train the "
            "run again."
        )
    return done


def _finished(wanted: CifarSettings) -> dict | None:
    """The run of the same settings in its folder, if it is there and done."""
    result = read_result(wanted.workdir)
    if result is None or not result.keys() >= set(KEPT):
        return None
    if differing(result["settings"], as_json(wanted), as_json(type(wanted)())):
        return None  # the run itself refuses other settings, in words
    return _with_curves(wanted, result)


def last_train_error(rows: list[dict], steps: int) -> float:
    """Mean error of the last tenth of ``steps``; a point counts by its steps, as an epoch ends in a short one."""
    points = [row for row in rows if row["split"] == "train"]
    lengths = np.diff([0, *(row["step"] for row in points)])
    errors, last = np.array([row["error"] for row in points]), [row["step"] > (1 - LAST) * steps for row in points]
    return float(np.average(errors[last], weights=lengths[last]))


def _with_curves(wanted: CifarSettings, result: dict) -> dict | None:
    rows = read_metrics(wanted.workdir / METRICS)
    if not any(row["split"] == "train" and row["step"] == wanted.steps and "error" in row for row in rows):
        return None  # the curves are damaged: the run repairs them
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
