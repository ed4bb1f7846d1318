"""Classification networks cut in two for detection: what all regions share, and what each goes through."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import keras
import numpy as np

from keras_resnet import weights
from keras_resnet.detection.roi_pooling import SIZE
from keras_resnet.detection.training.detection_settings import check_backbone
from keras_resnet.errors import InputError
from keras_resnet.models import build
from keras_resnet.network import Network
from keras_resnet.specs import VGG16, NetSpec, change_spec
from keras_resnet.structure import POOLS, is_classifier, stage_of
from keras_resnet.training.stepping.freezing import freeze
from keras_resnet.weights.file_bounds import check_file, expanded, shown, suffix_of, unallocated
from keras_resnet.weights.keras_file import READERS
from keras_resnet.weights.known import fetch
from keras_resnet.weights.named import check_shapes, slots
from keras_resnet.weights.preprocessing import CAFFE, Preprocessing
from keras_resnet.weights.values import check_values

IMAGENET_MEAN = Preprocessing(mean=CAFFE.mean[::-1])  # for a network that does not know its own


@dataclass(frozen=True)
class Backbone:
    """A network cut at stride 16.

    Fields:
        name: the network's.
        shared: from images ``[batch, height, width, 3]`` of any size to their map of stride 16.
        head: from regions ``[n, size, size, channels]`` of the map to features ``[n, width]``.
        size: bins of a region along each side.
        preprocessing: of the images.
        taken, left: tensors of the classification network by name, with their shapes: used, or not.
        config: plain values that make the same again, without its weights.
    """

    name: str
    shared: keras.Model
    head: keras.Model
    size: int
    preprocessing: Preprocessing
    taken: dict[str, tuple[int, ...]]
    left: dict[str, tuple[int, ...]]
    config: dict


def from_network(network: Network, frozen: str | None = "conv2") -> Backbone:
    """Cut ``network`` after conv4_x (Sec. 4.3): conv1 to conv4_x are shared, conv5_x is the regions' own.

    Its weights are copied. Every batch normalization is a constant scale and offset by the statistics it has, so they
    should be recalibrated ones, as every run of this package ends with.

    Args:
        network: an ImageNet network of this package, residual or plain, with any weights.
        frozen: the last stage that does not learn.

    Raises:
        InputError: a CIFAR network, which has no stride 16, or a model of another kind.
    """
    spec = getattr(network, "spec", None)
    if spec is None:
        raise InputError(f"A detector needs a network of keras_resnet as its backbone, not this {network.name}.")
    check_backbone(network.name, spec)
    spec = change_spec(spec, unroll=True, remat=False)
    whole = build(spec, include_top=False, input_shape=(None, None, network.input_shape[-1]), name=network.name)
    arrays = weights.named_arrays(network)
    left = {name: array.shape for name, array in arrays.items() if is_classifier(name)}
    taken = {name: array for name, array in arrays.items() if name not in left}
    weights.assign_arrays(whole, taken, network.name)
    return _cut(whole, preprocessing_of(network), frozen, left)


def _cut(whole: Network, preprocessing: Preprocessing, frozen: str | None, left: dict[str, tuple]) -> Backbone:
    """``whole``, a network without its classifier, in its two parts; looks at none of its weights."""
    freeze(whole, frozen, batch_norm=True)
    middle = whole.stages[2].output
    pooled = keras.layers.GlobalAveragePooling2D(name=POOLS["avg"], dtype="float32")(whole.output)
    return Backbone(
        name=whole.name,
        shared=keras.Model(whole.input, middle, name="shared"),
        head=keras.Model(middle, pooled, name="head"),
        size=SIZE,
        preprocessing=preprocessing,
        taken={name: slot.shape for name, slot in slots(whole).items()},
        left=left,
        config={"spec": asdict(whole.spec), "name": whole.name, "frozen": frozen}
        | {"preprocessing": preprocessing.get_config(), "channels": whole.input_shape[-1]},
    )


def preprocessing_of(network: Network) -> Preprocessing:
    """Of images of any size: a mean image becomes its channel means."""
    known = network.preprocessing or IMAGENET_MEAN
    return known if known.mean.ndim == 1 else replace(known, mean=known.mean.mean(axis=(0, 1)))


def vgg16(weights: str | None = None) -> Backbone:
    """VGG-16 of ``keras.applications``, the baseline of Tables 7 and 8: conv1_1 to conv5_3 shared, fc6 and fc7 after.

    Regions have 7 x 7 bins; conv1 and conv2 are frozen, and fc6 and fc7 drop half of their outputs in training.

    Args:
        weights: None for random ones, ``"imagenet"`` to download them, or a weight file of ``keras.applications``.

    Raises:
        InputError: a file that is missing, damaged or not of VGG-16, or holds numbers that no trained network has.
    """
    if weights is not None:
        path = fetch(VGG16) if weights == "imagenet" else expanded(weights)
        arrays, names = _vgg16_file(path)
    with unallocated():  # what does not fit costs no memory
        network = keras.applications.VGG16(weights=None, name=VGG16)
        variables = {f"{layer.name}/{v.name}": v for layer in network.layers for v in layer.weights}
        parts = {name: tuple(v.shape) for name, v in variables.items()}
        if weights is not None:
            check_shapes(parts, VGG16, arrays, path.name, names)
    if weights is not None:
        for name, variable in variables.items():
            variable.assign(arrays[name])
    image = keras.Input((None, None, 3))
    shared = keras.Model(network.input, network.get_layer("block5_conv3").output)
    shared = keras.models.clone_model(shared, input_tensors=image, clone_function=lambda layer: layer)
    shared = keras.Model(image, shared.output, name="shared")
    region = x = keras.Input((7, 7, 512))
    for layer in (network.get_layer(name) for name in ("flatten", "fc1", "fc2")):
        x = layer(x)
        x = keras.layers.Dropout(0.5, name=f"{layer.name}_dropout")(x) if layer.name != "flatten" else x
    for layer in shared.layers:
        layer.trainable = stage_of(layer.name) not in ("block1", "block2")
    return Backbone(
        name=VGG16,
        shared=shared,
        head=keras.Model(region, keras.layers.Activation("linear", dtype="float32", name="features")(x), name="head"),
        size=7,
        preprocessing=CAFFE,
        taken={name: shape for name, shape in parts.items() if not is_classifier(name)},
        left={name: shape for name, shape in parts.items() if is_classifier(name)},
        config={"name": VGG16},
    )


def _vgg16_file(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays in a Keras file by layer and weight, which their ranks tell, and the file's own names of them."""
    load = READERS[suffix_of(path, READERS)]
    check_file(path, "weight file", f"give the path of a {', '.join(READERS)} file of keras.applications")
    arrays: dict[str, np.ndarray] = {}
    names: dict[str, str] = {}
    for layer, found in load(path)[0].items():
        for key, array in found.items():
            name = f"{layer}/{'bias' if array.ndim == 1 else 'kernel'}"
            if name in arrays:
                raise InputError(
                    f"{path.name} is no file of VGG-16, whose layers have one kernel and one bias: "
                    f"{shown(names[name])} and {shown(f'{layer}/{key}')} are the same."
                )
            arrays[name], names[name] = array, f"{layer}/{key}"
    check_values(arrays, path.name, epsilon=0.0, names=names)
    return arrays, names


def rebuild(config: dict) -> Backbone:
    """The backbone that ``Backbone.config`` describes, with random weights."""
    if "spec" not in config:
        return vgg16()
    spec, shape = NetSpec(**config["spec"]), (None, None, config["channels"])
    whole = build(spec, include_top=False, input_shape=shape, name=config["name"])
    return _cut(whole, Preprocessing.from_config(config["preprocessing"]), config["frozen"], left={})


def transfer_report(model, backbone: Backbone) -> str:
    """What became of every tensor: taken from the classification network, left there, or new in the detector."""
    own = {id(v) for part in (model.shared, model.head) for v in part.weights}
    new = {v.path: tuple(v.shape) for v in model.weights if id(v) not in own}
    lines = [f"{backbone.name} -> detector of {len(model.class_names)} classes"]
    for title, tensors in (("taken", backbone.taken), ("left", backbone.left), ("new", new)):
        numbers = sum(int(np.prod(shape)) for shape in tensors.values())
        listed = "" if title == "taken" else ": " + ", ".join(f"{name} {shape}" for name, shape in tensors.items())
        lines.append(f"{title}: {len(tensors)} tensors, {numbers:,} numbers{listed}")
    return "\n".join(lines)
