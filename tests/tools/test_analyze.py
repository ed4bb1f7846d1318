"""The instruments' commands, as a user runs them on photos."""

import contextlib
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from programs import load_program, run

import keras_resnet
from keras_resnet import InputError
from keras_resnet.weights import CAFFE

pytestmark = pytest.mark.long

SMALL = ["--images", 4]
COMMANDS = {
    "responses": SMALL,
    "gradients": [*SMALL, "--batch-size", 2],
    "curvature": [*SMALL, "--eigenvalues", 1, "--steps", 3, "--probes", 2],
    "lipschitz": ["--images", 1],
    "conditioning": ["--steps", 3, "--probes", 1],
    "lesions": [*SMALL, "--draws", 1, "--path-images", 2],
}


def analyze(*arguments):
    return run("tools/analyze.py", *arguments)


@pytest.fixture
def networks(tmp_path):
    """A residual and a plain network of two classes, in files."""
    paths = []
    for name, residual in (("residual", True), ("plain", False)):
        model = keras_resnet.ResNet20(blocks=(2, 2), filters=(4, 8), residual=residual, classes=2)
        model.save(tmp_path / f"{name}.keras")
        paths.append(tmp_path / f"{name}.keras")
    return paths


def test_each_instrument_writes_its_result_and_figure(networks, photo_folder, tmp_path):
    for name, options in COMMANDS.items():
        out = tmp_path / "out" / name
        completed = analyze(name, "--model", *networks, "--data", photo_folder, "--out", out, *options)
        assert completed.returncode == 0, completed.stderr
        result = json.loads((out / "result.json").read_text())
        assert result["instrument"] == name
        assert {"residual", "plain"} <= result[name].keys()
        assert {"command", "commit", "hardware", "models"} <= result.keys()
        assert Image.open(out / "figure.png").size[0] > 400
        assert "residual" in completed.stdout


def test_images_are_of_all_classes_and_in_no_order(networks, photo_folder):
    """The photos are sorted by class: the first six of the training part are cats."""
    instrument = load_program("tools/analyze_common.py").OnImages(
        model=(str(networks[0]),), data=str(photo_folder), split="train", images=6
    )
    ((_, images, labels),) = instrument.load().values()
    assert images.shape == (6, 32, 32, 3)
    assert sorted(labels) == [0, 0, 0, 1, 1, 1]
    assert sorted(labels) != labels.tolist() != sorted(labels, reverse=True)
    instrument = replace(instrument, images=100)
    assert [len(labels) for _, _, labels in instrument.load().values()] == [12]


def test_trained_networks_need_the_data_s_classes(tmp_path, photo_folder):
    """An untrained one may have more outputs, and one without class names is of any classes of that number."""
    analyze_common = load_program("tools/analyze_common.py")
    for classes, names, words in (
        (2, ("bee", "dog"), "was trained on other classes than .* has \\(bee for cat\\)"),
        (10, None, "gives 10 scores and the data has 2 classes"),
        (2, None, None),
        (2, ("cat", "dog"), None),
    ):
        model = keras_resnet.ResNet20(blocks=(1, 1), filters=(4, 8), classes=classes)
        model.preprocessing, model.class_names = CAFFE, names
        model.save(tmp_path / "trained.keras")
        instrument = analyze_common.OnImages(model=(str(tmp_path / "trained.keras"),), data=str(photo_folder), images=2)
        with pytest.raises(InputError, match=words) if words else contextlib.nullcontext():
            instrument.load()
    untrained = analyze_common.OnImages(model=("ResNet20",), data=str(photo_folder), images=2)
    assert "ResNet20" in untrained.load()


def test_cost_of_shortcuts_side_by_side(tmp_path):
    completed = analyze("cost", "--model", "ResNet20", "--shortcuts", "A", "C", "--layers", "--out", tmp_path / "cost")
    assert completed.returncode == 0, completed.stderr
    cost = json.loads((tmp_path / "cost" / "result.json").read_text())["cost"]
    identity, projection = cost["ResNet20 shortcut=A"], cost["ResNet20 shortcut=C"]
    assert identity["parameters"] == 269_722 < projection["parameters"]
    assert identity["kept_per_image"] < projection["kept_per_image"]
    assert identity["largest_batch"] > projection["largest_batch"]
    assert "| conv2_block1_1_conv | 32x32x16 | 2,304 |" in completed.stdout
    assert "measured" not in completed.stdout


def test_gradients_at_the_checkpoints_of_a_run_and_its_network_at_a_loss(photo_folder, tmp_path):
    recipe = ["--data", photo_folder, "--steps", 4, "--batch-size", 4, "--save-every", 2, "--workdir", tmp_path / "run"]
    trained = run("recipes/cifar10.py", *recipe, "--change", "blocks=[1,1]", "filters=[4,8]")
    assert trained.returncode == 0, trained.stderr
    completed = analyze("training", "--workdir", tmp_path / "run", "--images", 8)
    assert completed.returncode == 0, completed.stderr
    result = json.loads((tmp_path / "run" / "analysis" / "result.json").read_text())
    records = result["records"]
    assert records[-1]["step"] == 4
    assert result["last"] == {stage: pytest.approx(np.mean(norms)) for stage, norms in records[-1]["norms"].items()}
    assert records[-1]["ratios"]["conv1_conv/kernel"] > 0
    assert set(records[-1]["norms"]) == {"conv1", "conv2", "conv3", "predictions"}
    at_loss = ("at-loss", "--workdir", tmp_path / "run", "--out", tmp_path / "kept", "--below")
    completed = analyze(*at_loss, 1000, 1e-6)
    assert (completed.returncode, "has a training loss below 1e-06" in completed.stderr) == (2, True)
    assert "| 1000 | 2 |" in completed.stdout
    network = keras_resnet.load_model(tmp_path / "kept" / "run-loss1000.keras")
    with np.load(tmp_path / "run" / "checkpoints" / "step-000000002" / "variables.npz") as arrays:
        np.testing.assert_array_equal(network.get_layer("conv1_conv").kernel, arrays["00000 kernel"])


def test_wrong_input_ends_in_a_sentence(photo_folder, tmp_path):
    for arguments, words in (
        (
            ("responses", "--model", "ResNet20", "--data", photo_folder, "--images", 0),
            "--images 0 must be a whole number from 1",
        ),
        (("training", "--workdir", tmp_path), "is not the folder of a run"),
        (("cost", "--model", "ResNet21"), "ResNet21"),
        (("cost", "--change", "shortcut=B", "--shortcuts", "A", "C"), "both choose the shortcut: give only one"),
        (("lesions", "--model", "ResNet20", "--data", "demo", "--folds", 5, "--fold", 2), "--folds divides photos"),
    ):
        completed = analyze(*arguments)
        assert completed.returncode == 2
        assert words in completed.stderr.splitlines()[-1]
