"""Training on JAX without TensorFlow: equal to Keras' own steps, on images equal to those that recipes decode."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT
from pack_images import COUNT, LABELS, PARTS, decode, encode, read_images
from PIL import Image
from programs import run

from keras_resnet import InputError, data, load_model
from keras_resnet.studies.earlier import ARM_KEYS, NUMERIC_KEYS, OTHER_KEYS, SETTINGS_KEYS

ON_JAX = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tools'}"}


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    path = tmp_path_factory.mktemp("jax") / "compared.npz"
    command = [sys.executable, ROOT / "tests" / "tools" / "compare_on_jax.py", path]
    completed = subprocess.run(command, env=ON_JAX, capture_output=True, text=True)
    assert completed.returncode == 0, completed.stderr
    return np.load(path)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """40 photos to train on and 20 to validate, of 44 x 36 pixels and two classes."""
    folder, rng = tmp_path_factory.mktemp("packed") / "photos", np.random.default_rng(0)
    for number in range(60):
        path = folder / ("train" if number < 40 else "val") / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (36, 44, 3), dtype=np.uint8)).save(path)
    return folder


@pytest.fixture(scope="module")
def packed(photos):
    completed = run("tools/pack_images.py", "--data", photos, "--out", photos.with_name("packed"), "--files", "2")
    assert completed.returncode == 0, completed.stderr
    return sorted(photos.parent.glob("packed-*.npz"))


@pytest.mark.slow
def test_steps_are_those_of_keras(compared):
    names, moving = compared["names"], set(compared["moving"])
    for place, name in enumerate(names):
        if place not in moving:
            theirs = compared[f"theirs{place}"]
            np.testing.assert_allclose(compared[f"ours{place}"], theirs, rtol=1e-3, atol=1e-4, err_msg=name)
    first, later = compared["our_losses"]
    np.testing.assert_allclose([first, later], [compared["losses"][:2].mean(), compared["losses"][2:].mean()], 1e-3)


@pytest.mark.slow
def test_statistics_are_those_of_all_batches_together(compared):
    maps = compared["first_maps"].reshape(-1, 16)  # by the network after Keras' steps, whose weights are the same
    names = list(compared["names"])
    for name, expected in (("mean", maps.mean(0)), ("variance", maps.var(0))):
        place = next(k for k, path in enumerate(names) if path.startswith("conv1_bn") and path.endswith(name))
        np.testing.assert_allclose(compared[f"ours{place}"], expected, rtol=1e-2, atol=1e-3 * np.abs(expected).max())


@pytest.mark.slow
def test_epochs_are_permutations_and_views_are_shifted_and_mirrored_images(compared):
    positions = compared["order"].ravel()
    assert sorted(positions[:20]) == sorted(positions[20:40]) == list(range(20))
    padded = np.pad(compared["images"] - compared["mean"], ((0, 0), (2, 2), (2, 2), (0, 0)))  # an eighth of 16
    kinds = set()
    for view, position in zip(compared["batches"].reshape(-1, 16, 16, 3), positions, strict=True):
        crops = {
            (dy, dx, flipped): padded[position, dy : dy + 16, dx : dx + 16][:, :: -1 if flipped else 1]
            for dy in range(5)
            for dx in range(5)
            for flipped in (False, True)
        }
        (kind,) = [kind for kind, crop in crops.items() if np.allclose(crop, view, atol=1e-3)]
        kinds.add(kind)
    assert len({kind[:2] for kind in kinds}) > 10
    assert {kind[2] for kind in kinds} == {False, True}


@pytest.mark.slow
def test_the_error_is_that_of_the_assigned_network(compared):
    wrong = (compared["outputs"].argmax(-1) != compared["labels"]).mean()
    assert compared["error"] == pytest.approx(100 * wrong)


def test_sheets_are_lossless():
    images = np.random.default_rng(0).integers(0, 256, (120, 8, 8, 3), dtype=np.uint8)
    np.testing.assert_array_equal(decode(encode(images), 120), images)


@pytest.mark.long
@pytest.mark.parametrize("size", [32, 16])
def test_packed_images_are_those_that_recipes_decode(photos, packed, size):
    opened = data.open_data(str(photos))
    name, parts, classes = read_images(tuple(packed), size)
    assert (name, classes) == (str(photos), opened.classes)
    assert parts.keys() == {"train", "val"}
    for part, split in (("train", opened.train), ("val", opened.validation)):
        decoded = data.decode_all(split, 32)
        np.testing.assert_array_equal(parts[part].labels, decoded.labels)
        if size == 32:
            np.testing.assert_array_equal(parts[part].images, decoded.images)
        else:  # the photos' sides are not multiples of 32, so the areas are those of the packed ones
            areas = decoded.images.reshape(-1, 16, 2, 16, 2, 3).mean((2, 4))
            assert np.abs(parts[part].images - areas).max() <= 0.5


@pytest.mark.long
@pytest.mark.parametrize("changed", [{"classes": np.array(["c", "d"])}, {}])
def test_a_file_that_an_earlier_set_left_is_refused(changed, packed, tmp_path):
    """Its images would take the places of those of the same numbers."""
    with np.load(packed[1]) as arrays:
        np.savez(tmp_path / "packed-2.npz", **dict(arrays) | changed)
    with pytest.raises(InputError, match=r"packed-2\.npz is of another set than .*packed-0\.npz, or has images of it"):
        read_images((*packed, tmp_path / "packed-2.npz"), 32)


@pytest.mark.long
def test_incomplete_damaged_and_unfitting_files_are_refused(packed, tmp_path):
    with pytest.raises(InputError, match="sheets are missing"):
        read_images(tuple(packed[1:]), 32)
    with pytest.raises(InputError, match="does not divide the side"):
        read_images(tuple(packed), 15)
    (tmp_path / "bad.npz").write_bytes(packed[0].read_bytes()[:1000])
    with pytest.raises(InputError, match=r"bad\.npz is damaged or not a \.npz file"):
        read_images((tmp_path / "bad.npz",), 32)
    np.savez(tmp_path / "much.npz", **{part + COUNT: 10**17 for part in PARTS})
    with pytest.raises(InputError, match="120,000,000,000,000 sheets are missing"):
        read_images((tmp_path / "much.npz",), 32)
    np.savez_compressed(tmp_path / "large.npz", train_0000000=np.zeros(10**8, np.uint8))
    with pytest.raises(InputError, match=r"large\.npz .* would take 100,000,"):
        read_images((tmp_path / "large.npz",), 32)
    counts = {part + COUNT: 3 * (part == "train") for part in PARTS}
    sheet = {"train_0000000": np.zeros(9, np.uint8), "train_0000000" + LABELS: np.zeros(3)}
    np.savez(tmp_path / "other.npz", **counts, **sheet)
    with pytest.raises(InputError, match="not files of pack_images"):
        read_images((tmp_path / "other.npz",), 32)


@pytest.mark.long
def test_what_runs_on_tensorflow_alone_is_refused():
    completed = run("tools/study_on_jax.py", "degradation", "--images", "cifar10-0.npz")
    assert completed.returncode == 2
    assert "set KERAS_BACKEND=jax" in completed.stderr
    for words, sentence in (
        (["augmentation"], "study augmentation compares settings of a recipe"),
        (["regularization"], "Arm ResNet110-mixed sets augmentation"),
        (["degradation", "--most-seeds", "8"], "--most-seeds is for recipes/studies/degradation.py"),
        (["degradation", "--arms", "ResNet18"], "--arms 'ResNet18'"),
        (["degradation", "--precision", "mixed_float16"], "--precision mixed_float16 needs a scaled loss"),
    ):
        completed = run("tools/study_on_jax.py", *words, "--images", "none.npz", environment={"KERAS_BACKEND": "jax"})
        assert completed.returncode == 2
        assert sentence in completed.stderr


@pytest.mark.slow
def test_a_study_of_jax_runs_is_continued_and_its_result_is_taken_by_the_study(photos, packed, tmp_path):
    short = ("--arms", "PlainNet20", "--seeds", "2", "--train-images", "32", "--batch-size", "16", "--image-size", "16")
    short += ("--scale", "0.0001", "--data", str(photos), "--workdir", str(tmp_path / "study"))
    command = [sys.executable, ROOT / "tools" / "study_on_jax.py", "degradation", "--images", *packed, *short, "--keep"]
    command += ["--together", "2", "--keep-below", "1000", "1e-9"]
    for _ in range(2):
        completed = subprocess.run(command, env=ON_JAX, capture_output=True, text=True)
        assert completed.returncode == 0, completed.stderr
    assert "seeds" not in completed.stdout  # the second time, nothing was trained
    for arm in ("PlainNet20", "ResNet20"):  # also where the runs are of another arm, which result.json would mix in
        different = [*command, "--base-lr", "0.2", "--arms", arm]
        other = subprocess.run(different, env=ON_JAX, capture_output=True, text=True)
        assert other.returncode == 2
        assert "a run with other settings (base_lr)" in other.stderr
    result = json.loads((tmp_path / "study" / "result.json").read_text())
    assert result.keys() >= set(SETTINGS_KEYS)
    assert result["arms"]["PlainNet20"].keys() >= set(ARM_KEYS)
    entries = result["arms"]["PlainNet20"]["runs"]
    assert [entry["seed"] for entry in entries] == [0, 1]
    for entry in entries:
        assert entry.keys() >= {*NUMERIC_KEYS, *OTHER_KEYS}
    kernels = []
    for seed in range(2):
        network = load_model(tmp_path / "study" / f"PlainNet20-seed{seed}.keras")
        assert network.class_names == data.open_data(str(photos)).classes
        assert network.preprocessing.mean.shape == (16, 16, 3)
        kernels.append(network.get_layer("conv1_conv").get_weights()[0])
        early = load_model(tmp_path / "study" / f"PlainNet20-seed{seed}-loss1000.keras")  # at the only validation
        np.testing.assert_array_equal(early.get_layer("conv1_conv").get_weights()[0], kernels[-1])
    assert not list((tmp_path / "study").glob("*loss1e-09*"))
    assert not np.allclose(*kernels)
    settings = (*short[4:-1], str(tmp_path / "collected"))
    completed = run(
        "recipes/studies/degradation.py", *short[:4], *settings, "--earlier", tmp_path / "study/result.json"
    )
    assert completed.returncode == 0, completed.stderr
    assert json.loads((tmp_path / "collected" / "result.json").read_text())["arms"]["PlainNet20"]["runs"] == entries
