"""The page holds everything, escapes what files say, and refers to nothing outside."""

import html.parser
import json
import re
import subprocess
import sys

import pytest
from conftest import ROOT
from run_results import write_run

from keras_resnet import plots
from keras_resnet.analysis.results import write_result
from keras_resnet.reporting import write_page
from keras_resnet.studies import compare

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
    content["comparisons"] = [{"first": "x", "second": "y"} | compare([1.0, 2.0, 3.0], [1.5, 2.5, 3.0])]
    (study / "result.json").write_text(json.dumps(content | ORIGIN))
    looked = folder / "looked"
    write_result(looked, "responses", {"models": ["m"], "mean": {"m": 1.0}}, ORIGIN)
    plots.panels([plots.Panel("t", "x", "y", {"m": [1.0, 2.0]})], looked / "figure.png")
    return folder


def test_the_page_is_whole_and_self_contained(runs, tmp_path):
    write_page(runs, tmp_path / "out" / "report.html")
    text = (tmp_path / "out" / "report.html").read_text()
    page = Outline(text)
    titles = ["Deep residual learning: results", "Runs", "Study: gates", "Responses of 3x3 layers (Fig. 7)"]
    assert page.headings == titles
    assert len(page.images) == 3  # residual curves, plain curves, responses
    assert all(source.startswith("data:image/png;base64,") for source in page.images)
    assert all(link.startswith("#") for link in page.links)
    assert "script" not in page.tags
    assert not re.search(r"https?://|url\(", text)
    assert {"12.50 ± 0.71 (5000 images)", "8.75 (Table 6)", "0, 1"} <= set(page.cells)
    assert "a<b" in page.cells  # escaped in the file
    assert "Do &lt;gates&gt; help?" in text
    assert "3 seeds, 1 core and 4 cores<" in text
    assert "cannot decide" in text


def test_the_tool_says_what_it_found(runs):
    command = [sys.executable, ROOT / "tools" / "report.py", runs]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("3 runs, 1 studies, 1 analyses in")
    assert (runs / "report.html").exists()


def test_a_folder_without_results_ends_in_a_sentence(tmp_path):
    command = [sys.executable, ROOT / "tools" / "report.py", tmp_path]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("report.py: There is no result.json below")
