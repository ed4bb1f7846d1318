"""Weight files with a real layout, but with numbers, descriptions or configurations that no network has."""

import copy
import json
import zipfile

import h5py
import numpy as np
import safetensors.numpy
from hostile_archives import tiny, tiny_config, write_keras
from hostile_torch import state, write

import keras_resnet
from keras_resnet import weights
from keras_resnet.weights.description import as_json
from keras_resnet.weights.torch_names import torch_layout, torchvision_key

OWN = (".npz", ".safetensors", ".weights.h5", ".keras")


def _put(text: str, change):
    """A function that applies ``change`` to each array whose name contains ``text``."""
    return lambda name, array: change(array) if text in name else array


def _first(value):
    def change(array):
        changed = np.array(array)
        changed.flat[0] = value
        return changed

    return change


VALUES = {
    "NaN": _put("conv1_conv/kernel", _first(np.nan)),
    "infinite": _put("predictions/bias", _first(np.inf)),
    "-infinite": _put("conv2_block1_1_conv/kernel", _first(-np.inf)),
    "all NaN": lambda name, array: array * np.nan,
    "negative variances": _put("moving_variance", lambda array: -np.ones_like(array)),
    "a small negative variance": _put("conv1_bn/moving_variance", _first(-1e-4)),
}
TYPES = {  # which array, and its replacement
    "beyond float32": ("conv1_conv/kernel", lambda array: np.full(array.shape, 1e300)),
    "texts": ("conv1_conv/kernel", lambda array: np.full(array.shape, "x")),
    "bytes": ("predictions/kernel", lambda array: np.full(array.shape, b"x")),
    "structs": ("conv1_bn/gamma", lambda array: np.zeros(array.shape, [("a", "f4")])),
    "dates": ("conv1_bn/beta", lambda array: np.zeros(array.shape, "<M8[s]")),
    "complex": ("predictions/bias", lambda array: array.astype("c8")),
    "truth values": ("conv2_block1_2_bn/moving_mean", lambda array: array > 0),
    "another shape": ("predictions/bias", lambda array: array[:1]),
    "no shape": ("predictions/kernel", lambda array: array.reshape(-1)[0]),
    "no shape first": ("conv1_conv/kernel", lambda array: array.reshape(-1)[0]),
    "no numbers": ("conv1_bn/gamma", lambda array: array[:0]),
}


def values(folder, value, suffix: str) -> None:
    """A valid file except for some numbers."""
    change = VALUES[value]
    if suffix in (".pth", ".th"):
        model = keras_resnet.ResNet20(classes=2, zero_channels="both_sides")
        arrays = {name: change(name, array) for name, array in weights.named_arrays(model).items()}
        write(folder / f"w{suffix}", *state({torchvision_key(n): torch_layout(a) for n, a in arrays.items()}))
        return
    model = tiny()
    weights.assign_arrays(model, {name: change(name, array) for name, array in weights.named_arrays(model).items()})
    if suffix == ".h5":
        model.save(folder / "w.h5")
    else:
        weights.write(model, folder / f"w{suffix}")


def types(folder, value, suffix: str) -> None:
    """The same with arrays of types or shapes that a network cannot hold."""
    model, (wrong, change) = tiny(), TYPES[value]
    if suffix == ".npz":
        arrays = {name: change(a) if name == wrong else a for name, a in weights.named_arrays(model).items()}
        np.savez(folder / "w.npz", **arrays, keras_resnet=np.array(json.dumps(as_json(model))))
        return
    weights.write(model, folder / "w.weights.h5")
    with h5py.File(folder / "w.weights.h5", "a") as file:
        data = file["layers/conv2d/vars"]
        changed = change(data["0"][()])
        del data["0"]
        data["0"] = np.full(changed.shape, b"x") if changed.dtype.kind in "UM" else changed
    if suffix == ".keras":
        stored = (folder / "w.weights.h5").read_bytes()
        (folder / "w.weights.h5").unlink()
        write_keras(folder, json.dumps(tiny_config()), stored)


def twice(folder, value, suffix: str) -> None:
    """Two keys for one weight."""
    arrays = weights.named_arrays(keras_resnet.ResNet20(classes=2, zero_channels="both_sides"))
    named = {torchvision_key(name): torch_layout(array) for name, array in arrays.items()}
    second = {f"module.{key}": array + 1 for key, array in named.items() if value in key}
    if suffix == ".safetensors":
        safetensors.numpy.save_file(named | second, folder / "w.safetensors")
    else:
        write(folder / f"w{suffix}", *state(named | second))


DESCRIPTIONS = [  # a field, and its value
    *(("spec", value) for value in (3, "x", [], {"name": "x"}, {"colour": "red"}, [1, 2])),
    *(("spec.blocks", value) for value in ([], [0, 1], [10**9, 1], [1.5, 1], ["1", 1], [10**400, 1], [[1], 1], None)),
    *(("spec.filters", value) for value in ([10**9, 4], [2**15, 2**15], [-2, 4], [2, 4, 8], [True, 4], "ab")),
    *(("spec.width", value) for value in (1e9, 1e-300, float("inf"), float("nan"), "1", None, -1, 4000.0)),
    *(("spec.bn_epsilon", value) for value in (0, -1, float("inf"), float("nan"), 1e300, "x")),
    *(("spec.name", value) for value in (3, None, "a/b", "", "\ud800", "n" * 10**5)),
    *(("spec.stem", value) for value in (3, "imagenet", None, ["cifar"], {})),
    *(("spec.unroll", value) for value in ("yes", 3, False)),
    *(("spec.block", value) for value in ("bottleneck", "x", None)),
    *(("spec.dropout", value) for value in (2, -1, "x", float("nan"))),
    *(("spec.remat", value) for value in (3, "x", True)),
    *(("input_shape", value) for value in ([8, 8], [10**9, 10**9, 3], [0, 8, 3], ["8", 8, 3], [8, 8, 10**9], 7)),
    *(("class_names", value) for value in ([1, 2], ["a"], ["a"] * 10**5, "ab", ["\ud800", "b"], ["\x1b[2J", "b"], 7)),
    *(("source", value) for value in (3, ["x"], "\ud800", "\x1b[2J", "s" * 10**6)),
    *(("licence", value) for value in (3, {}, "\n")),
    *(("preprocessing", value) for value in (3, [], {"mean": 0}, {"means": [0, 0, 0]})),
    *(("preprocessing.mean", value) for value in ([float("nan")] * 3, [1e39] * 3, [], [[1, 2], [3]], "x", [0] * 7)),
    ("preprocessing.mean", "mean_image"),
    *(("preprocessing.std", value) for value in ([0, 0, 0], [-1, 1, 1], [float("inf")] * 3, [], "x", None, [1] * 9)),
    *(("preprocessing.crop", value) for value in (0, 2, float("nan"), "x", 1e-300)),
    *(("preprocessing.channels", value) for value in ("RBG", 3, None, ["RGB"])),
]  # fmt: skip


def descriptions(folder, value, suffix: str) -> None:
    """A valid file except for its description of the network."""
    model = tiny()
    described = copy.deepcopy(as_json(model))
    (where, new), inner = value, described
    *groups, last = where.split(".")
    for group in groups:
        inner = inner[group]
    inner[last] = new
    weights.write(model, folder / f"w{suffix}")
    text = json.dumps(described)
    if suffix == ".npz":
        arrays = weights.named_arrays(model)
        np.savez(folder / "w.npz", **arrays, keras_resnet=np.array(text))
    elif suffix == ".safetensors":
        tensors = safetensors.numpy.load_file(folder / "w.safetensors")
        safetensors.numpy.save_file(tensors, folder / "w.safetensors", metadata={"keras_resnet": text})
    elif suffix == ".weights.h5":
        with h5py.File(folder / "w.weights.h5", "a") as file:
            del file["description"]
            file["description"] = np.frombuffer(text.encode(), np.uint8)
    else:
        with zipfile.ZipFile(folder / "w.keras") as archive:
            config, stored = json.loads(archive.read("config.json")), archive.read("model.weights.h5")
        config["config"]["layers"][0]["description"] = described
        write_keras(folder, json.dumps(config), stored)


def _layers(change):
    """A configuration with ``change`` applied to that of each layer."""

    def changed(config: dict) -> dict:
        for layer in config["config"]["layers"]:
            change(layer)
        return config

    return changed


def _own(key: str, value):
    """A configuration with ``key`` set to ``value`` in each layer that has it."""
    return _layers(lambda layer: layer["config"].update({key: value}) if key in layer["config"] else None)


def _of(name: str, module: str, registered: str | None):
    """A configuration of another class."""
    return lambda config: config | {"class_name": name, "module": module, "registered_name": registered}


def _changed(config: dict, changes: dict) -> dict:
    return config | {"config": config["config"] | changes}


def _wide(config: dict, units: int) -> dict:
    config["config"]["layers"][-1]["config"]["units"] = units
    return config


def _activations(config: dict, count: int, backwards: bool = False) -> dict:
    """A chain of ``count`` activations, each of which takes Keras a millisecond."""

    def after(name, i):
        history = {"shape": [None, 8, 8, 3], "dtype": "float32", "keras_history": [name, 0, 0]}
        node = {"args": [{"class_name": "__keras_tensor__", "config": history}], "kwargs": {}}
        layer = {"module": "keras.layers", "class_name": "ReLU", "config": {}, "name": f"a{i}"}
        return layer | {"inbound_nodes": [node]}

    first = config["config"]["layers"][0]
    chain = [after(f"a{i - 1}" if i else first["name"], i) for i in range(count)]
    config["config"]["layers"] = [first, *(chain[::-1] if backwards else chain)]
    config["config"]["output_layers"] = [f"a{count - 1}", 0, 0]
    return config


CODE = {"class_name": "__lambda__", "config": {"value": "x"}}
LAMBDA = {"class_name": "Lambda", "module": "keras.layers", "config": {"function": CODE}}
CONFIGS = {  # a text, or a function that changes a small network's configuration
    **{f"the text {text[:9]!r}": text for text in ("", "null", "[]", "{}", "3", "{", '{"config": 1}', "\ufeff{}")},
    **{f"{n} brackets": "[" * n + "]" * n for n in (500, 100_000, 5_000_000)},
    **{f"objects {n} deep": '{"config":' * n + "1" + "}" * n for n in (400, 900, 100_000)},
    "20,000,000 spaces": " " * 20_000_000 + "{}",
    "200,000,000 spaces": " " * 200_000_000 + "{}",
    "a number of 1,000,000 digits": '{"a": ' + "9" * 1_000_000 + "}",
    **{f"a classifier of {n}": lambda c, n=n: _wide(c, n) for n in (0, -1, 10**7, 10**10, 10**400)},
    **{f"convolutions of {n}": _own("filters", n)
       for n in (2**12, 2**15, 10**9)},
    "kernels of 10**6": _own("kernel_size", [10**6, 10**6]),
    **{f"{n} activations": lambda c, n=n: _activations(c, n) for n in (3_000, 60_000)},
    **{f"{n} activations backwards": lambda c, n=n: _activations(c, n, True) for n in (90, 400, 3_000)},
    "a layer that waits for itself": _layers(lambda layer: layer.update(inbound_nodes=layer["inbound_nodes"] * 2)),
    "another class": _of("Adam", "keras.optimizers", None),
    "a function": lambda c: {"class_name": "function", "module": "builtins", "config": "eval"},
    "os.system": _of("system", "os", "system"),
    "a lambda": _layers(lambda layer: layer.update(LAMBDA)),
    "a detector": _of("FasterRCNN", "keras_resnet.detection.faster_rcnn", "keras_resnet>FasterRCNN"),
    "layers without names": _layers(lambda layer: layer.pop("name")),
    "layers that are numbers": lambda c: _changed(c, {"layers": [1, 2]}),
    "no layers": lambda c: _changed(c, {"layers": []}),
    "layers of null": lambda c: _changed(c, {"layers": None}),
    "a model of a name of 100,000 letters": lambda c: _changed(c, {"name": "n" * 100_000}),
    "momentum of text": _own("momentum", "x"),
    "a type of no name": _own("dtype", "float999"),
    "strides of 0": _own("strides", [0, 0]),
}  # fmt: skip


def configs(folder, value, suffix: str) -> None:
    """A ``.keras`` file whose configuration does not match its weights."""
    model, change = tiny(), CONFIGS[value]
    model.save(folder / "w.keras")
    with zipfile.ZipFile(folder / "w.keras") as archive:
        config, stored = archive.read("config.json"), archive.read("model.weights.h5")
    write_keras(folder, change if isinstance(change, str) else json.dumps(change(json.loads(config))), stored)


MEMBERS = (
    ".",
    "..",
    "../x",
    "/x",
    "a/../../x",
    "C:/x",
    "a\\..\\..\\x",
    "",
    "assets/x",
    "./config.json",
    "x" * 60_000,
    "\ud7ff",
    "a\nb",
)


def members(folder, value, suffix: str) -> None:
    """A valid ``.keras`` file with an additional member."""
    model = tiny()
    model.save(folder / "w.keras")
    with zipfile.ZipFile(folder / "w.keras", "a") as archive:
        archive.writestr(zipfile.ZipInfo(value), b"x")
