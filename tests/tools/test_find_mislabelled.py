"""A photo in the wrong folder is on the page and at the top of the list."""

import csv
import json
import shutil

import numpy as np
import pytest
from conftest import randomize
from PIL import Image
from programs import run

import keras_resnet
from keras_resnet.weights import TORCH

pytest.importorskip("cleanlab", reason="needs the extra: labels")
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Dark cats and bright dogs; one bright picture is among the cats."""
    folder, rng = tmp_path_factory.mktemp("pets"), np.random.default_rng(0)
    for name, level in (("cat", 40), ("dog", 200)):
        (folder / "pets" / name).mkdir(parents=True)
        for number in range(15):
            pixels = rng.normal(level, 12, (40, 40, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "pets" / name / f"{number}.png")
    shutil.move(folder / "pets/dog/3.png", folder / "pets/cat/a dog.png")
    model = keras_resnet.ResNet20(blocks=(1, 1, 1), classes=2)
    randomize(model, rng)
    model.preprocessing = TORCH
    model.save(folder / "m.keras")
    return folder


def test_a_photo_in_the_wrong_folder_is_at_the_top(folder, tmp_path):
    flags = ("--model", folder / "m.keras", "--out", tmp_path / "labels.html", "--json", tmp_path / "labels.json")
    done = run("tools/find_mislabelled.py", folder / "pets", *flags)
    assert done.returncode == 0, done.stderr
    assert "pets: 30 of 30 labels judged by the photos of the other folds" in done.stdout
    assert "2 labels changed on purpose" in done.stdout
    with open(tmp_path / "labels.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 30
    assert rows[0]["path"] == str(folder / "pets/cat/a dog.png")
    assert (rows[0]["place"], rows[0]["label"], rows[0]["answer"], rows[0]["suspect"]) == ("1", "cat", "dog", "yes")
    assert float(rows[0]["probability"]) < 0.5 < float(rows[0]["answer_probability"])
    page, content = (tmp_path / "labels.html").read_text(), json.loads((tmp_path / "labels.json").read_text())
    assert page.count("<img ") == content["suspects"] >= 1
    assert "looks like dog" in page
    assert content["check"]["changed"] == 2


def test_a_network_without_preprocessing_and_a_folder_of_one_class_are_refused(folder, tmp_path):
    shutil.copytree(folder / "pets/cat", tmp_path / "one" / "cat")
    done = run("tools/find_mislabelled.py", tmp_path / "one", "--model", folder / "m.keras", folder=tmp_path)
    assert done.returncode == 2
    assert "are of one class, cat" in done.stderr
    done = run("tools/find_mislabelled.py", folder / "pets", "--model", "ResNet20", folder=tmp_path)
    assert done.returncode == 2
    assert "does not know its preprocessing" in done.stderr
    assert not list(tmp_path.glob("mislabelled*"))
