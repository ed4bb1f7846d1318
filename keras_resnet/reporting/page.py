"""A self-contained HTML page of results: figures are embedded, and there are no scripts or external files."""

import base64
import datetime
import html
import tempfile
from pathlib import Path

from keras_resnet import plots
from keras_resnet.files import write_whole
from keras_resnet.reporting.collecting import Found, collect, curves
from keras_resnet.reporting.paper_values import paper_error
from keras_resnet.studies.report import HEADER, about, table, tested, verdicts

STYLE = """
:root { color-scheme: light dark; --line: #8884; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; font-size: 0.9rem; }
th, td { border-bottom: 1px solid var(--line); padding: 0.3rem 0.7rem; text-align: right; }
th:first-child, td:first-child { text-align: left; }
.wide { overflow-x: auto; }
img { max-width: 100%; background: white; border-radius: 4px; }
figure { margin: 1rem 0; } figcaption { font-size: 0.9rem; opacity: 0.8; }
code { font-size: 0.85rem; overflow-wrap: anywhere; } nav a { margin-right: 1rem; }
section { border-top: 2px solid var(--line); margin-top: 2.5rem; }
"""
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
    links = "".join(f'<a href="#{name}">{html.escape(title)}</a>' for name, title, _ in sections)
    bodies = "".join(
        f'<section id="{name}"><h2>{html.escape(title)}</h2>{body}</section>' for name, title, body in sections
    )
    today = datetime.date.today().isoformat()
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>keras_resnet: results</title>'
        f"<style>{STYLE}</style></head><body><h1>Deep residual learning: results</h1>"
        f"<p>{html.escape(folder.name)}, {today}. Errors are in percent; the paper's are on the full test sets.</p>"
        f"<nav>{links}</nav>{bodies}</body></html>\n"
    )
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
    return _table(header, rows) + _commands(groups)


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
                drawn.append(_figure(_drawn(lambda path, r=runs: plots.error_curves(r, path)), caption))
    return _table(header, rows) + "".join(drawn) + _commands(groups)


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
        + _table(HEADER, table(result))
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
    return "".join(_figure((folder / n).read_bytes(), text) for n, text in names.items() if (folder / n).exists())


def _figure(picture: bytes, caption: str) -> str:
    source = "data:image/png;base64," + base64.b64encode(picture).decode()
    words = html.escape(caption)
    return f'<figure><img src="{source}" alt="{words}"><figcaption>{words}</figcaption></figure>'


def _drawn(draw) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder) / "figure.png")
        return (Path(folder) / "figure.png").read_bytes()


def _table(header, rows) -> str:
    def cells(tag, values):
        return "".join(f"<{tag}>{html.escape(str(value))}</{tag}>" for value in values)

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{cells("th", header)}</tr></thead><tbody>{body}</tbody></table></div>'
