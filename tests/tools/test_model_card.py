"""A run's card is what Hugging Face reads, and says what the run's result says; the folder loads as Keras loads it."""

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import write_photos
from programs import run
from small_runs import IMAGENET, small

import keras_resnet
from keras_resnet.reporting.model_card import ModelCard, _without_folders

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run, begun with absolute paths and a relative one, and its upload."""
    folder = tmp_path_factory.mktemp("card")
    photos = write_photos(folder)
    (folder / "of a client").mkdir()
    flags = ("--steps", 4, f"--data-dir={folder}/tfds", "--workdir", "of a client/../run")
    done = run(IMAGENET, *small(photos, folder / "run")[:-2], *flags, folder=folder)
    assert done.returncode == 0, done.stderr
    flags = ("--licence", "cc-by-4.0", "--upload", folder / "pets", "--name", "Pets: mine")
    done = run("tools/model_card.py", folder / "run", *flags)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_card_says_what_the_result_says(trained):
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    card, result = (trained / "run/README.md").read_text(), json.loads((trained / "run/result.json").read_text())
    _, head, body = card.split("---\n", 2)
    data = yaml.safe_load(head)
    assert (data["license"], data["library_name"]) == ("cc-by-4.0", "keras")
    (index,) = data["model-index"]
    assert index["name"] == "Pets: mine"
    (entry,) = index["results"]
    assert entry["dataset"] == {"type": "imagefolder", "name": "photos", "split": "validation"}
    assert entry["metrics"] == [{"type": "accuracy", "value": round(1 - result["val_error"] / 100, 4)}]
    for words in (
        f"validation error {result['val_error']:.2f} %",
        "trained on 12 photos: train",
        "validation on 4 photos: val",
        "classes: cat, dog",
        "| cat | 2 |",
        "the mean image of the training photos",
        "--steps 4",
        "seed 0",
        f"keras {keras.__version__}",
        "![confusion](confusion.png)",
    ):
        assert words in body, words
    assert str(trained) not in card
    assert "of a client" not in card
    assert "--data photos" in body
    assert "--data-dir=tfds --workdir run\n" in body


def test_names_of_others_are_no_markup_on_the_card(trained):
    """Names of classes are those of folders, and Markdown would take some for pictures, tags or edges of cells."""
    result = json.loads((trained / "run/result.json").read_text())
    names = ("<unknown>", "a | b ![x](http://x.y)")
    for row, name in zip(result["val_by_class"]["classes"], names, strict=True):
        row["class"] = name
    result["val_by_class"]["confused"] = [{"class": names[0], "answer": names[1], "count": 2}]
    network = keras_resnet.ResNet20(blocks=(1, 1, 1), classes=2)
    network.class_names, network.source = names, "<img> *s*"
    result["val_split"] = "<b>my* data/val"
    body = ModelCard("*stars*", result, network).markdown().split("---\n", 2)[2]
    assert "# \\*stars\\*\n" in body
    assert "photos: \\<b\\>my\\* data/val\n" in body
    assert "began with: \\<img\\> \\*s\\*\n" in body
    assert "classes: \\<unknown\\>, a | b !\\[x\\](http://x.y)\n" in body
    assert "| \\<unknown\\> | 2 |" in body
    assert "| a \\| b !\\[x\\](http://x.y) | 2 |" in body
    assert "most confused: \\<unknown\\> taken for a | b !\\[x\\](http://x.y) (2)" in body


def test_no_folder_is_in_a_command():
    words = ["a.py", "/b c/d.keras", "ResNet18:../e/f.npz", "--data=/g/h", "--model=ResNet18:~/i/j.th", "k/l/", "x=2"]
    names = ["a.py", "d.keras", "ResNet18:f.npz", "--data=h", "--model=ResNet18:j.th", "l/", "x=2"]
    assert _without_folders(words) == names


def test_the_folder_loads_as_keras_and_gives_the_run_s_answers(trained, rng):
    names = {
        "README.md",
        "config.json",
        "metadata.json",
        "model.weights.h5",
        "assets",
        "confusion.png",
        "reliability.png",
    }
    assert {path.name for path in (trained / "pets").iterdir()} == names
    loaded, last = keras.saving.load_model(trained / "pets"), keras_resnet.load_model(trained / "run/last.keras")
    x = rng.integers(0, 256, (3, 32, 32, 3)).astype("uint8")
    np.testing.assert_array_equal(loaded.preprocessing(x), last.preprocessing(x))
    np.testing.assert_array_equal(*(m.predict(m.preprocessing(x), verbose=0) for m in (loaded, last)))
    assert loaded.class_names == ("cat", "dog")


@pytest.mark.peers
def test_it_is_found_as_hf(trained, tmp_path, monkeypatch):
    """In the Hub's own cache, from which it loads what was downloaded, without a connection."""
    hub = pytest.importorskip("huggingface_hub", reason="needs the extra: hub")
    from huggingface_hub.repocard import ModelCard

    revision = "0" * 40
    place = tmp_path / "models--me--pets"
    shutil.copytree(trained / "pets", place / "snapshots" / revision)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text(revision)
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    loaded = keras.saving.load_model("hf://me/pets")
    assert loaded.class_names == ("cat", "dog")
    card = ModelCard.load(place / "snapshots" / revision / "README.md")
    (entry,) = card.data.eval_results
    assert (entry.metric_type, entry.dataset_name) == ("accuracy", "photos")


def test_what_has_no_card_is_refused(trained, tmp_path):
    for folder, words in (
        (tmp_path, "is not the folder of a finished run of a classifier"),
        (Path("nope"), "finished run"),
    ):
        done = run("tools/model_card.py", folder, folder=tmp_path)
        assert done.returncode == 2
        assert words in done.stderr.splitlines()[-1]
    for flags in ((), ("--upload", trained / "pets")):
        done = run("tools/model_card.py", trained / "run", *flags)
        assert done.returncode == 2
        assert "exists already: remove or rename it, so that nothing in it is lost" in done.stderr
    shutil.copytree(trained / "run", tmp_path / "run")
    (tmp_path / "run/README.md").unlink()
    result = json.loads((tmp_path / "run/result.json").read_text())
    del result["hardware"]
    (tmp_path / "run/result.json").write_text(json.dumps(result))
    done = run("tools/model_card.py", tmp_path / "run")
    assert done.returncode == 2
    assert "result.json is damaged (KeyError('hardware')): run the same command again" in done.stderr
    assert not (tmp_path / "run/README.md").exists()
