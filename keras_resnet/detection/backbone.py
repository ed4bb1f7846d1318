"""Classification networks taken apart for detection: layers that all regions share, and a head for each region."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_resnet import weights
from keras_resnet.detection.detector_specs import HeadName
from keras_resnet.detection.heads import HEADS, HeadParts
from keras_resnet.detection.training.detection_settings import check_backbone
from keras_resnet.errors import InputError, one_of
from keras_resnet.models import build
from keras_resnet.network import Network
from keras_resnet.specs import VGG16, NetSpec, change_spec
from keras_resnet.structure import is_classifier, stage_of
from keras_resnet.training.stepping.freezing import freeze
from keras_resnet.weights.file_bounds import check_file, expanded, shown, suffix_of, unallocated
from keras_resnet.weights.keras_file import READERS
from keras_resnet.weights.known import fetch
from keras_resnet.weights.named import check_shapes, slots
from keras_resnet.weights.preprocessing import CAFFE, Preprocessing
from keras_resnet.weights.values import check_values

IMAGENET_MEAN = Preprocessing(mean=CAFFE.mean[::-1])  # for a network without preprocessing of its own


@dataclass(frozen=True, kw_only=True)
class Backbone(HeadParts):
    """A network with the parts that a detector's head makes of it.

    Fields:
        name: the network's name.
        preprocessing: of the images.
        taken, left: the classification network's tensors that are used and those that are not; shapes by name.
        config: plain values from which :func:`rebuild` makes the same backbone, without its weights.
    """

    name: str
    preprocessing: Preprocessing
    taken: dict[str, tuple[int, ...]]
    left: dict[str, tuple[int, ...]]
    config: dict[str, Any]

    @property
    def head_name(self) -> HeadName:
        """Which head it has; files of earlier versions have the paper's and do not say so."""
        return self.config.get("head", "c4")


def from_network(network: Network, frozen: str | None = "conv2", head: HeadName = "c4") -> Backbone:
    """The parts that a detector's head makes of ``network``: by default, conv1 to conv4_x are shared (Sec. 4.3).

    The weights are copied. Batch normalization is a constant scale and offset, given by the moving statistics, which
    should therefore be recalibrated, as they are at the end of every run of this package.

    Args:
        network: an ImageNet network of this package, residual or plain, with any weights.
        frozen: the last stage that does not learn.
        head: ``"c4"``, the paper's, or ``"fpn"``, with a feature pyramid; see ``heads``.

    Raises:
        InputError: a CIFAR network, which has no stride 16, or a model or head of another kind.
    """
    one_of("head", head, tuple(HEADS))
    whole, left = without_classifier(network)
    return _with_head(whole, head, preprocessing_of(network), frozen, left)


def without_classifier(network: Network) -> tuple[Network, dict[str, tuple[int, ...]]]:
    """A copy of ``network`` for images of any size without its classifier, and the shapes of what is left, by name.

    Raises:
        InputError: a CIFAR network, or a model of another kind.
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
    return whole, left


def _with_head(
    whole: Network, head: HeadName, preprocessing: Preprocessing, frozen: str | None, left: dict[str, tuple]
) -> Backbone:
    """Give ``whole``, a network without its classifier, a head; its weights need not be allocated."""
    freeze(whole, frozen, batch_norm=True)
    return Backbone(
        **vars(HEADS[head](whole)),
        name=whole.name,
        preprocessing=preprocessing,
        taken={name: slot.shape for name, slot in slots(whole).items()},
        left=left,
        config={"spec": asdict(whole.spec), "name": whole.name, "frozen": frozen}
        | {"preprocessing": preprocessing.get_config(), "channels": whole.input_shape[-1], "head": head},
    )


def preprocessing_of(network: Network) -> Preprocessing:
    """The network's preprocessing, for images of any size: a mean image is replaced by its channel means."""
    preprocessing = network.preprocessing or IMAGENET_MEAN
    mean = preprocessing.mean
    return preprocessing if mean.ndim == 1 else replace(preprocessing, mean=mean.mean(axis=(0, 1)))


def vgg16(weights: str | None = None) -> Backbone:
    """VGG-16 of ``keras.applications``, the baseline of Tables 7 and 8.

    conv1_1 to conv5_3 are shared, fc6 and fc7 are the head, each followed by dropout of one half. Regions have
    7 x 7 bins. conv1 and conv2 are frozen.

    Args:
        weights: None for random ones, ``"imagenet"`` to download them, or a weight file of ``keras.applications``.

    Raises:
        InputError: the file is missing, damaged or not VGG-16's, or holds numbers that no trained network has.
    """
    if weights is not None:
        path = fetch(VGG16) if weights == "imagenet" else expanded(weights)
        arrays, names = _vgg16_file(path)
    with unallocated():  # a file that does not fit costs no memory
        network = keras.applications.VGG16(weights=None, name=VGG16)
        variables = {f"{layer.name}/{v.name}": v for layer in network.layers for v in layer.weights}
        shapes = {name: tuple(v.shape) for name, v in variables.items()}
        if weights is not None:
            check_shapes(shapes, VGG16, arrays, path.name, names)
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
        taken={name: shape for name, shape in shapes.items() if not is_classifier(name)},
        left={name: shape for name, shape in shapes.items() if is_classifier(name)},
        config={"name": VGG16},
    )


def _vgg16_file(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """A Keras file's arrays as ``layer/kernel`` and ``layer/bias``, by their ranks, and their names in the file."""
    load = READERS[suffix_of(path, READERS)]
    check_file(path, "weight file", f"give the path of a {', '.join(READERS)} file of keras.applications")
    arrays: dict[str, np.ndarray] = {}
    names: dict[str, str] = {}
    for layer, layer_arrays in load(path)[0].items():
        for key, array in layer_arrays.items():
            name = f"{layer}/{'bias' if array.ndim == 1 else 'kernel'}"
            if name in arrays:
                raise InputError(
                    f"{path.name} is not a file of VGG-16, whose layers have one kernel and one bias each: it has both "
                    f"{shown(names[name])} and {shown(f'{layer}/{key}')}."
                )
            arrays[name], names[name] = array, f"{layer}/{key}"
    check_values(arrays, path.name, epsilon=0.0, names=names)
    return arrays, names


def rebuild(config: dict[str, Any]) -> Backbone:
    """The backbone that a ``Backbone.config`` describes, with random weights."""
    if "spec" not in config:
        return vgg16()
    spec, shape = NetSpec(**config["spec"]), (None, None, config["channels"])
    whole = build(spec, include_top=False, input_shape=shape, name=config["name"])
    preprocessing = Preprocessing.from_config(config["preprocessing"])
    return _with_head(whole, config.get("head", "c4"), preprocessing, config["frozen"], left={})


def transfer_report(model: keras.Model, backbone: Backbone) -> str:
    """A line each for the tensors taken from the classification network, left there, and new in the detector."""
    new = {v.path: tuple(v.shape) for v in model.weights if v.path not in backbone.taken}
    lines = [f"{backbone.name} -> detector of {len(model.class_names)} classes"]
    for title, tensors in (("taken", backbone.taken), ("left", backbone.left), ("new", new)):
        numbers = sum(int(np.prod(shape)) for shape in tensors.values())
        listed = "" if title == "taken" else ": " + ", ".join(f"{name} {shape}" for name, shape in tensors.items())
        lines.append(f"{title}: {len(tensors)} tensors, {numbers:,} numbers{listed}")
    return "\n".join(lines)
