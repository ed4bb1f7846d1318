"""The runs on one data set: a table, the settings in which they differ, their curves, and their answers by class."""

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_resnet import plots
from keras_resnet.detection.scoring import report_words
from keras_resnet.detection.scoring.report_words import interval
from keras_resnet.evaluation.class_words import in_words
from keras_resnet.reporting.collecting import curves
from keras_resnet.reporting.markup import figure, fragment, html_table, joined
from keras_resnet.reporting.paper_values import paper_error, trained_as_published
from keras_resnet.reporting.pictures import drawn, stored_figures
from keras_resnet.wording import duration

if TYPE_CHECKING:
    from markupsafe import Markup

MIN_POINTS = 3  # below which a curve shows nothing
TOGETHER = 10  # runs in a picture: there are as many colours, and room for their names
FIGURES = {"cifar10": ", as Fig. 6", "imagenet2012": ", as Fig. 4"}  # by data set
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
Group = dict[str, Any]  # of :meth:`keras_resnet.reporting.collecting.Found.groups`


def classifiers(groups: Sequence[Group]) -> "Markup":
    """The part of a page about classifiers that were trained on one data set."""
    names = names_of(groups)
    rows = []
    for name, group in zip(names, groups, strict=True):
        errors = [_error(group["scores"].get(f"{part}_error"), group["result"], part) for part in ("val", "test")]
        rows.append((name, *_length(group), *errors, _paper(group), *_cost(group)))
    header = ("network", "steps", "seeds", "validation error, %", "test error, %", "paper, %", "time", "hardware")
    return joined(
        [
            _table(header, rows),
            _differences(names, groups),
            _curves(names, groups),
            *(_by_class(name, group) for name, group in zip(names, groups, strict=True)),
            commands(groups),
        ]
    )


def detectors(groups: Sequence[Group]) -> "Markup":
    """The part of a page about detectors that were trained on one data set."""
    names = names_of(groups)
    scores = list(dict.fromkeys(key for group in groups for key in group["scores"]))
    titles = (key.split("_", 1)[1].replace("_", ", ") for key in scores)
    rows = [
        (
            *(name, *_length(group), *(_percent(group["scores"].get(key)) for key in scores)),
            *(_photos(group["result"]["val_examples"]), *_cost(group)),
        )
        for name, group in zip(names, groups, strict=True)
    ]
    header = ("from", "steps", "seeds", *(f"{title}, %" for title in titles), "photos", "time", "hardware")
    by_class = (_boxes_by_class(name, group) for name, group in zip(names, groups, strict=True))
    return joined([_table(header, rows), _differences(names, groups), *by_class, commands(groups)])


def data_names(data: Sequence[str]) -> list[str]:
    """The names of data sets without the folders that they are in, except where two would be called the same."""
    names = [Path(one).name for one in data]
    return [one if names.count(name) > 1 else name for one, name in zip(data, names, strict=True)]


def names_of(groups: Sequence[Group]) -> list[str]:
    """Short names of the networks, all different."""
    names = [_name(group["settings"]) for group in groups]
    return [
        name if names.count(name) == 1 else f"{name} ({names[: place + 1].count(name)})"
        for place, name in enumerate(names)
    ]


def commands(groups: Iterable[Group]) -> "Markup":
    """The commands of runs, folded away."""
    return fragment("folded", "commands", joined(made_by(group["result"]) for group in groups))


def made_by(result: dict) -> "Markup":
    """The command of a result, the hardware and the commit."""
    return fragment("origin", result["command"], f"{result['hardware']}, commit {result['commit'][:12]}")


def _name(settings: dict) -> str:
    network, colon, file = settings["model"].partition(":")
    short = f"{network}:{Path(file).name}" if colon else "/".join(Path(network).parts[-2:])
    words = [short, *(settings.get("change") or ()), settings.get("shortcut")]
    return " ".join(str(word) for word in words if word)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> "Markup":
    """A table without the columns that are empty in every row."""
    used = [i for i in range(len(header)) if any(row[i] for row in rows)]
    return html_table([header[i] for i in used], [[row[i] for i in used] for row in rows])


def _length(group: Group) -> tuple[str, str]:
    return f"{group['result']['steps']:,}", ", ".join(map(str, group["seeds"]))


def _cost(group: Group) -> tuple[str, str]:
    return duration(group["result"]["seconds"]), group["result"]["hardware"]


def _error(mean_std, result: dict, part: str) -> str:
    if mean_std is None:
        return ""
    mean, std = mean_std
    spread = "" if std is None else f" ± {std:.2f}"
    count = result.get(f"{part}_examples")
    return f"{mean:.2f}{spread}" + (f" of {count:,}" if count else "")


def _percent(mean_std) -> str:
    """A score from 0 to 1 in percent; empty if there is no score or, by COCO's -1, no object of that size."""
    if mean_std is None or mean_std[0] < 0:
        return ""
    mean, std = mean_std
    return f"{100 * mean:.1f}" + ("" if std is None else f" ± {100 * std:.1f}")


def _photos(count: int | None) -> str:
    return "" if count is None else f"{count:,}"


def _paper(group: Group) -> str:
    settings = group["settings"]
    if not trained_as_published(settings, group["result"]["steps"]):
        return ""
    return paper_error(settings["data"], settings["model"], settings.get("shortcut"))


def _differences(names: Sequence[str], groups: Sequence[Group]) -> "Markup":
    """The settings that are not the same in all groups, one column a group; nothing for a single group."""
    from keras_resnet.training.files.agreement import MAY_CHANGE

    all_settings = [group["settings"] for group in groups]
    keys = dict.fromkeys(key for settings in all_settings for key in settings if key not in (*MAY_CHANGE, "seed"))
    rows = [(key, *(_shown(settings.get(key)) for settings in all_settings)) for key in keys]
    differing = [row for row in rows if len(set(row[1:])) > 1]
    return html_table(("setting", *names), differing) if differing else joined([])


def _shown(value: object) -> str:
    values = value if isinstance(value, list | tuple) else [value]
    return " ".join(str(Path(v).name) if isinstance(v, str) and "/" in v else str(v) for v in values) if value else ""


def _curves(names: Sequence[str], groups: Sequence[Group]) -> "Markup":
    """Training and validation error of the runs, ten in a picture; runs with too few points are left out."""
    runs = {
        name + (f", seed {seed}" if len(group["seeds"]) > 1 else ""): curves(folder)
        for name, group in zip(names, groups, strict=True)
        for folder, seed in zip(group["folders"], group["seeds"], strict=True)
    }
    long = {name: rows for name, rows in runs.items() if sum("error" in row for row in rows) >= MIN_POINTS}
    if not long:
        return joined([])
    data = groups[0]["settings"]["data"]
    caption = f"training (dashed) and validation error{FIGURES.get(data, '')}"
    pictures = [dict(list(long.items())[start : start + TOGETHER]) for start in range(0, len(long), TOGETHER)]
    figures = [figure(drawn(functools.partial(plots.error_curves, some)), caption) for some in pictures]
    return fragment("side_by_side", figures)


def _by_class(name: str, group: Group) -> "Markup":
    """The answers by class of the first seed's network, folded away; nothing for older runs, which lack them."""
    result, folder = group["result"], group["folders"][0]
    measured = next((part for part in ("val", "test") if f"{part}_by_class" in result), None)
    if measured is None:
        return joined([])
    by_class = result[f"{measured}_by_class"]
    classes = sorted(by_class["classes"], key=lambda row: (row["recall"][0] is None, row["recall"][0]))
    rows = [
        (row["class"], row["photos"], interval(row["recall"]), row["answers"], interval(row["precision"]))
        for row in classes
    ]
    header = ("class", "photos", "recall, % (95 % interval)", "answers", "precision, % (95 % interval)")
    words = joined(fragment("paragraph", line) for line in in_words(by_class))
    body = joined([words, html_table(header, rows), stored_figures(folder, CLASS_PICTURES)])
    return fragment("folded", f"{name}, seed {result['seed']}: answers by class", body)


def _boxes_by_class(name: str, group: Group) -> "Markup":
    """The results by class of the first seed's detector, folded away; nothing for older runs, which lack them."""
    result, folder = group["result"], group["folders"][0]
    if "val_by_class" not in result:
        return joined([])
    by_class = result["val_by_class"]
    words = joined(fragment("paragraph", line) for line in report_words.in_words(by_class))
    table = html_table(report_words.HEADER, report_words.rows(by_class))
    body = joined([words, table, stored_figures(folder, BOX_PICTURES)])
    return fragment("folded", f"{name}, seed {result['seed']}: objects by class", body)
