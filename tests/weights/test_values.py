"""Values that no trained network has are refused by name, or loaded on request."""

import h5py
import keras
import numpy as np
import pytest
import safetensors.numpy

import keras_resnet
from keras_resnet import InputError, weights
from keras_resnet.weights.torch_names import torch_layout, torchvision_key

SUFFIXES = (".npz", ".safetensors", ".weights.h5", ".keras")


def small(**options):
    return keras_resnet.ResNet20(blocks=(1, 1), filters=(2, 4), input_shape=(8, 8, 3), **options)


def altered(name, value):
    model = small()
    arrays = weights.named_arrays(model)
    arrays[name] = np.full_like(arrays[name], value)
    weights.assign_arrays(model, arrays)
    return model


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("predictions/bias", np.nan, "NaN or infinite numbers"),
        ("conv1_conv/kernel", np.inf, "NaN or infinite numbers"),
        ("conv2_block1_1_bn/moving_variance", -1, "negative variances"),
    ],
)
def test_values_that_make_no_numbers_are_refused_by_name(suffix, name, value, words, tmp_path):
    path = tmp_path / f"w{suffix}"
    weights.write(altered(name, value), path)
    for load in (weights.read, keras_resnet.load_model):
        with pytest.raises(InputError, match=rf"^w{suffix}: .*has {words}: .* check_values=False\.$") as error:
            load(path)
        assert name in str(error.value) or suffix == ".keras"  # Keras' own path of the variable there
    for model in (keras_resnet.load_model(path, check_values=False), small()):
        weights.read(path, check_values=False).assign_to(model)
        assert np.array_equal(weights.named_arrays(model)[name].ravel()[0], np.float32(value), equal_nan=True)


def test_a_variance_that_took_up_another_epsilon_stays_good(tmp_path):
    model = keras_resnet.ResNet20(weights=weights.from_model(altered_to_zero()), bn_epsilon=1e-3, **SHAPE)
    assert weights.named_arrays(model)["conv1_bn/moving_variance"].max() < 0
    for suffix in SUFFIXES:
        weights.write(model, tmp_path / f"w{suffix}")
        assert keras_resnet.load_model(tmp_path / f"w{suffix}").spec.bn_epsilon == 1e-3


SHAPE = {"blocks": (1, 1), "filters": (2, 4), "input_shape": (8, 8, 3)}


def altered_to_zero():
    return altered("conv1_bn/moving_variance", 0)


def test_numbers_beyond_float32_are_refused_by_name(tmp_path):
    model = small()
    weights.write(model, tmp_path / "w.npz")
    with np.load(tmp_path / "w.npz") as file:
        arrays = dict(file)
    np.savez(tmp_path / "w.npz", **arrays | {"predictions/bias": np.full(10, 1e300)})
    with pytest.raises(InputError, match=r"w.npz: predictions/bias has numbers beyond float32"):
        weights.read(tmp_path / "w.npz")


def test_two_keys_for_one_weight_are_refused_by_name(tmp_path):
    named = {torchvision_key(n): torch_layout(a) for n, a in weights.named_arrays(keras_resnet.ResNet20()).items()}
    again = {"module.conv1.weight": named["conv1.weight"] + 1}
    safetensors.numpy.save_file(named | again, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"w.safetensors has the same weight twice, as .*conv1.weight and .*conv1"):
        weights.read(tmp_path / "w.safetensors")
    assert weights.read(tmp_path / "w.safetensors", check_values=False).spec.name == "ResNet20"


WRONG = {
    "text": lambda a: np.full(a.shape, "x"),
    "bytes": lambda a: np.full(a.shape, b"x"),
    "structs": lambda a: np.zeros(a.shape, [("a", "f4")]),
    "objects": lambda a: np.full(a.shape, None),
    "dates": lambda a: np.zeros(a.shape, "<M8[s]"),
    "complex": lambda a: a.astype("c8"),
    "bool": lambda a: a > 0,
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("unroll", [True, False])
def test_arrays_of_no_numbers_are_refused_before_anything_is_set(wrong, unroll):
    model = keras_resnet.ResNet20(blocks=(3, 1), filters=(2, 4), input_shape=(8, 8, 3), unroll=unroll)
    before, arrays = model.get_weights(), weights.named_arrays(model)
    arrays = {name: array + 1 for name, array in arrays.items()}
    arrays["predictions/bias"] = WRONG[wrong](arrays["predictions/bias"])
    with pytest.raises(InputError, match=r"the weights: predictions/bias holds .* instead of numbers"):
        weights.assign_arrays(model, arrays)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_integers_and_half_precision_are_numbers():
    model = small()
    arrays = weights.named_arrays(model)
    for dtype in ("int8", "uint64", "float16", "float64"):
        weights.assign_arrays(model, {name: np.ones(array.shape, dtype) for name, array in arrays.items()})
        assert all((value == 1).all() for value in model.get_weights())


@pytest.mark.parametrize("raised", [RuntimeError, KeyboardInterrupt])
def test_an_assignment_that_fails_in_the_middle_changes_nothing(raised, monkeypatch):
    model = small()
    before, last = model.get_weights(), model.get_layer("predictions").bias
    original, failed = type(last).assign, []

    def assign(variable, value):
        if variable is last and not failed:
            failed.append(variable)
            raise raised("in the middle")
        return original(variable, value)

    monkeypatch.setattr(type(last), "assign", assign)
    with pytest.raises(raised):
        weights.assign_arrays(model, {name: array + 1 for name, array in weights.named_arrays(model).items()})
    assert failed
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("fault", ["text", "shape", "NaN", "missing"])
def test_load_weights_that_fails_in_the_middle_changes_nothing(fault, tmp_path):
    path, model = tmp_path / "w.weights.h5", small()
    other = small()
    other.set_weights([value + 1 for value in other.get_weights()])
    other.save_weights(path)
    with h5py.File(path, "a") as file:
        bias = file["layers/dense/vars"]
        del bias["1"]
        if fault != "missing":
            bias["1"] = {"text": [b"x"] * 10, "shape": np.ones(3, "f4"), "NaN": np.full(10, np.nan)}[fault]
    before = model.get_weights()
    with pytest.raises(InputError, match=r"w.weights.h5"):
        model.load_weights(path)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    if fault == "NaN":
        model.load_weights(path, check_values=False)
        assert np.isnan(model.get_weights()[-1]).all()


def test_a_keras_file_of_another_package_is_checked_too(tmp_path):
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3), keras.layers.BatchNormalization()])
    model.layers[1].moving_variance.assign([-1.0, 1.0])
    model.save(tmp_path / "w.keras")
    with pytest.raises(InputError, match=r"w.keras: batch_normalization.*moving_variance has negative variances"):
        keras_resnet.load_model(tmp_path / "w.keras")
