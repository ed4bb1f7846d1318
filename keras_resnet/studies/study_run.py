"""Running a study: each arm and seed is a run of its own, that can stop and continue; then the comparison."""

import functools
import glob
import json
import re
from pathlib import Path

import keras

from keras_resnet import plots, training
from keras_resnet.errors import InputError, one_of
from keras_resnet.files import write_whole
from keras_resnet.studies.arm_curves import as_rows, last_train_error, thinned
from keras_resnet.studies.earlier import read_earlier
from keras_resnet.studies.power import plan
from keras_resnet.studies.report import plan_sentence, report
from keras_resnet.studies.statistics import compare, mean_std
from keras_resnet.studies.study import MEASURES, Arm, Study
from keras_resnet.studies.study_settings import StudySettings
from keras_resnet.training.cifar import CifarSettings, check_data, cifar_task
from keras_resnet.training.files.metrics_file import read_metrics
from keras_resnet.training.files.ownership import RUN, STUDY, check_owned, holds, mark
from keras_resnet.training.files.run_result import provenance
from keras_resnet.training.files.workdir import METRICS, RESULT, differing, is_unmarked_run, read_result
from keras_resnet.training.settings import as_json

KEPT = ("val_error", "test_error", "seconds", "images_per_second", "skipped_batches", "command", "commit", "hardware")
NUMBERS = re.compile(r"\[\s+([-+.\deE,\s]+?)\s+\]")


def run_study(study: Study, settings: StudySettings) -> dict:
    """Train what is not trained yet, compare, write ``result.json`` and the figures, and return the result.

    The seeds asked for are trained first. With ``most_seeds`` the study then plans by their spread, and goes on.
    """
    settings = settings.of(study)
    for name in settings.arms or ():
        one_of("--arms", name, [arm.name for arm in study.arms])
    check_data(settings)
    found: dict[str, dict[int, dict]] = {arm.name: {} for arm in study.arms}
    origin = provenance()
    for path in settings.earlier or ():
        for name, runs in read_earlier(path, _result(study, settings, found)).items():
            found[name] |= runs
    _take(study, settings.workdir)

    def written() -> dict:
        result = _result(study, settings, found) | origin
        _write(settings.workdir / RESULT, result)
        return result

    _train(study, settings, settings.seeds, found, written)
    planned = plan(study, found)
    if settings.most_seeds and planned is None:
        print("\nNo arm has two runs that differ, so there is no spread to plan by: --seeds 2 or more.", flush=True)
    elif settings.most_seeds and planned:
        print(f"\n{plan_sentence(planned)}", flush=True)
        if planned["seeds"] and planned["seeds"] <= settings.most_seeds:
            _train(study, settings, planned["seeds"], found, written)
        else:
            print(f"That is out of reach of --most-seeds {settings.most_seeds}: {settings.seeds} stay.", flush=True)
    result = written()
    _draw(study, settings.workdir, result)
    print("\n" + "\n".join(report(result)))
    print(f"\nresult.json, figure.png and curves.png in {settings.workdir}", flush=True)
    return result


def _train(study: Study, settings: StudySettings, seeds: int, found: dict[str, dict[int, dict]], written) -> None:
    """Put the runs of so many seeds into ``found``: those in the workdir, then those of the chosen arms that lack."""
    for arm in study.arms:
        done = {seed: _finished(_settings(arm, seed, settings)) for seed in range(seeds) if seed not in found[arm.name]}
        found[arm.name] |= {seed: run for seed, run in done.items() if run}
    for seed in range(seeds):  # a study that is stopped has the same number of runs of each arm, but for one
        for arm in study.arms:
            if seed not in found[arm.name] and (not settings.arms or arm.name in settings.arms):
                print(f"\n== {study.name}: {arm.name}, seed {seed}", flush=True)
                found[arm.name][seed] = _trained(_settings(arm, seed, settings))
                written()


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
    done = _with_curves(wanted, training.run(wanted, cifar_task, growing=()))
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


def _with_curves(wanted: CifarSettings, result: dict) -> dict | None:
    assert wanted.steps is not None
    rows = read_metrics(wanted.workdir / METRICS)
    if not any(row["split"] == "train" and row["step"] == wanted.steps and "error" in row for row in rows):
        return None  # the curves are damaged: the run repairs them
    own = {"seed": wanted.seed, "train_error": last_train_error(rows, wanted.steps)}
    return own | {key: result[key] for key in KEPT} | {"curves": thinned(rows)}


def _result(study: Study, settings: StudySettings, found: dict[str, dict[int, dict]]) -> dict:
    arms = {}
    for arm in study.arms:
        runs = [found[arm.name][seed] for seed in sorted(found[arm.name])]
        arms[arm.name] = {"model": arm.model, "change": arm.change, "settings": arm.settings, "paper": arm.paper}
        arms[arm.name] |= _costs(arm, settings.image_size) | {"runs": runs}
        for measure in (*MEASURES, "test_error"):
            values = [run[measure] for run in runs if run[measure] is not None]
            mean, std = mean_std(values) if values else (None, None)
            arms[arm.name][measure] = {"mean": mean, "std": std, "best": min(values, default=None)}
    errors = {name: {seed: run[study.measure] for seed, run in runs.items()} for name, runs in found.items()}
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
        "seeds": max(map(len, found.values())),
        "data": settings.data,
        "train_images": settings.train_images,
        "image_size": settings.image_size,
        "precision": settings.precision,
        "arms": arms,
        "comparisons": comparisons,
        "plan": plan(study, found),
        "costed": {arm.name: _costs(arm) for arm in study.costed},
    }


@functools.cache
def _cost(model: str, change: tuple[str, ...], image_size: int | None) -> dict:
    return Arm("", model, change).cost(image_size)


def _costs(arm: Arm, image_size: int | None = None) -> dict:
    return dict(_cost(arm.model, arm.change, image_size))


def _write(path: Path, result: dict) -> None:
    """Lists of numbers in a line each."""
    text = NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", json.dumps(result, indent=2))
    write_whole(path, lambda part: part.write_text(text + "\n"))


def _draw(study: Study, workdir: Path, result: dict) -> None:
    runs = {name: arm["runs"] for name, arm in result["arms"].items() if arm["runs"]}
    values = {name: [run[study.measure] for run in of_arm] for name, of_arm in runs.items()}
    write_whole(workdir / "figure.png", lambda path: plots.study(values, MEASURES[study.measure], path))
    first = {name: as_rows(of_arm[0]["curves"]) for name, of_arm in runs.items()}
    write_whole(workdir / "curves.png", lambda path: plots.error_curves(first, path))
