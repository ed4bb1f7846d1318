"""CIFAR state dicts: trained weights have their published accuracy, and weights that do not fit are refused."""

import collections
import functools
import re

import numpy as np
import pytest
from weights.torch_writer import write_torch

import keras_resnet
from keras_resnet import InputError
from keras_resnet.weights import named_arrays, read
from keras_resnet.weights.torch_names import canonical

FILES = {20: "cifar10_weights/resnet20-12fca82f.th", 56: "cifar10_weights/resnet56-4bfd9763.th"}
RIGHT = {20: 915, 56: 926}  # PyTorch's count on the first 1,000 test images
FIRST = 250  # of them: test_ensemble.py has the count on all


@pytest.fixture(scope="module")
def first_images(real_data):
    """The first test images in the official order, uint8, and PyTorch's logits and labels of 1,000."""
    tfds = pytest.importorskip("tensorflow_datasets")
    records = tfds.load("cifar10", data_dir=real_data("tfds"), split="test")
    images = {example["id"].decode(): example["image"] for example in tfds.as_numpy(records)}
    return np.stack([images[f"test_{i:05d}"] for i in range(FIRST)]), np.load(
        real_data("cifar10_weights/logits_test1000.npz")
    )


@pytest.mark.parametrize(
    ("depth", "unroll"), [(20, True), (20, False), (56, True), pytest.param(56, False, marks=pytest.mark.slow)]
)
@pytest.mark.long
def test_trained_weights_give_pytorch_s_logits(depth, unroll, real_data, first_images):
    images, expected = first_images
    builder = getattr(keras_resnet, f"ResNet{depth}")
    model = builder(weights=real_data(FILES[depth]), classifier_activation=None, unroll=unroll)
    logits = model.predict(keras_resnet.preprocess_input(images, model), batch_size=FIRST, verbose=0)
    np.testing.assert_allclose(logits, expected[f"resnet{depth}"][:FIRST], atol=1e-3)
    right = expected[f"resnet{depth}"].argmax(axis=1) == expected["labels"]
    assert right.sum() == RIGHT[depth]
    np.testing.assert_array_equal(logits.argmax(axis=1) == expected["labels"][:FIRST], right[:FIRST])


@functools.cache
def arrays_of(depth, **changes):
    """The arrays of one of our own networks, of which the shapes are used."""
    return named_arrays(getattr(keras_resnet, f"ResNet{depth}")(**changes))


def state_dict(depth, rng, **changes):
    """A random state dict in akamaster's names, made from our own network's shapes."""
    state = collections.OrderedDict()
    parts = {"kernel": "weight", "gamma": "weight", "beta": "bias", "bias": "bias"}
    parts |= {"moving_mean": "running_mean", "moving_variance": "running_var"}
    for name, array in arrays_of(depth, **changes).items():
        layer, what = name.split("/")
        block = re.match(r"conv(\d)_block(\d+)_(\d)_(conv|bn)", layer)
        if block:
            stage, number, i, kind = block.groups()
            part = {"0conv": "shortcut.0", "0bn": "shortcut.1"}.get(i + kind, kind + i)
            key = f"layer{int(stage) - 1}.{int(number) - 1}.{part}"
        else:
            key = {"conv1_conv": "conv1", "conv1_bn": "bn1", "predictions": "linear"}[layer]
        value = rng.uniform(0.5, 1.5, array.shape).astype("float32")
        state[f"module.{key}.{parts[what]}"] = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T
        if what == "moving_variance":
            state[f"module.{key}.num_batches_tracked"] = np.zeros(())
    return state


@pytest.mark.parametrize(("depth", "options"), [(32, {}), (44, {"shortcut": "B"})])
@pytest.mark.long
def test_any_depth_and_projections_load(depth, options, rng, tmp_path, monkeypatch):
    state = state_dict(depth, rng, **options)
    write_torch(tmp_path / "w.pth", {"state_dict": state}, monkeypatch, legacy=False)
    model = getattr(keras_resnet, f"ResNet{depth}")(weights=tmp_path / "w.pth")
    assert model.spec.shortcut == options.get("shortcut", "A")
    arrays = named_arrays(model)
    loaded = {canonical(key): value for key, value in state.items() if canonical(key)}
    assert arrays.keys() == {name for name in loaded if name in arrays}
    for name, value in arrays.items():
        expected = loaded[name].transpose(2, 3, 1, 0) if value.ndim == 4 else loaded[name].T
        np.testing.assert_array_equal(value, expected, err_msg=name)


def broken(case, state):
    """``state`` changed so that it does not fit, and the words of the message."""
    if case == "missing":
        del state["module.layer2.1.bn1.weight"]
        return ["conv3_block2_1_bn/gamma", "no such key", "(32,)"]
    if case == "extra":
        state["module.layer9.0.conv1.weight"] = np.zeros((4, 4, 3, 3))
        return ["module.layer9.0.conv1.weight", "(3, 3, 4, 4)", "no such weight"]
    if case == "foreign":
        state["module.head.proj"] = np.zeros((4, 5))
        return ["module.head.proj", "(4, 5)", "no such weight"]
    state["module.linear.weight"] = np.zeros((7, 64))
    return ["module.linear.weight", "7 classes", "(64, 7)", "(64, 10)"]


@pytest.fixture(scope="module")
def network():
    """Of the kind that the files are of; no test changes it."""
    return keras_resnet.ResNet20(zero_channels="both_sides")


@pytest.mark.parametrize("case", ["missing", "extra", "foreign", "shape"])
def test_a_misfit_names_key_and_shapes_and_changes_nothing(case, network, rng, tmp_path, monkeypatch):
    state = state_dict(20, rng)
    words = broken(case, state)
    write_torch(tmp_path / "w.th", state, monkeypatch, legacy=True)
    model = network
    before = model.get_weights()
    with pytest.raises(InputError) as caught:
        read(tmp_path / "w.th").assign_to(model)
    assert all(word in str(caught.value) for word in ["w.th", *words]), caught.value
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_a_wrong_depth_is_refused(rng, tmp_path, monkeypatch):
    write_torch(tmp_path / "w.th", state_dict(32, rng), monkeypatch, legacy=True)
    with pytest.raises(InputError, match=r"w.th does not fit ResNet20: module.layer1.3.conv1.weight .*no such weight"):
        keras_resnet.ResNet20(weights=tmp_path / "w.th")
    with pytest.raises(InputError, match=r"w.th does not fit ResNet44: conv2_block6_1_conv/kernel is no such key"):
        keras_resnet.ResNet44(weights=tmp_path / "w.th")


def test_conflicting_fields_are_refused_naming_both(rng, tmp_path, monkeypatch):
    write_torch(tmp_path / "w.th", state_dict(20, rng), monkeypatch, legacy=True)
    for changes, words in (
        ({"shortcut": "B"}, ["shortcut='A'", "shortcut='B'"]),
        ({"zero_channels": "after"}, ["zero_channels='both_sides'", "zero_channels='after'"]),
    ):
        with pytest.raises(InputError) as caught:
            keras_resnet.ResNet20(weights=tmp_path / "w.th", **changes)
        assert all(word in str(caught.value) for word in words)


@pytest.mark.long
def test_without_top_the_classifier_is_left_out(rng, tmp_path, monkeypatch):
    write_torch(tmp_path / "w.th", state_dict(20, rng, classes=7), monkeypatch, legacy=True)
    model = keras_resnet.ResNet20(include_top=False, weights=tmp_path / "w.th")
    assert model.preprocessing.channels == "RGB"
    assert keras_resnet.ResNet20(classes=7, weights=tmp_path / "w.th").output_shape == (None, 7)
