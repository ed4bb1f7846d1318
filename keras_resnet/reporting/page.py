"""A self-contained HTML page of results: figures are embedded, and there are no scripts or external files."""

import datetime
import html
import tempfile
from pathlib import Path

from keras_resnet import plots
from keras_resnet.detection.scoring import report_words
from keras_resnet.evaluation.class_words import in_words
from keras_resnet.files import write_whole
from keras_resnet.reporting.collecting import Found, collect, curves
from keras_resnet.reporting.markup import document, figure, html_table
from keras_resnet.reporting.paper_values import paper_error
from keras_resnet.studies.report import HEADER, about, table, tested, verdicts

TITLES = {
    "responses": "Responses of 3x3 layers (Fig. 7)",
    "gradients": "Gradients",
    "training": "Gradients over training",
    "curvature": "Curvature of the loss",
    "lipschitz": "Lipschitz constants",
    "conditioning": "Conditioning of blocks",
    "lesions": "Lesions and paths",
    "cost": "Compute and memory",
}
PRECISIONS = ("val_AP50", "val_mAP")  # the first score of each detection benchmark
CLASS_PICTURES = {
    "confusion.png": "answers by true class",
    "reliability.png": "how often answers are right, by their probability",
    "confused.png": "photos of the most confused pairs, in descending order of probability",
    "mistakes.png": "the worst mistakes, with activation maps of the answer and of the true class",
}
BOX_PICTURES = {
    "precision-recall.png": "precision over recall of the classes with most objects",
    "confusion.png": "objects by true class, and what was found in their place",
    "missed.jpg": "missed objects, the largest first",
    "false.jpg": "false boxes, the surest first",
}
FIGURES = {"cifar10": "as Fig. 6", "imagenet2012": "as Fig. 4"}  # by data set


def write_page(folder: Path, path: Path) -> Found:
    """Write the results below ``folder`` as one self-contained page, and return them.

    Raises:
        InputError: there is no such folder, or no result in it.
    """
    results = collect(folder)
    sections = [
        *([("runs", "Classifiers", _classifiers(results))] if _groups(results, "val_error") else []),
        *([("detectors", "Detectors", _detectors(results))] if _groups(results, *PRECISIONS) else []),
        *((f"study-{i}", f"Study: {r['study']}", _study(p, r)) for i, (p, r) in enumerate(results.studies.items())),
        *(
            (f"instrument-{i}", TITLES.get(result["instrument"], result["instrument"]), _instrument(path, result))
            for i, (path, result) in enumerate(results.instruments.items())
        ),
    ]
    today = datetime.date.today().isoformat()
    intro = f"{folder.name}, {today}. Errors are in percent; the paper's are on the full test sets."
    text = document("Deep residual learning: results", intro, sections)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda part: part.write_text(text, encoding="utf-8"))
    return results


def _groups(results: Found, *scores: str) -> list[dict]:
    """The groups of runs that have one of ``scores``."""
    return [group for group in results.groups() if group["scores"].keys() & set(scores)]


def _detectors(results: Found) -> str:
    groups = _groups(results, *PRECISIONS)
    scores = dict.fromkeys(key for group in groups for key in group["scores"])
    names = (key.split("_", 1)[1].replace("_", ", ") for key in scores)
    header = ("from", "data", "steps", "seeds", *(f"{name}, %" for name in names), "photos", "time", "hardware")
    rows = []
    for group in groups:
        settings, result = group["settings"], group["result"]
        seeds = ", ".join(map(str, group["seeds"]))
        cells = (_percent(group["scores"].get(key)) for key in scores)
        photos, time = f"{result['val_examples']:,}", f"{result['seconds'] / 3600:.1f} h"
        rows.append((settings["model"], settings["data"], f"{result['steps']:,}", seeds, *cells, photos, time,
                     result["hardware"]))  # fmt: skip
    return html_table(header, rows) + "".join(map(_boxes_by_class, groups)) + _commands(groups)


def _boxes_by_class(group: dict) -> str:
    """The results by class of the first seed's detector, folded away; empty for older runs, which lack them."""
    result, folder = group["result"], group["folders"][0]
    if "val_by_class" not in result:
        return ""
    by_class = result["val_by_class"]
    words = "".join(f"<p>{html.escape(line)}</p>" for line in report_words.in_words(by_class))
    body = words + html_table(report_words.HEADER, report_words.rows(by_class)) + _pictures(folder, BOX_PICTURES)
    settings = group["settings"]
    name = f"{settings['model']} on {settings['data']}, seed {result['seed']}: objects by class"
    return f"<details><summary>{html.escape(name)}</summary>{body}</details>"


def _percent(mean_std) -> str:
    """A score from 0 to 1 in percent; empty if there is no score or, by COCO's -1, no object of that size."""
    if mean_std is None or mean_std[0] < 0:
        return ""
    mean, std = mean_std
    return f"{100 * mean:.1f}" + ("" if std is None else f" ± {100 * std:.1f}")


def _commands(groups: list[dict]) -> str:
    listed = "".join(f"<li>{_made_by(group['result'])}</li>" for group in groups)
    return f"<details><summary>commands</summary><ul>{listed}</ul></details>"


def _classifiers(results: Found) -> str:
    header = ("network", "data", "steps", "seeds", "validation error", "test error", "paper", "time", "hardware")
    rows, groups = [], _groups(results, "val_error")
    for group in groups:
        settings, result = group["settings"], group["result"]
        name = settings["model"] + "".join(f" {change}" for change in settings.get("change") or ())
        name += f" {settings['shortcut']}" if settings.get("shortcut") else ""
        seeds = ", ".join(map(str, group["seeds"]))
        errors = [_error(group["scores"].get(f"{part}_error"), result, part) for part in ("val", "test")]
        paper = (
            "" if settings.get("change") else paper_error(settings["data"], settings["model"], settings.get("shortcut"))
        )
        time = f"{result['seconds'] / 3600:.1f} h"
        rows.append((name, settings["data"], f"{result['steps']:,}", seeds, *errors, paper, time, result["hardware"]))
    drawn = []
    for data in dict.fromkeys(run["settings"]["data"] for run in results.runs.values()):
        for prefix, words in (("Plain", "plain networks"), ("Res", "residual networks")):
            runs = {
                run["settings"]["model"] + f", seed {run['seed']}": curves(folder)
                for folder, run in results.runs.items()
                if run["settings"]["data"] == data and run["settings"]["model"].startswith(prefix)
            }
            runs = {name: points for name, points in runs.items() if points and "error" in points[0]}
            if runs:
                caption = f"{data}, {words} {FIGURES.get(data, '')}: training (dashed) and validation error"
                drawn.append(figure(_drawn(lambda path, r=runs: plots.error_curves(r, path)), caption))
    return html_table(header, rows) + "".join(drawn) + "".join(map(_by_class, groups)) + _commands(groups)


def _by_class(group: dict) -> str:
    """The answers by class of the first seed's network, folded away; empty for older runs, which lack them."""
    result, folder = group["result"], group["folders"][0]
    part = next((part for part in ("val", "test") if f"{part}_by_class" in result), None)
    if part is None:
        return ""
    by_class = result[f"{part}_by_class"]
    classes = sorted(by_class["classes"], key=lambda row: (row["recall"][0] is None, row["recall"][0]))
    rows = [
        (row["class"], row["photos"], _interval(row["recall"]), row["answers"], _interval(row["precision"]))
        for row in classes
    ]
    words = "".join(f"<p>{html.escape(line)}</p>" for line in in_words(by_class))
    name = f"{group['settings']['model']} on {group['settings']['data']}, seed {result['seed']}: answers by class"
    header = ("class", "photos", "recall, % (95 % interval)", "answers", "precision, % (95 % interval)")
    body = words + html_table(header, rows) + _pictures(folder, CLASS_PICTURES)
    return f"<details><summary>{html.escape(name)}</summary>{body}</details>"


def _interval(share: list) -> str:
    return "" if share[0] is None else "{:.1f} ({:.1f} to {:.1f})".format(*share)


def _error(mean_std, result: dict, part: str) -> str:
    if mean_std is None:
        return "not run"
    mean, std = mean_std
    spread = "" if std is None else f" ± {std:.2f}"
    return f"{mean:.2f}{spread} ({result.get(f'{part}_examples') or '?'} images)"


def _study(folder: Path, result: dict) -> str:
    listed = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in verdicts(result))
    compared = f"<p>{html.escape(tested(result))}</p><ul>{listed}</ul>" if listed else ""
    return (
        f"<p><strong>{html.escape(result['question'])}</strong><br>{html.escape(about(result))}</p>"
        + html_table(HEADER, table(result))
        + compared
        + _pictures(folder, {"figure.png": "each run, mean and standard deviation", "curves.png": "seed 0, as Fig. 6"})
        + _made_by(result)
    )


def _instrument(folder: Path, result: dict) -> str:
    models = ", ".join(str(model) for model in result.get("models", []))
    words = [f"batch normalization by {result['normalization']} statistics"] if "normalization" in result else []
    words = [*([models] if models else []), *words]
    pictures = {"figure.png": TITLES.get(result["instrument"], ""), "surface.png": "loss surface"}
    return f"<p>{html.escape('; '.join(words))}</p>" + _pictures(folder, pictures) + _made_by(result)


def _made_by(result: dict) -> str:
    where = f"{result['hardware']}, commit {result['commit'][:12]}"
    return f"<p><code>{html.escape(result['command'])}</code><br>{html.escape(where)}</p>"


def _pictures(folder: Path, names: dict[str, str]) -> str:
    return "".join(
        figure((folder / name).read_bytes(), text, "jpeg" if name.endswith(".jpg") else "png")
        for name, text in names.items()
        if (folder / name).exists()
    )


def _drawn(draw) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder) / "figure.png")
        return (Path(folder) / "figure.png").read_bytes()
