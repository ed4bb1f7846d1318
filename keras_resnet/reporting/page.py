"""A self-contained HTML page of results: figures are embedded, and nothing is loaded from elsewhere."""

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

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
RUNS = {"Classifiers": classifiers, "Detectors": detectors, "Localization": classifiers}  # by title, on one data set


def write_page(folder: Path, path: Path) -> Found:
    """Write the results below ``folder`` as one self-contained page, and return them.

    Raises:
        InputError: there is no such folder, or no result in it.
    """
    results = collect(folder)
    sections = [
        *_run_sections(results),
        *((f"study-{i}", f"Study: {r['study']}", _study(p, r)) for i, (p, r) in enumerate(results.studies.items())),
        *(
            (f"instrument-{i}", *(_recipe_study(result) if "measured" in result else _instrument(path, result)))
            for i, (path, result) in enumerate(results.instruments.items())
        ),
    ]
    today = datetime.date.today().isoformat()
    text = document("Deep residual learning: results", f"{folder.name}, {today}", sections)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    return results


def _run_sections(results: Found) -> list[tuple[str, str, "Markup"]]:
    """A section for each kind of run and data set."""
    sections, all_groups = [], results.groups()
    for title, section in RUNS.items():
        by_data: dict[str, list[dict]] = {}
        for group in all_groups:
            if _title(group) == title:
                by_data.setdefault(group["settings"]["data"], []).append(group)
        for number, (name, groups) in enumerate(zip(data_names(list(by_data)), by_data.values(), strict=True)):
            sections.append((f"{title.lower()}-{number}", f"{title}: {name}", section(groups)))
    return sections


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


def _instrument(folder: Path, result: dict) -> tuple[str, "Markup"]:
    """The title and the section of an instrument's result."""
    title = TITLES.get(result["instrument"], result["instrument"])
    models = ", ".join("/".join(Path(str(model)).parts[-2:]) for model in result.get("models", []))
    statistics = f"batch normalization by {result['normalization']} statistics" if "normalization" in result else ""
    pictures = {"figure.png": TITLES.get(result["instrument"], ""), "surface.png": "loss surface"}
    words = "; ".join(filter(None, [models, statistics]))
    body = joined([fragment("paragraph", words), stored_figures(folder, pictures), made_by(result)])
    return title, body
