"""Measured tables in the pages of ``docs/``; a line before each table names the stored result.

``<!-- table NAME: FILE -->`` is followed by the table ``NAME`` of ``docs/results/FILE.json``. ``RENDERERS`` make tables
from results that do not hold tables: runs, studies, and several results side by side.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.structure import STAGES
from keras_resnet.studies.report import length, mean_words
from keras_resnet.studies.statistics import compare
from keras_resnet.tables import Table

MARK = re.compile(r"^<!-- table (?P<name>[^:]+): (?P<files>[\w. -]+) -->\n(?P<table>(?:\|.*\n)*)", re.MULTILINE)


def filled(text: str, results: Path) -> str:
    """``text`` with each marked table filled in from the files in the folder ``results``.

    Raises:
        InputError: a mark names a file or a table that does not exist.
    """
    return MARK.sub(lambda mark: _block(mark["name"], mark["files"], results), text)


def _block(name: str, files: str, results: Path) -> str:
    stored = {}
    for file in files.split():
        path = results / f"{file}.json"
        if not path.exists():
            raise InputError(f"The table {name} needs {path}, which does not exist.")
        stored[file] = json.loads(path.read_text())
    if name in RENDERERS:
        table = RENDERERS[name](stored)
    else:
        (result,) = stored.values()
        if name not in result.get("tables", {}):
            raise InputError(f"There is no table {name} in {results / files}.json.")
        table = Table(name, **result["tables"][name])
    return f"<!-- table {name}: {files} -->\n{table.markdown()}\n"


def _link(file: str) -> str:
    return f"[result](results/{file}.json)"


def _degradation(results: dict[str, dict]) -> Table:
    """Training and validation error of the arms that any of the studies ran, with one row per study."""
    names = list(next(iter(results.values()))["arms"])
    arms = [name for name in names if any(result["arms"][name]["runs"] for result in results.values())]
    table = Table("degradation", ("run; training / validation error, %", *arms))
    for file, result in results.items():
        means = [[result["arms"][arm][key]["mean"] for key in ("train_error", "val_error")] for arm in arms]
        cells = ("not run" if None in pair else "{:.2f} / {:.2f}".format(*pair) for pair in means)
        table.rows.append((f"{length(result)} ({_link(file)})", *cells))
    return table


def _study_arms(results: dict[str, dict]) -> Table:
    """The errors of the arms that a study ran, with their standard deviations."""
    table = Table("study arms", ("arm", "training error, %", "validation error, %", "seeds"))
    for name, arm in ((name, arm) for result in results.values() for name, arm in result["arms"].items()):
        if arm["runs"]:
            errors = (mean_words(arm[key]) for key in ("train_error", "val_error"))
            table.rows.append((name, *errors, str(len(arm["runs"]))))
    return table


def _comparisons(results: dict[str, dict]) -> Table:
    """The differences of a study's arms in points, with intervals that hold for all of them at once."""
    table = Table("comparisons", ("difference", "points", "95 % interval", "p", "test", "answer"))
    for entry in (entry for result in results.values() for entry in result["comparisons"]):
        pair, interval = f"{entry['first']} - {entry['second']}", "{:+.1f} to {:+.1f}".format(*entry["interval"])
        test = "paired by seed" if entry["paired"] else "Welch's"
        table.rows.append((pair, f"{entry['difference']:+.1f}", interval, f"{entry['p']:.2g}", test, entry["words"]))
    return table


def _studies(results: dict[str, dict]) -> Table:
    """How many runs each study had, how long, and how many hours they took together."""
    table = Table("studies", ("study", "runs", "each", "hours of runs", "processor of the runs"))
    for file, result in results.items():
        runs = [run for arm in result["arms"].values() for run in arm["runs"]]
        hours = sum(run["seconds"] for run in runs) / 3600
        processors = ", ".join(sorted({run["hardware"].split(",")[0] for run in runs}))
        name = file.removeprefix("study-")
        table.rows.append((f"{name} ({_link(file)})", str(len(runs)), length(result), f"{hours:.2g}", processors))
    return table


def _responses(results: dict[str, dict]) -> Table:
    """Mean standard deviation of the 3x3 layers, with one row per network and one column per result."""
    names = dict.fromkeys(name for result in results.values() for name in result["mean"])
    table = Table("responses", ("network, mean std", *map(_link, results)))
    for name in names:
        values = (result["mean"].get(name) for result in results.values())
        table.rows.append((name.removesuffix("-seed0"), *("" if v is None else f"{v:.3f}" for v in values)))
    return table


def _gradients(results: dict[str, dict]) -> Table:
    """Gradient norms by stage at a run's last checkpoint."""
    stages = [stage for stage in next(iter(results.values()))["last"] if stage in STAGES]
    table = Table("gradients", ("network", *stages, f"{stages[0]} / {stages[-1]}"))
    for file, result in results.items():
        norms = [result["last"][stage] for stage in stages]
        name = f"{result['run'].removesuffix('-seed0')} ({_link(file)})"
        table.rows.append((name, *(f"{norm:.3f}" for norm in norms), f"{norms[0] / norms[-1]:.2f}"))
    return table


def _landscape(results: dict[str, dict]) -> Table:
    """Loss, largest eigenvalue and trace of the Hessian of each network."""
    table = Table("landscape", ("network", "loss", "largest eigenvalue", "trace"))
    for name, row in ((name, row) for result in results.values() for name, row in result["curvature"].items()):
        trace = f"{row['trace']:.0f} ± {row['trace_error']:.0f}"
        table.rows.append((name, f"{row['loss']:.2f}", f"{row['top'][0]:.1f}", trace))
    return table


def _largest(results: dict[str, dict]) -> Table:
    """The largest local Lipschitz constant of a block, of networks with several seeds."""
    (result,) = results.values()
    by_network: dict[str, list[str]] = {}
    for name, constant in result["largest"].items():
        by_network.setdefault(name.partition("-seed")[0], []).append(f"{constant:.1f}")
    table = Table("largest", ("network", "largest constant of a block, by seed"))
    table.rows += [(name, ", ".join(constants)) for name, constants in by_network.items()]
    return table


EQUAL_LOSS: dict[str, tuple[str, Callable[[Any], float]]] = {  # what is compared, by which instrument
    "largest eigenvalue of the Hessian": ("curvature", lambda row: row["top"][0]),
    "largest Lipschitz constant of a block": (
        "lipschitz",
        lambda parts: max(max(part["local"]) for part in parts if "block" in part["name"]),
    ),
    "singular values of the last stage's blocks together, 95 % quantile": (
        "conditioning",
        lambda blocks: list(blocks.values())[-1]["product"]["95%"],
    ),
    "correlation of gradients at a tenth of the input's norm": ("gradients", lambda row: row["correlation"]["0.1"]),
}


def _equal_loss(results: dict[str, dict]) -> Table:
    """Plain and residual networks of several seeds by several instruments, whose intervals hold together."""
    stored = {result["instrument"]: result for result in results.values()}
    table: Table | None = None
    for label, (instrument, value) in EQUAL_LOSS.items():
        by_network: dict[str, dict[int, float]] = {}
        for name, row in stored[instrument][instrument].items():
            network, seed = re.split("-seed", name.partition("-loss")[0])
            by_network.setdefault(network, {})[int(seed)] = value(row)
        (plain, residual), names = by_network.values(), list(by_network)
        table = table or Table("equal loss", ("at equal training loss", *names, "difference (95 % interval)"))
        compared = compare(residual, plain, len(EQUAL_LOSS))
        low, high = compared["interval"]
        ranges = (f"{min(arm.values()):.3g} to {max(arm.values()):.3g}" for arm in (plain, residual))
        table.rows.append((label, *ranges, f"{compared['difference']:+.3g} ({low:+.3g} to {high:+.3g})"))
    assert table is not None
    return table


def _cost(results: dict[str, dict]) -> Table:
    """Multiply-adds, memory and time of a training step."""
    columns = ("images", "multiply-adds, 10⁹", "peak, estimated", "measured", "ratio", "to resident", "s a step")
    table = Table("cost", ("network", *columns, "h an epoch", "largest batch in 16 GiB"))
    for result in results.values():
        for name, row in result["cost"].items():
            estimate, peak = row["estimate"]["total"] / 2**20, row["measured"]["peak"] / 2**20
            resident = row["measured"]["resident"] / 2**20
            memory = (
                f"{estimate:,.0f} MiB",
                f"{peak:,.0f} MiB",
                f"{estimate / peak:.2f}",
                f"{estimate / resident:.2f}",
            )
            time = (f"{row['measured']['seconds']:.3g}", f"{row['hours_per_epoch']:.3g}")
            work = (str(result["batch_size"]), f"{row['multiply_adds'] / 1e9:.3f}")
            table.rows.append((name, *work, *memory, *time, f"{row['largest_batch']:,}"))
    return table


def _runs(results: dict[str, dict]) -> Table:
    """Validation error, test error and time of classifiers' runs, and of a study's arms, each with several seeds."""
    table = Table("runs", ("run", "validation error", "test error", "time"))
    for file, result in results.items():
        link = f"([result](docs/results/{file}.json))"
        if "study" in result:
            for arm in (arm for arm in result["arms"].values() if arm["runs"]):
                seconds, speed = (
                    np.mean([run[key] for run in arm["runs"]]) for key in ("seconds", "images_per_second")
                )
                errors = (f"{mean_words(arm[key])} %" for key in ("val_error", "test_error"))
                table.rows.append((f"{arm['model']}, {length(result)} {link}", *errors, _time(seconds, speed)))
            continue
        settings = result["settings"]
        size = f", {settings['image_size']} pixels" if settings["image_size"] not in (32, 224) else ""
        steps = f"{result['steps']:,} steps of {settings['batch_size']}"
        name = f"{result['model']}, {Path(settings['data']).name}{size}, {steps}"
        errors = (
            f"{result[f'{part}_error']:.2f} % of {result[f'{part}_examples']:,}" if result[f"{part}_error"] else ""
            for part in ("val", "test")
        )
        table.rows.append((f"{name} {link}", *errors, _time(result["seconds"], result["images_per_second"])))
    return table


def _time(seconds: float, images_per_second: float) -> str:
    return f"{seconds / 60:.0f} min, {images_per_second:,.0f} images/s"


def _detectors(results: dict[str, dict]) -> Table:
    """COCO's scores of detectors on their validation photos."""
    scores = {"val_AP50": "AP50", "val_AP": "AP", "val_AP75": "AP75", "val_AP_large": "large", "val_AP_small": "small"}
    scores["val_proposal_recall"] = "recall of 300 proposals"
    table = Table("detectors", ("run", "photos", *(f"{name}, %" for name in scores.values()), "time"))
    for file, result in results.items():
        values = (result[name] for name in scores)
        cells = ("" if value < 0 else f"{100 * value:.1f}" for value in values)  # -1: there are no such objects
        speed = f"{result['seconds'] / 60:.0f} min, {result['images_per_second']:.1f} images/s"
        table.rows.append((f"{file} ({_link(file)})", f"{result['val_examples']:,}", *cells, speed))
    return table


def _views(results: dict[str, dict]) -> Table:
    """Errors of one model with several views, with one row per view."""
    first = next(iter(results.values()))
    table = Table("views", ("view", *first["tables"]["errors"]["columns"][1:]))
    for file, result in results.items():
        scales = f": {', '.join(map(str, result['scales']))}" if result["scales"] else ""
        name = f"{result['view']}{scales}{' with flips' * result['flips']} ({_link(file)})"
        table.rows.append((name, *result["tables"]["errors"]["rows"][0][1:]))
    return table


def _patched(results: dict[str, dict]) -> Table:
    """Validation error by seed, with one row for the unchanged code and one for each ``patch`` named in a result."""
    rows: dict[str, dict[int, dict]] = {}
    for result in results.values():
        rows.setdefault(result.get("patch", "as it is"), {})[result["seed"]] = result
    seeds = sorted(next(iter(rows.values())))
    table = Table("patched", ("code", *(f"seed {seed}" for seed in seeds), "images/s"))
    for name, runs in rows.items():
        errors = (f"{runs[seed]['val_error']:.1f} % of {runs[seed]['val_examples']}" for seed in seeds)
        speeds = " and ".join(f"{runs[seed]['images_per_second']:.0f}" for seed in seeds)
        table.rows.append((name, *errors, speeds))
    return table


RENDERERS: dict[str, Callable[[dict[str, dict]], Table]] = {
    "degradation": _degradation,
    "study arms": _study_arms,
    "comparisons": _comparisons,
    "studies": _studies,
    "responses by run": _responses,
    "gradients by stage": _gradients,
    "landscape": _landscape,
    "largest constants": _largest,
    "equal loss": _equal_loss,
    "cost by network": _cost,
    "runs": _runs,
    "errors by view": _views,
    "detectors": _detectors,
    "patched": _patched,
}
