"""Files of a network: complete with this package, and a plain Keras model in a process that never imports it."""

import json
import pickle
import subprocess
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest
from conftest import compile_to_train, randomize

import keras_resnet
from keras_resnet import InputError, weights
from keras_resnet.layers import BatchNormalization, IdentityShortcut
from keras_resnet.weights import TORCH

NETWORKS = {
    "option-a": {},
    "both-sides": {"zero_channels": "both_sides"},
    "projections": {"shortcut": "C"},
    "highway": {"shortcut": "highway"},
    "pre-activation": {"placement": "full_preactivation", "dropout": 0.1},
    "bottleneck": {"block": "bottleneck", "shortcut": "B"},
}
IMPORTS_NEEDED = {
    "BlockLoop": {"unroll": False},
    "Maxout": {"activation": "maxout"},
    "StochasticDepth": {"stochastic_depth": 0.1},
}
ALONE = """
import pathlib, sys
import h5py
import keras
import numpy as np

folder = pathlib.Path(sys.argv[1])
images = np.load(folder / "images.npy")
for path in sorted(folder.glob("*.keras")) + sorted(folder.glob("*.h5")):
    try:
        model = keras.models.load_model(path)
        np.save(f"{path}.npy", model(images))
        print(path.name, type(model).__qualname__)
    except Exception as error:
        print(path.name, str(error).splitlines()[0])
assert "keras_resnet" not in sys.modules
"""


def network(rng, **changes):
    """A small network with random values everywhere and all remembered attributes."""
    model = keras_resnet.ResNet20(
        **{"blocks": (2, 2), "filters": (4, 8), "input_shape": (8, 8, 3), "classes": 3} | changes
    )
    randomize(model, rng, keep=("rate", "seed_generator_state"))
    model.preprocessing, model.class_names, model.licence = TORCH, ("a", "b", "c"), "CC0"
    return model


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """The networks by name, their folder, and the answer of a process with only Keras for each file."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("files")
    np.save(folder / "images.npy", rng.normal(size=(2, 8, 8, 3)).astype("float32"))
    models = {name: network(rng, **changes) for name, changes in (NETWORKS | IMPORTS_NEEDED).items()}
    for name, model in models.items():
        model.save(folder / f"{name}.keras")
    models["option-a"].save(folder / "option-a.h5")
    models["mean-image"] = network(rng)
    models["mean-image"].preprocessing = keras_resnet.Preprocessing(rng.uniform(0, 255, (8, 8, 3)))
    models["mean-image"].save(folder / "mean-image.keras")
    pyramid = keras_resnet.pyramid(models["option-a"])
    keras.Model(pyramid.input, pyramid.outputs[-1]).save(folder / "part.keras")
    completed = subprocess.run([sys.executable, "-c", ALONE, folder], cwd=folder, capture_output=True, text=True)
    assert completed.returncode == 0, completed.stderr
    return models, folder, dict(line.split(" ", 1) for line in completed.stdout.splitlines())


@pytest.mark.parametrize("file", [*(f"{name}.keras" for name in (*NETWORKS, "mean-image")), "option-a.h5"])
@pytest.mark.long
def test_keras_alone_opens_a_file(file, opened):
    models, folder, answers = opened
    model, images = models[file.split(".")[0]], np.load(folder / "images.npy")
    assert answers[file] == "Functional"
    np.testing.assert_allclose(np.load(folder / f"{file}.npy"), model(images), rtol=1e-5, atol=1e-6)


@pytest.mark.long
def test_keras_alone_opens_a_part_of_a_network(opened):
    models, folder, answers = opened
    expected = keras_resnet.pyramid(models["option-a"])(np.load(folder / "images.npy"))["C3"]
    assert answers["part.keras"] == "Functional"
    np.testing.assert_allclose(np.load(folder / "part.keras.npy"), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("layer", IMPORTS_NEEDED)
@pytest.mark.long
def test_keras_alone_says_what_to_import_for_layers_it_lacks(layer, opened):
    _, _, answers = opened
    assert f"{layer}, which is known after `import keras_resnet`" in answers[f"{layer}.keras"]
    assert len(answers[f"{layer}.keras"]) < 200


@pytest.mark.parametrize("name", NETWORKS | IMPORTS_NEEDED)
@pytest.mark.long
def test_with_the_package_keras_gives_the_whole_network(name, opened):
    models, folder, _ = opened
    model, images = models[name], np.load(folder / "images.npy")
    for load in (keras.models.load_model, keras_resnet.load_model):
        again = load(folder / f"{name}.keras")
        assert isinstance(again, keras_resnet.Network)
        assert isinstance(again.get_layer("conv1_bn"), BatchNormalization)
        assert (again.spec, again.class_names, again.licence) == (model.spec, ("a", "b", "c"), "CC0")
        np.testing.assert_array_equal(again.preprocessing.mean, TORCH.mean)
        np.testing.assert_array_equal(again(images), model(images))


@pytest.mark.long
def test_h5_and_weights_h5_bring_all_too(opened):
    models, folder, _ = opened
    model, images = models["option-a"], np.load(folder / "images.npy")
    model.save_weights(folder / "w.weights.h5")
    for file in ("option-a.h5", "w.weights.h5"):
        again = keras_resnet.load_model(folder / file)
        assert (again.spec, again.class_names) == (model.spec, ("a", "b", "c"))
        np.testing.assert_array_equal(again(images), model(images))
    with_weights = network(np.random.default_rng(1))
    with_weights.load_weights(folder / "w.weights.h5")
    np.testing.assert_array_equal(with_weights(images), model(images))


@pytest.mark.parametrize("shards", ["w.weights.json", "w.weights.h5"])
def test_weights_are_kept_in_one_file(shards, rng, tmp_path):
    with pytest.raises(InputError, match=r"in one \.weights\.h5 file: leave out max_shard_size"):
        network(rng).save_weights(tmp_path / shards, max_shard_size=1)
    assert not list(tmp_path.iterdir())


def test_weights_spread_over_several_files_are_refused_and_the_way_out_is_named(rng, tmp_path):
    model, path = network(rng), tmp_path / "w.weights.json"
    keras.Model(model.input, model.output).save_weights(path, max_shard_size=3e-6)
    assert len(list(tmp_path.glob("w_0000?.weights.h5"))) > 1
    before = model.get_weights()
    for load in (model.load_weights, keras_resnet.load_model, weights.read):
        with pytest.raises(InputError, match=r"over several files: save them in one file, with model\.save_weights\("):
            load(path)
    with pytest.raises(InputError, match=r"w_00000\.weights\.h5 is damaged or does not fit"):
        model.load_weights(tmp_path / "w_00000.weights.h5")
    for ours, was in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, was)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("w.hdf5", "its name must end in .weights.h5, .h5, .keras"),
        (".", "its name must end in .weights.h5, .h5, .keras"),
        ("none.weights.h5", "There is no weight file"),
    ],
)
def test_files_that_are_not_checked_are_not_given_to_keras(name, words, rng, tmp_path):
    with h5py.File(tmp_path / "w.hdf5", "w") as file:
        file["layers"] = h5py.ExternalLink("/etc/hostname", "/x")
    with pytest.raises(InputError, match=words):
        network(rng).load_weights(tmp_path / name)


@pytest.mark.long
def test_a_compiled_network_keeps_its_optimizer(tmp_path, rng):
    model = network(rng)
    compile_to_train(model, keras.optimizers.Adam(), "sparse_categorical_crossentropy")
    model.fit(np.ones((2, 8, 8, 3)), np.zeros(2), verbose=0)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    for ours, theirs in zip(again.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.long
def test_a_file_of_an_earlier_version_opens(opened, tmp_path):
    """Its configuration has the description at the top, and option A was a layer of this package."""
    models, folder, _ = opened
    with zipfile.ZipFile(folder / "option-a.keras") as new, zipfile.ZipFile(tmp_path / "old.keras", "w") as old:
        for name in new.namelist():
            content = new.read(name)
            if name == "config.json":
                content = json.dumps(_earlier(json.loads(content), models["option-a"])).encode()
            old.writestr(name, content)
    images = np.load(folder / "images.npy")
    for again in (
        keras_resnet.load_model(tmp_path / "old.keras"),
        keras_resnet.build(models["option-a"].spec, weights=tmp_path / "old.keras", input_shape=(8, 8, 3), classes=3),
    ):
        assert (again.spec, again.class_names) == (models["option-a"].spec, ("a", "b", "c"))
        np.testing.assert_array_equal(again(images), models["option-a"](images))


def _earlier(config, model):
    config |= {"module": "keras_resnet.network", "class_name": "Network"}
    config["config"] |= config["config"]["layers"][0].pop("description")
    kept = []
    for layer in config["config"]["layers"]:
        if layer["registered_name"] == "keras_resnet>BatchNormalization":
            layer["module"] = "keras_resnet.layers.batch_normalization"
        if layer["name"].endswith("_subsample"):
            subsampled = layer
            continue
        if layer["name"].endswith("_identity"):
            shortcut = IdentityShortcut(8, 2, name=layer["name"])
            layer |= keras.saving.serialize_keras_object(shortcut) | {"inbound_nodes": subsampled["inbound_nodes"]}
        kept.append(layer)
    config["config"]["layers"] = kept
    return config


def test_a_network_is_copied_between_processes_whole(rng):
    model = network(rng)
    again = pickle.loads(pickle.dumps(model))
    assert (again.spec, again.class_names) == (model.spec, model.class_names)


def test_the_class_is_named_as_keras_names_its_own():
    inputs = keras.Input((1,))
    functional = type(keras.Model(inputs, inputs))
    ours = keras_resnet.Network
    assert (ours.__module__, ours.__name__) == (functional.__module__, functional.__name__)
