"""The page has all results, escapes text from files, and refers to no external files."""

import html.parser
import json
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from programs import load_program, run
from run_results import write_run

from keras_resnet import InputError, plots
from keras_resnet.analysis.instrument_result import write_result
from keras_resnet.data import ArraySplit
from keras_resnet.detection import DetectionData, DetectionReport, Detections, Photo, Truths
from keras_resnet.evaluation import Scores, report_of
from keras_resnet.reporting import paper_error, write_page
from keras_resnet.reporting.paper_values import trained_as_published
from keras_resnet.studies import compare
from keras_resnet.training.cifar import PAPER as CIFAR, CifarSettings
from keras_resnet.training.settings import as_json

ORIGIN = {"command": "python x.py", "commit": "0123456789abcdef", "hardware": "2 cores"}


class Outline(html.parser.HTMLParser):
    """Headings, image sources, links and table cells."""

    def __init__(self, text):
        super().__init__()
        self.headings, self.images, self.links, self.cells, self.tags, self._in = [], [], [], [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self._in = tag
        self.tags.append(tag)
        values = dict(attrs)
        self.images += [values["src"]] if tag == "img" else []
        self.links += [values["href"]] if "href" in values else []

    def handle_data(self, data):
        if self._in in ("h1", "h2"):
            self.headings.append(data)
        if self._in == "td":
            self.cells.append(data)

    def handle_endtag(self, tag):
        self._in = None


@pytest.fixture
def runs(tmp_path):
    folder = tmp_path / "runs"
    write_run(folder / "one", "ResNet20", 0, 13.0)
    write_run(folder / "two", "ResNet20", 1, 12.0)
    write_run(folder / "plain", "PlainNet20", 0, 20.0)
    study = folder / "study"
    study.mkdir()
    arm = {"model": "ResNet20", "parameters": 1000, "multiply_adds": 2000, "paper": 8.75}
    arm["runs"] = [{"hardware": "1 core"}, {"hardware": "4 cores"}, {"hardware": "1 core"}]
    arm |= {key: {"mean": 10.0, "std": 0.5, "best": 9.5} for key in ("train_error", "val_error", "test_error")}
    content = {"study": "gates", "question": "Do <gates> help?", "measure": "val_error", "steps": 3, "scale": 0.1}
    content |= {"batch_size": 32, "data": "cifar10", "seeds": 3, "arms": {"a<b": arm}, "costed": {}}
    content["comparisons"] = [
        {"first": "x", "second": "y"} | compare(dict(enumerate([1.0, 2.0, 3.0])), dict(enumerate([1.5, 2.5, 3.0])))
    ]
    (study / "result.json").write_text(json.dumps(content | ORIGIN))
    looked = folder / "looked"
    write_result(looked, "responses", {"models": ["m"], "mean": {"m": 1.0}}, ORIGIN)
    plots.panels([plots.Panel("t", "x", "y", {"m": [1.0, 2.0]})], looked / "figure.png")
    return folder


def test_the_page_is_whole_and_self_contained(runs, tmp_path):
    write_page(runs, tmp_path / "out" / "report.html")
    text = (tmp_path / "out" / "report.html").read_text()
    page = Outline(text)
    titles = [
        "Deep residual learning: results",
        "Classifiers: cifar10",
        "Study: gates",
        "Responses of 3x3 layers (Fig. 7)",
    ]
    assert page.headings == titles
    assert len(page.images) == 2  # the curves of all runs on the data set, and responses
    assert all(source.startswith("data:image/png;base64,") for source in page.images)
    assert all(link.startswith("#") for link in page.links)
    assert not re.search(r"https?://|url\(|<script [^>]*src", text)
    assert {"12.50 ± 0.71 of 5,000", "0, 1", "30 min"} <= set(page.cells)
    assert "8.75 (Table 6)" not in page.cells  # after 100 steps
    assert "a<b" in page.cells  # escaped in the file
    assert "Do &lt;gates&gt; help?" in text
    assert "3 seeds, 1 core and 4 cores. " in text
    assert "cannot decide" in text


def test_curves_of_many_runs_are_in_several_pictures(tmp_path, monkeypatch):
    """There are ten colours, and a picture has room for the names of as many runs."""
    drawn, draw = [], plots.error_curves
    monkeypatch.setattr(plots, "error_curves", lambda runs, path: (drawn.append(list(runs)), draw(runs, path)))
    for depth in range(12):
        write_run(tmp_path / f"{depth}", f"ResNet{6 * depth + 8}", 0, 13.0)
    write_page(tmp_path, tmp_path / "report.html")
    assert [len(names) for names in drawn] == [10, 2]
    assert len({name for names in drawn for name in names}) == 12
    assert len(Outline((tmp_path / "report.html").read_text()).images) == 2


@pytest.mark.long
def test_a_run_shows_which_classes_fail_worst_first(tmp_path):
    write_run(tmp_path / "one", "ResNet20", 0, 13.0)
    path = tmp_path / "one" / "result.json"
    scores = Scores(np.eye(3, dtype=np.float32)[[0, 1, 2, 2, 1, 1]], np.array([0, 0, 0, 2, 1, 1], np.int32))
    photos = ArraySplit("photos", np.zeros((6, 8, 8, 3), np.uint8), scores.labels)
    report = report_of(scores, ("<ant>", "bee", "cat"), photos)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"val_by_class": report.as_json()}))
    for name, write in report.writers().items():
        write(tmp_path / "one" / name)
    write_page(tmp_path, tmp_path / "report.html")
    page = Outline((tmp_path / "report.html").read_text())
    start = page.cells.index("<ant>")
    assert page.cells[start : start + 5] == ["<ant>", "3", "33.3 (6.1 to 79.2)", "1", "100.0 (20.7 to 100.0)"]
    assert page.cells[start + 5] == "bee"
    assert len(page.images) == 1 + 3  # curves, matrix, reliability, confused pairs; there are no explained mistakes
    assert "most confused: &lt;ant&gt; taken for bee (1)" in (tmp_path / "report.html").read_text()


def test_detectors_have_a_table_of_their_own(tmp_path):
    """Average precision in percent, mean and deviation over seeds; a size without objects (-1) stays empty."""
    for seed, precision in ((0, 0.5), (1, 0.6)):
        write_run(tmp_path / f"seed{seed}", "best.keras", seed, None, data="shapes")
        path = tmp_path / f"seed{seed}" / "result.json"
        result = json.loads(path.read_text()) | {"val_AP50": precision, "val_AP": 0.25, "val_AP_large": -1.0}
        del result["val_error"], result["test_error"]
        path.write_text(json.dumps(result))
    write_page(tmp_path, tmp_path / "report.html")
    page = Outline((tmp_path / "report.html").read_text())
    assert page.headings == ["Deep residual learning: results", "Detectors: shapes"]
    assert page.cells[:3] == ["best.keras", "100", "0, 1"]
    assert page.cells[3:6] == ["55.0 ± 7.1", "25.0 ± 0.0", "5,000"]  # a column without any score is left out


def test_runs_without_validation_photos_are_shown_too(tmp_path):
    """As those on all 50,000 images of Table 6, and detectors for VOC's server."""
    for folder, model in (("a", "ResNet20"), ("b", "best.keras")):
        write_run(tmp_path / folder, model, 0, None, data=f"of {folder}")
        path = tmp_path / folder / "result.json"
        result = json.loads(path.read_text()) | {"val_examples": None}
        result |= {"test_error": 8.5, "test_examples": 10_000} if folder == "a" else {}
        if folder == "b":
            del result["val_error"], result["test_error"]
        path.write_text(json.dumps(result))
    write_page(tmp_path, tmp_path / "report.html")
    page = Outline((tmp_path / "report.html").read_text())
    assert page.headings[1:] == ["Classifiers: of a", "Detectors: of b"]
    assert "8.50 of 10,000" in page.cells
    assert "best.keras" in page.cells


def test_a_study_of_a_recipe_shows_its_tables(tmp_path):
    rows = [["weights - none", "**-6.00 (-8.10 to -3.90)**"]]
    result = {"question": "Do <weights> help?", "measured": {}, "tables": {}}
    result["tables"]["differences"] = {"columns": ["difference", "error"], "rows": rows}
    write_result(tmp_path / "study", "balance", result, ORIGIN)
    write_page(tmp_path, tmp_path / "report.html")
    page = Outline((tmp_path / "report.html").read_text())
    assert page.headings[1:] == ["Study: balance"]
    assert page.cells == ["weights - none", "-6.00 (-8.10 to -3.90)"]
    assert "Do &lt;weights&gt; help?" in (tmp_path / "report.html").read_text()


def test_damaged_results_are_named_and_left_out(tmp_path, capsys):
    """As people leave them who edit them, or send them."""
    faults = {"a": {"val_examples": "x"}, "b": {"val_by_class": {}}, "c": {"val_error": [1]}}
    for seed, (folder, fault) in enumerate(faults.items()):
        write_run(tmp_path / folder, "ResNet20", 0, 10.0 + seed, base_lr=seed)
        path = tmp_path / folder / "result.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fault))
    write_run(tmp_path / "good", "ResNet20", 0, 13.0)
    path = tmp_path / "good" / "result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"hardware": "\ud800"}))  # which UTF-8 does not have
    table = {"columns": ["arm"], "rows": 3}
    write_result(tmp_path / "study", "balance", {"question": "?", "measured": {}, "tables": {"arms": table}}, ORIGIN)
    write_page(tmp_path, tmp_path / "report.html")
    page, said = Outline((tmp_path / "report.html").read_text()), capsys.readouterr().err
    assert page.headings[1:] == ["Classifiers: cifar10"]
    assert page.cells.count("13.00 of 5,000") == 1
    assert not [cell for cell in page.cells if cell.startswith(("10.00", "11.00", "12.00"))]
    for folder in ("a", "b", "c", "study"):
        assert f"{tmp_path / folder / 'result.json'} is left out: it is" in said
    (tmp_path / "good" / "result.json").unlink()
    with pytest.raises(InputError, match=r"All results below .* are damaged"):
        write_page(tmp_path, tmp_path / "report.html")


def test_networks_of_localization_are_no_classifiers(tmp_path):
    for name, size in (("rpn", None), ("rcnn", 64)):
        write_run(tmp_path / name, "best.keras", 0, 12.0, data="dogs", region_size=size)
    write_page(tmp_path, tmp_path / "report.html")
    page = Outline((tmp_path / "report.html").read_text())
    assert page.headings[1:] == ["Localization: dogs"]
    assert page.cells.count("12.00 of 5,000") == 2


def test_the_papers_value_stands_beside_a_run_of_the_papers_length_alone(tmp_path):
    write_run(tmp_path / "whole", "ResNet20", 0, 8.7, batch_size=128)
    path = tmp_path / "whole" / "result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"steps": 64_000}))
    write_run(tmp_path / "changed", "ResNet20", 0, 9.1, batch_size=128, change=["width=0.5"])
    write_page(tmp_path, tmp_path / "report.html")
    assert Outline((tmp_path / "report.html").read_text()).cells.count("8.75 (Table 6)") == 1


def test_settings_that_differ_stand_side_by_side_under_short_names(tmp_path):
    """Two runs on one folder of photos, from the same file, with different rates; the data set has its name alone."""
    for folder, rate in (("a", 0.1), ("b", 0.02)):
        write_run(tmp_path / folder, "ResNet20:/long/way/w.th", 0, 10.0, data="/far/away/pets", base_lr=rate)
    write_page(tmp_path, tmp_path / "report.html")
    page = Outline((tmp_path / "report.html").read_text())
    assert page.headings[1:] == ["Classifiers: pets"]
    start = page.cells.index("base_lr")
    assert page.cells[start : start + 3] == ["base_lr", "0.1", "0.02"]
    assert {"ResNet20:w.th (1)", "ResNet20:w.th (2)"} <= set(page.cells)
    assert "/far/away" not in "".join(page.cells)


def test_data_sets_of_one_name_in_two_folders_are_not_mixed(tmp_path):
    for folder in ("a", "b"):
        write_run(tmp_path / folder, "ResNet20", 0, 10.0, data=f"/{folder}/pets")
    write_page(tmp_path, tmp_path / "report.html")
    page = Outline((tmp_path / "report.html").read_text())
    assert page.headings[1:] == ["Classifiers: /a/pets", "Classifiers: /b/pets"]


def test_a_detector_shows_which_classes_it_misses_worst_first(tmp_path):
    write_run(tmp_path / "one", "best.keras", 0, None, data="shapes")
    path = tmp_path / "one" / "result.json"
    cats, dogs = Truths([[0, 0, 9, 9]], [0]), Truths([[20, 20, 40, 40]], [1])
    photos = tuple(Photo(place, Path(f"{place}.jpg"), 50, 50, truth) for place, truth in enumerate((cats, dogs)))
    report = DetectionReport(
        DetectionData("val", ("cat", "<dog>"), photos), {0: Detections([[0, 0, 9, 9]], [0], [0.9])}
    )
    result = json.loads(path.read_text()) | {"val_AP50": 0.5, "val_by_class": report.as_json()}
    del result["val_error"], result["test_error"]
    path.write_text(json.dumps(result))
    for name, write in report.writers().items():
        write(tmp_path / "one" / name)
    write_page(tmp_path, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    page = Outline(text)
    start = page.cells.index("<dog>")
    assert page.cells[start : start + 3] == ["<dog>", "1", "0.0 (0.0 to 0.0)"]
    assert page.cells[page.cells.index("cat") : page.cells.index("cat") + 3] == ["cat", "1", "100.0 (100.0 to 100.0)"]
    assert start < page.cells.index("cat")
    assert "1 object missed, 0 boxes on nothing" in text
    assert text.count("data:image/jpeg") == 2  # missed and false boxes


@pytest.mark.parametrize(
    ("model", "shortcut", "expected"),
    [("ResNet18", None, ""), ("ResNet18", "A", "27.88"), ("ResNet34", None, "24.52"), ("ResNet34", "A", "25.03"),
     ("ResNet34", "C", "24.19"), ("PlainNet34", None, "28.54"), ("ResNet50", None, "22.85"), ("ResNet50", "C", "")],
)  # fmt: skip
def test_a_network_is_compared_with_the_papers_figure_for_its_own_shortcut(model, shortcut, expected):
    """Tables 2 and 3: the default of ResNet-18 and 34 is option B, for which the paper has a value only for 34."""
    assert paper_error("imagenet2012", model, shortcut).split(" ")[0] == expected


def test_cifar_networks_are_compared_with_table_6():
    assert paper_error("cifar10", "ResNet110", None) == "6.43 (6.61 ± 0.16) (Table 6)"
    assert paper_error("cifar10", "ResNet20", "B") == paper_error("cifar10", "PlainNet20", None) == ""
    assert paper_error("imagenette", "ResNet50", None) == ""


def test_runs_of_the_papers_presets_alone_stand_beside_its_values():
    """A run stores its image size, also where that is the preset's."""
    cifar = as_json(CifarSettings(data="cifar10", **CIFAR))
    assert trained_as_published(cifar, 64_000)
    assert trained_as_published(cifar | {"image_size": None, "train_images": "all"}, 64_000)
    imagenet = load_program(ROOT / "recipes" / "imagenet.py")
    photos = as_json(imagenet.Settings(data="imagenet2012", schedule="plateau", **imagenet.PAPER))
    assert trained_as_published(photos, 600_000)
    assert not trained_as_published(cifar, 63_999)
    assert not trained_as_published(cifar | {"data": "demo"}, 64_000)
    for change in ({"image_size": 16}, {"augmentation": "mixed"}, {"change": ["width=2"]}, {"train_images": 2000}):
        assert not trained_as_published(cifar | change, 64_000)
    for change in ({"image_size": 32}, {"recipe": "modern"}, {"loss": "binary"}, {"augment": ["trivial"]}):
        assert not trained_as_published(photos | change, 600_000)


@pytest.mark.long
def test_the_tool_says_what_it_found(runs):
    completed = run("tools/report.py", runs)
    assert completed.returncode == 0, completed.stderr
    assert completed.stdout.startswith("3 runs, 1 studies, 1 analyses in")
    assert (runs / "report.html").exists()


@pytest.mark.long
def test_a_folder_without_results_ends_in_a_sentence(tmp_path):
    completed = run("tools/report.py", tmp_path)
    assert completed.returncode == 2
    assert completed.stderr.splitlines()[-1].startswith("report.py: There is no result.json below")
