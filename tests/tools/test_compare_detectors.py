"""Means of several detectors and paired differences, against the scores of each detector alone."""

import json
import shutil

import numpy as np
import pytest
from conftest import randomize
from programs import load_program

from keras_resnet.detection import (
    Detector,
    FasterRCNN,
    ImageSize,
    Matches,
    Proposals,
    interval,
    open_coco,
    read_photos,
)
from keras_resnet.errors import InputError

pytestmark = pytest.mark.long
PROPOSALS = Proposals((1.5, 2.5), smallest=4.0)


@pytest.fixture(scope="module")
def tool():
    return load_program("tools/compare_detectors.py")


def test_a_setting_is_the_mean_of_its_detectors(tool, classifier, rectangles, tmp_path, capsys):
    data = open_coco(rectangles / "val.json", rectangles / "val")
    model = FasterRCNN(classifier, ["red", "blue"], PROPOSALS, image_size=ImageSize(96, 96))
    matches, detector = [], Detector([model])
    for number in range(3):
        randomize(model.box_predictor, np.random.default_rng(number))
        model.save(tmp_path / f"seed{number}.keras")
        detections = {photo.id: detector(image) for photo, image in read_photos(data)}
        matches.append(Matches(data, detections, (0.5,)))
    settings = (f"both={tmp_path}/seed[01].keras", f"other={tmp_path}/seed2.keras")
    tool.CompareDetectors(settings, str(rectangles), json=tmp_path / "table.json").run()
    content = json.loads((tmp_path / "table.json").read_text())
    rows = {(row["setting"], row["score"]): row["values"] for row in content["rows"]}
    assert rows["both", "AP50"] == pytest.approx([part.mean_ap() for part in matches[:2]], abs=1e-9)
    assert max(rows["both", "AP50"]) > 0
    draws = [part.draws() for part in matches]
    low, high = interval(100 * (draws[2] - np.mean(draws[:2], axis=0)))
    difference = 100 * (matches[2].mean_ap() - np.mean(rows["both", "AP50"]))
    cells = content["tables"]["comparison"]["rows"]
    row = next(row for row in cells if row[:2] == ["other", "AP50"])
    assert row[3] == f"{difference:+.1f} ({low:+.1f} to {high:+.1f})"
    assert "| both | AP50 | " in capsys.readouterr().out


def test_what_cannot_be_compared_is_refused(tool, rectangles, tmp_path):
    for settings, words in (
        ((), "Give settings of different names"),
        ((f"a={tmp_path}/nope.keras",), "There is no file for a="),
    ):
        with pytest.raises(InputError, match=words):
            tool.CompareDetectors(settings).run()
    shutil.copytree(rectangles / "val", tmp_path / "val")
    content = json.loads((rectangles / "val.json").read_text())
    (tmp_path / "val.json").write_text(json.dumps(content | {"annotations": []}))
    with pytest.raises(InputError, match="val has no objects to score by: give photos with their objects"):
        tool.CompareDetectors((f"a={tmp_path}/val.json",), str(tmp_path)).run()
