"""Running a study: each arm and seed is a run that can stop and continue; then the arms are compared."""

import functools
import glob
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import keras

from keras_resnet import plots, training
from keras_resnet.errors import InputError, one_of
from keras_resnet.files import write_text, write_whole
from keras_resnet.studies.arm_curves import as_rows, last_train_error, thinned
from keras_resnet.studies.earlier import read_earlier
from keras_resnet.studies.power import plan
from keras_resnet.studies.report import plan_sentence, report
from keras_resnet.studies.statistics import compare, mean_std
from keras_resnet.studies.study import MEASURES, Arm, Study
from keras_resnet.studies.study_settings import StudySettings
from keras_resnet.training.cifar import CifarSettings, check_data, cifar_run
from keras_resnet.training.files.metrics_file import read_metrics
from keras_resnet.training.files.ownership import RUN, STUDY, check_owned, holds, mark
from keras_resnet.training.files.run_result import provenance
from keras_resnet.training.files.workdir import METRICS, RESULT, is_unmarked_run

Runs: TypeAlias = dict[str, dict[int, dict]]  # by arm and seed
RESULT_KEYS = (
    *("val_error", "test_error", "seconds", "images_per_second", "skipped_batches"),
    *("command", "commit", "hardware"),
)
NUMBER_LIST = re.compile(r"\[\s+([-+.\deE,\s]+?)\s+\]")


def run_study(study: Study, settings: StudySettings) -> dict:
    """Train the missing runs, compare the arms, write ``result.json`` and the figures, and return the result.

    The requested seeds are trained first. With ``most_seeds`` the study then estimates from their spread how many it
    needs, and continues.
    """
    settings = settings.resolve(study)
    for name in settings.arms or ():
        one_of("--arms", name, [arm.name for arm in study.arms])
    check_data(settings)
    runs: Runs = {arm.name: {} for arm in study.arms}
    origin = provenance()
    for path in settings.earlier or ():
        for name, by_seed in read_earlier(path, _result(study, settings, runs)).items():
            runs[name] |= by_seed
    _take(study, settings.workdir)
    seeds = settings.seeds

    def write_result() -> dict:
        _collect(study, settings, seeds, runs)  # other processes may have trained other arms meanwhile
        result = _result(study, settings, runs) | origin
        _write(settings.workdir / RESULT, result)
        return result

    _train(study, settings, seeds, runs, write_result)
    planned = plan(study, runs)
    if settings.most_seeds and planned is None:
        print("\nNo arm has two runs that differ, so their spread is unknown: give --seeds 2 or more.", flush=True)
    elif settings.most_seeds and planned:
        print(f"\n{plan_sentence(planned)}", flush=True)
        if planned["seeds"] and planned["seeds"] <= settings.most_seeds:
            seeds = max(seeds, planned["seeds"])
            _train(study, settings, seeds, runs, write_result)
        else:
            print(f"That is out of reach of --most-seeds {settings.most_seeds}: {settings.seeds} stay.", flush=True)
    result = write_result()
    _draw(study, settings.workdir, result)
    print("\n" + "\n".join(report(result)))
    print(f"\nresult.json, figure.png and curves.png in {settings.workdir}", flush=True)
    return result


def _collect(study: Study, settings: StudySettings, seeds: int, runs: Runs) -> None:
    """Add the finished runs of this many seeds in the workdir to ``runs``."""
    for arm in study.arms:
        done = {seed: _finished(_settings(arm, seed, settings)) for seed in range(seeds) if seed not in runs[arm.name]}
        runs[arm.name] |= {seed: run for seed, run in done.items() if run}


def _train(study: Study, settings: StudySettings, seeds: int, runs: Runs, write_result: Callable[[], object]) -> None:
    """Add the runs of this many seeds to ``runs``: finished ones from the workdir, then missing ones by training."""
    _collect(study, settings, seeds, runs)
    for seed in range(seeds):  # seed by seed, so that a stopped study has about as many runs of each arm
        for arm in study.arms:
            if seed not in runs[arm.name] and (not settings.arms or arm.name in settings.arms):
                print(f"\n== {study.name}: {arm.name}, seed {seed}", flush=True)
                runs[arm.name][seed] = _trained(_settings(arm, seed, settings))
                write_result()


def _take(study: Study, workdir: Path) -> None:
    """Create the study's folder, or check that it belongs to this package."""

    def looks_like_one(folder: Path) -> bool:
        paths = (path for arm in study.arms for path in folder.glob(f"{glob.escape(arm.name)}-seed*"))
        return any(holds(path, RUN) or is_unmarked_run(path) for path in paths)

    try:
        workdir.mkdir(parents=True, exist_ok=True)
        check_owned(workdir, STUDY, looks_like_one)
        mark(workdir, STUDY)
    except OSError as error:
        raise InputError(f"The workdir {workdir} cannot be written ({error.strerror}): choose another one.") from error


def _settings(arm: Arm, seed: int, settings: StudySettings) -> CifarSettings:
    """The settings of one run."""
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
    done = _with_curves(wanted, training.run(wanted, cifar_run, growing=()))
    if done is None:
        raise InputError(
            f"{wanted.workdir / METRICS} has lost the last points of its curves: move that folder away to train the "
            "run again."
        )
    return done


def _finished(wanted: CifarSettings) -> dict | None:
    """The run with these settings, if its folder holds a finished one."""
    result = training.finished_result(wanted)
    if result is None or not result.keys() >= set(RESULT_KEYS):
        return None
    return _with_curves(wanted, result)


def _with_curves(wanted: CifarSettings, result: dict) -> dict | None:
    assert wanted.steps is not None
    rows = read_metrics(wanted.workdir / METRICS)
    if not any(row["split"] == "train" and row["step"] == wanted.steps and "error" in row for row in rows):
        return None  # the curves are damaged; training repairs them
    summary = {"seed": wanted.seed, "train_error": last_train_error(rows, wanted.steps)}
    return summary | {key: result[key] for key in RESULT_KEYS} | {"curves": thinned(rows)}


def _result(study: Study, settings: StudySettings, runs: Runs) -> dict:
    arms = {}
    for arm in study.arms:
        in_order = [runs[arm.name][seed] for seed in sorted(runs[arm.name])]
        arms[arm.name] = {"model": arm.model, "change": arm.change, "settings": arm.settings, "paper": arm.paper}
        arms[arm.name] |= _costs(arm, settings.image_size) | {"runs": in_order}
        for measure in (*MEASURES, "test_error"):
            values = [run[measure] for run in in_order if run[measure] is not None]
            mean, std = mean_std(values) if values else (None, None)
            arms[arm.name][measure] = {"mean": mean, "std": std, "best": min(values, default=None)}
    errors = {name: {seed: run[study.measure] for seed, run in by_seed.items()} for name, by_seed in runs.items()}
    done = [(a, b) for a, b in study.pairs if errors[a] and errors[b]]
    comparisons = [{"first": a, "second": b} | compare(errors[a], errors[b], len(done)) for a, b in done]
    return {
        "study": study.name,
        "question": study.question,
        "measure": study.measure,
        "protocol": settings.protocol,
        "steps": settings.steps,
        "scale": settings.scale,
        "batch_size": settings.batch_size,
        "base_lr": settings.base_lr,
        "seeds": max(map(len, runs.values())),
        "data": settings.data,
        "train_images": settings.train_images,
        "image_size": settings.image_size,
        "precision": settings.precision,
        "arms": arms,
        "comparisons": comparisons,
        "plan": plan(study, runs),
        "costed": {arm.name: _costs(arm) for arm in study.costed},
    }


@functools.cache
def _cost(model: str, change: tuple[str, ...], image_size: int | None) -> dict:
    return Arm("", model, change).cost(image_size)


def _costs(arm: Arm, image_size: int | None = None) -> dict:
    return dict(_cost(arm.model, arm.change, image_size))


def _write(path: Path, result: dict) -> None:
    """Write ``result`` as JSON, with each list of numbers on one line."""
    text = NUMBER_LIST.sub(lambda match: f"[{' '.join(match[1].split())}]", json.dumps(result, indent=2))
    write_text(path, text + "\n")


def _draw(study: Study, workdir: Path, result: dict) -> None:
    runs_by_arm = {name: arm["runs"] for name, arm in result["arms"].items() if arm["runs"]}
    values = {name: [run[study.measure] for run in runs] for name, runs in runs_by_arm.items()}
    write_whole(workdir / "figure.png", lambda path: plots.study(values, MEASURES[study.measure], path))
    first = {name: as_rows(runs[0]["curves"]) for name, runs in runs_by_arm.items()}
    write_whole(workdir / "curves.png", lambda path: plots.error_curves(first, path))
