"""A self-contained HTML page of results: figures are embedded, and nothing is loaded from elsewhere."""

import datetime
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from keras_resnet.errors import InputError
from keras_resnet.files import write_text
from keras_resnet.reporting.collecting import Found, collect
from keras_resnet.reporting.markup import document, fragment, html_table, joined
from keras_resnet.reporting.pictures import stored_figures
from keras_resnet.reporting.run_sections import classifiers, data_names, detectors, made_by
from keras_resnet.studies.report import HEADER, about, table, tested, verdicts

if TYPE_CHECKING:
    from markupsafe import Markup

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
DAMAGE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)  # by values that no program writes
T = TypeVar("T")
RUNS = {"Classifiers": classifiers, "Detectors": detectors, "Localization": classifiers}  # by title, on one data set


def write_page(folder: Path, path: Path) -> Found:
    """Write the results below ``folder`` as one self-contained page, and return them.

    Raises:
        InputError: there is no such folder, or no result in it.
    """
    results = collect(folder)
    sections = [
        *_run_sections(results),
        *_sections_of(results.studies, "study", lambda path, r: (f"Study: {r['study']}", _study(path, r))),
        *_sections_of(results.instruments, "instrument", _of_instrument),
    ]
    if not sections:
        raise InputError(f"All results below {folder} are damaged: run their commands again.")
    today = datetime.date.today().isoformat()
    text = document("Deep residual learning: results", f"{folder.name}, {today}", sections)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    return results


def _sections_of(
    results: dict[Path, dict], kind: str, make: "Callable[[Path, dict], tuple[str, Markup]]"
) -> "Iterator[tuple[str, str, Markup]]":
    """A section for each result of a kind that is not damaged."""
    for number, (path, result) in enumerate(results.items()):
        made = _unless_damaged([path], functools.partial(make, path, result))
        if made is not None:
            yield f"{kind}-{number}", *made


def _unless_damaged(folders: Sequence[Path], make: Callable[[], T]) -> T | None:
    """What ``make`` makes of the results in ``folders``, or None if they are damaged, which is reported."""
    try:
        return make()
    except DAMAGE as error:
        for folder in folders:
            one = "it" if len(folders) == 1 else "it, or that of a run beside it,"
            print(f"{folder / 'result.json'} is left out: {one} is damaged ({error!r:.100})", file=sys.stderr)
        return None


def _run_sections(results: Found) -> list[tuple[str, str, "Markup"]]:
    """A section for each kind of run and data set."""
    sections, all_groups = [], results.groups()
    for title, section in RUNS.items():
        by_data: dict[str, list[dict]] = {}
        for group in all_groups:
            if _title(group) == title:
                by_data.setdefault(group["settings"]["data"], []).append(group)
        for number, (name, groups) in enumerate(zip(data_names(list(by_data)), by_data.values(), strict=True)):
            body = _without_damaged(section, groups)
            if body is not None:
                sections.append((f"{title.lower()}-{number}", f"{title}: {name}", body))
    return sections


def _without_damaged(section: "Callable[[Sequence[dict]], Markup]", groups: Sequence[dict]) -> "Markup | None":
    """The section of those ``groups`` that are not damaged; None if all are."""
    try:
        return section(groups)
    except DAMAGE:
        alone = {id(group): _unless_damaged(group["folders"], functools.partial(section, [group])) for group in groups}
        whole = [group for group in groups if alone[id(group)] is not None]
        folders = [folder for group in whole for folder in group["folders"]]
        return _unless_damaged(folders, lambda: section(whole)) if whole else None


def _title(group: dict) -> str:
    """The title of the section about runs of this kind; one without validation photos has no score to tell it by."""
    if "region_size" in group["settings"]:
        return "Localization"
    return "Classifiers" if "val_error" in group["result"] else "Detectors"


def _study(folder: Path, result: dict) -> "Markup":
    answers = verdicts(result)
    words = f"{about(result)}. {tested(result)[:-1] if answers else ''}"
    pictures = {"figure.png": "each run, mean and standard deviation", "curves.png": "seed 0, as Fig. 6"}
    return joined(
        [
            fragment("answer", result["question"], answers, words),
            stored_figures(folder, pictures),
            html_table(HEADER, table(result)),
            made_by(result),
        ]
    )


def _recipe_study(result: dict) -> tuple[str, "Markup"]:
    """The title and the section of a study whose arms are settings of a recipe: its tables."""
    tables = [
        html_table(table["columns"], [[str(cell).strip("*") for cell in row] for row in table["rows"]])
        for table in result["tables"].values()
    ]
    body = joined([fragment("paragraph", result["question"]), *tables, made_by(result)])
    return f"Study: {result['instrument']}", body


def _of_instrument(folder: Path, result: dict) -> tuple[str, "Markup"]:
    return _recipe_study(result) if "measured" in result else _instrument(folder, result)


def _instrument(folder: Path, result: dict) -> tuple[str, "Markup"]:
    """The title and the section of an instrument's result."""
    title = TITLES.get(result["instrument"], result["instrument"])
    models = ", ".join("/".join(Path(str(model)).parts[-2:]) for model in result.get("models", []))
    statistics = f"batch normalization by {result['normalization']} statistics" if "normalization" in result else ""
    pictures = {"figure.png": TITLES.get(result["instrument"], ""), "surface.png": "loss surface"}
    words = "; ".join(filter(None, [models, statistics]))
    body = joined([fragment("paragraph", words), stored_figures(folder, pictures), made_by(result)])
    return title, body
