"""Studies of the recipes: arms are settings of a recipe, each run with several seeds, and compared by their errors."""

import importlib.util
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import keras

from keras_resnet import programs
from keras_resnet.analysis.instrument_result import write_result
from keras_resnet.errors import InputError, one_of
from keras_resnet.files import read_object
from keras_resnet.studies.statistics import compare, mean_std
from keras_resnet.studies.study_settings import RecipeStudySettings
from keras_resnet.tables import Table, as_json
from keras_resnet.training.files.agreement import RESULT, check_agreement
from keras_resnet.training.files.run_result import provenance
from keras_resnet.training.files.workdir import read_result
from keras_resnet.training.settings import as_json as plain

Measures: TypeAlias = Mapping[str, float]
Arms: TypeAlias = Mapping[str, Callable[[int], Measures]]


def train(recipe: str, workdir: Path, /, **settings: Any) -> dict:
    """The ``result.json`` of a run of ``recipe`` with these settings, trained unless it is in ``workdir`` already."""
    program = _loaded(recipe)
    wanted = program.Settings(workdir=workdir, **settings)
    wanted.check()
    values = plain(wanted)
    result = read_result(workdir)
    if result is None or any(result["settings"].get(key) != values[key] for key in settings):
        keras.backend.clear_session()
        program.main(wanted)
        result = read_result(workdir)
    assert result is not None
    return result


def _loaded(recipe: str):
    name = f"recipe_{recipe}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, programs.find(recipe))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def compare_arms(
    study: str, settings: RecipeStudySettings, arms: Arms, pairs: Sequence[tuple[str, str]], **about: Any
) -> dict:
    """Run all arms with all seeds, print and store their errors and the differences of the ``pairs``.

    ``result.json`` is written after each run, so that a study that was stopped has what it measured. What earlier calls
    and other processes have measured in the workdir stays in it and is compared too.

    Args:
        study: its name.
        settings: with a workdir.
        arms: for each arm a function from a seed to errors in percent by name, which may return what it measured in
            an earlier process.
        pairs: names of arms to compare, (first, second); those with an arm that was not run are left out.
        about: more of what the result is to say: the question, and settings on which the errors depend.

    Raises:
        InputError: there is no such arm, or the workdir holds a result of another study or of other settings.
    """
    assert settings.workdir is not None
    about = about | {"data": settings.data}
    for name in settings.arms or ():
        one_of("--arms", name, list(arms))
    chosen = settings.arms or tuple(arms)
    _measured_before(settings.workdir, study, about)  # refuses other settings before anything is trained
    here: dict[str, dict[int, Measures]] = {name: {} for name in chosen}
    origin = provenance()
    result: dict = {}
    for seed in settings.seeds:
        for name in chosen:
            print(f"\n== {study}: {name}, seed {seed}", flush=True)
            here[name][seed] = arms[name](seed)
            before = _measured_before(settings.workdir, study, about)
            joined = {name: before.get(name, {}) | here.get(name, {}) for name in arms}
            measured = {name: dict(sorted(by_seed.items())) for name, by_seed in joined.items() if by_seed}
            seeds = sorted({seed for by_seed in measured.values() for seed in by_seed})
            result = about | {"seeds": seeds, "measured": measured} | _compared(measured, pairs)
            write_result(settings.workdir, study, result, origin)
    for table in result["tables"].values():
        print("\n" + Table("", **table).markdown())
    print(f"\nresult.json in {settings.workdir}", flush=True)
    return result


def _measured_before(workdir: Path, study: str, about: dict[str, Any]) -> dict[str, dict[int, Measures]]:
    """What the result in ``workdir`` has measured, by arm and seed; empty without one.

    Settings that an earlier version did not store count as unchanged.
    """
    path = workdir / RESULT
    try:
        result = read_object(path)
        measured: dict[str, dict[int, Measures]] = {
            name: {int(seed): {key: float(value) for key, value in values.items()} for seed, values in by_seed.items()}
            for name, by_seed in result["measured"].items()
        }
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} is not a valid result of the study ({error!s:.200}): move it away, or choose another --workdir."
        ) from error
    wanted = json.loads(json.dumps({"instrument": study, **about}))
    changed = {key: (result[key], value) for key, value in wanted.items() if result.get(key, value) != value}
    changed.pop("question", None)  # may be put in other words
    check_agreement(workdir, changed, growing=())
    return measured


def _compared(measured: Mapping[str, Mapping[int, Measures]], pairs: Sequence[tuple[str, str]]) -> dict:
    """The means as one table, and the differences with their intervals as another and as numbers.

    The intervals of all pairs and measures hold together.
    """
    names = list(dict.fromkeys(key for by_seed in measured.values() for values in by_seed.values() for key in values))
    means, differences = Table("arms", ("arm", *names, "runs")), Table("differences", ("difference", *names))
    for name, by_seed in measured.items():
        columns = (mean_std([values[key] for values in by_seed.values()]) for key in names)
        cells = (f"{mean:.2f}" + ("" if std is None else f" ± {std:.2f}") for mean, std in columns)
        means.rows.append((name, *cells, str(len(by_seed))))
    done, comparisons = [pair for pair in pairs if measured.keys() >= set(pair)], []
    for first, second in done:
        row = {}
        for key in names:
            one, other = ({seed: values[key] for seed, values in measured[name].items()} for name in (first, second))
            row[key] = compare(one, other, len(done) * len(names))
        comparisons.append({"first": first, "second": second, **row})
        differences.rows.append((f"{first} - {second}", *(_difference(row[key]) for key in names)))
    return {"comparisons": comparisons, "tables": as_json([means, differences])}


def _difference(compared: dict) -> str:
    if compared["interval"] is None:
        return f"{compared['difference']:+.2f}, no interval"
    low, high = compared["interval"]
    text = f"{compared['difference']:+.2f} ({low:+.2f} to {high:+.2f})"
    return f"**{text}**" if compared["decides"] else text
