"""Networks from specs: ``build`` and the named builders."""

import numbers
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import keras
from keras import layers

from keras_resnet import weights as weight_files
from keras_resnet.blocks import PLACEMENTS, block, block_loop, convolution, normalize_activate
from keras_resnet.errors import InputError, one_of
from keras_resnet.network import Network
from keras_resnet.shortcuts import he_normal
from keras_resnet.specs import EXPANSION, SPECS, NetSpec, change_spec, find_spec
from keras_resnet.structure import CLASSIFIER, POOL, POOLS, POST, STAGES, STEM, Name, is_classifier, structure_of
from keras_resnet.weights.description import OUTPUT_FIELDS
from keras_resnet.weights.file_bounds import unallocated
from keras_resnet.weights.known import fetch
from keras_resnet.weights.other_channels import Channels

CLASSES = {"imagenet": 1000, "cifar": 10}
SIZE = {"imagenet": 224, "cifar": 32}
Weights = str | Path | weight_files.TrainedWeights | None
Pooling = Literal["avg", "max"] | None


def build(
    spec: NetSpec,
    include_top: bool = True,
    weights: Weights = None,
    input_tensor: keras.KerasTensor | None = None,
    input_shape: tuple[int | None, ...] | None = None,
    pooling: Pooling = None,
    classes: int | None = None,
    classifier_activation: str | None = "softmax",
    name: str | None = None,
    channels: Channels = None,
) -> Network:
    """Build the network that ``spec`` describes (Table 1, Sec. 4.2).

    Args:
        spec: a row of ``SPECS``, or any ``NetSpec``.
        include_top: whether the network ends in global average pooling and a classifier.
        weights: None for random weights (the default, unlike ``keras.applications``), a weight file, a
            :class:`keras_resnet.weights.TrainedWeights`, or ``"imagenet"`` to download published weights (18 to 152
            layers).
        input_tensor: a Keras tensor to use as the input.
        input_shape: ``(height, width, channels)``; height and width may be None. The default is (224, 224, 3) for
            ImageNet networks and (32, 32, 3) for CIFAR networks; without the top, height and width are None.
        pooling: without the top, ``"avg"`` or ``"max"`` pools over positions, and None gives the feature map.
        classes: number of outputs of the classifier; by default 1000 for ImageNet networks and 10 for CIFAR networks.
        classifier_activation: ``"softmax"`` by default; None gives logits. Both are float32 in mixed precision.
        name: the model's name, ``spec.name`` by default.
        channels: ``"adapt"`` fits ``weights`` of three channels to the channels of the input, as
            :func:`keras_resnet.weights.for_channels` does; None refuses other channels than those of the weights.

    Returns:
        A model from ``[batch, height, width, channels]`` to ``[batch, classes]``; without the top to
        ``[batch, height / stride, width / stride, features]``, or to ``[batch, features]`` with ``pooling``. The stride
        is 32, or 4 for CIFAR networks.

    Raises:
        InputError: an argument is wrong, or the weights do not fit; the message says what would be right.
    """
    if keras.config.image_data_format() != "channels_last":
        raise InputError(
            "keras_resnet builds channels_last networks only: call keras.config.set_image_data_format('channels_last')."
        )
    checkpoint = _checkpoint(weights, spec.name)
    weight_files.check_channels(channels, checkpoint)
    if checkpoint is None:
        return _network(spec, include_top, input_tensor, input_shape, pooling, classes, classifier_activation, name)
    shape = input_tensor.shape[1:] if input_tensor is not None else input_shape
    if shape is not None and len(shape) == 3 and shape[-1] is not None:  # an invalid shape is reported where it is used
        if channels is not None:
            spec.check_shape(tuple(shape))
            checkpoint = weight_files.for_channels(checkpoint, int(shape[-1]))
        _check_channels(checkpoint, tuple(shape))
    checkpoint.check_spec(spec)
    with unallocated():  # a network that does not fit its file may have any size
        model = _network(spec, include_top, input_tensor, input_shape, pooling, classes, classifier_activation, name)
        checkpoint.check_fit(model)
    checkpoint.assign_to(model)
    return model


def _network(spec, include_top, input_tensor, input_shape, pooling, classes, classifier_activation, name) -> Network:
    inputs, image = _inputs(spec, include_top, input_tensor, input_shape)
    x = _stages(_stem(image, spec), spec)
    if PLACEMENTS[spec.placement].before:  # the last sum of a pre-activation net has had no activation yet
        x = normalize_activate(x, PLACEMENTS[spec.placement].before, spec, POST)
    if include_top:
        if pooling is not None:
            raise InputError("pooling is for networks without the top: give include_top=False as well.")
        x = _classifier(x, spec, classes, classifier_activation)
    elif pooling is not None:
        one_of("pooling", pooling, POOLS)
        pool = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}[pooling]
        x = pool(name=POOLS[pooling])(x)
    return Network(inputs, x, name=name or spec.name, spec=spec)


def _checkpoint(weights: Weights, name: str) -> weight_files.TrainedWeights | None:
    """The trained weights that a builder's argument ``weights`` stands for."""
    if weights is None or isinstance(weights, weight_files.TrainedWeights):
        return weights
    return weight_files.read(fetch(name) if weights == "imagenet" else weights)


def _check_channels(checkpoint, shape):
    """Raise :class:`InputError` for images with other channels than the trained first convolution reads."""
    if checkpoint.channels not in (None, shape[-1]):
        raise InputError(
            f"input_shape {shape}: {checkpoint.name} reads {checkpoint.channels} channels: convert the images, give "
            "channels='adapt', or build with weights=None."
        )


def _inputs(spec, include_top, input_tensor, input_shape):
    """The model's inputs and the image tensor, whose shape is checked."""
    if input_tensor is not None:
        if not keras.utils.is_keras_tensor(input_tensor):
            raise InputError(f"input_tensor must be a Keras tensor, not {type(input_tensor).__name__}.")
        spec.check_shape(tuple(input_tensor.shape[1:]))
        return keras.utils.get_source_inputs(input_tensor), input_tensor
    if input_shape is None:
        input_shape = (SIZE[spec.stem], SIZE[spec.stem], 3) if include_top else (None, None, 3)
    spec.check_shape(tuple(input_shape))
    inputs = keras.Input(input_shape)
    return inputs, inputs


def _stem(x, spec):
    filters = spec.channels(spec.filters[0])
    if spec.stem == "cifar":
        return normalize_activate(convolution(x, filters, 3, 1, STEM), ("bn", "relu"), spec, STEM)
    x = normalize_activate(convolution(x, filters, 7, 2, STEM), ("bn", "relu"), spec, STEM)
    x = layers.ZeroPadding2D(1, name=f"{POOL}_pad")(x)  # after a ReLU zeros never exceed the maximum
    return layers.MaxPooling2D(3, strides=2, name=f"{POOL}_pool")(x)


def _stages(x, spec):
    total, before = sum(spec.blocks), 0
    for stage, repeats, base in zip(STAGES[1:], spec.blocks, spec.filters, strict=False):
        filters = spec.channels(base)
        rates = [spec.stochastic_depth * (before + i + 1) / total for i in range(repeats)]
        before += repeats
        stride = 1 if stage == STAGES[1] else 2
        preactivated = stride == 1 and bool(PLACEMENTS[spec.placement].before)
        changes = stride > 1 or x.shape[-1] != filters * EXPANSION[spec.block]
        # A block that differs from the ones after it is a run of its own; in an unrolled network every block is.
        alone = repeats if spec.unrolled else int(changes or preactivated)
        runs = [1] * alone + [repeats - alone] * (alone < repeats)
        first = 0
        for run in runs:
            common = (spec, filters, stride if first == 0 else 1)
            is_preactivated = preactivated and first == 0
            if run > 1 or spec.remat:
                x = block_loop(x, *common, str(Name(stage, first + run)), rates[first : first + run], is_preactivated)
            else:
                x = block(x, *common, str(Name(stage, first + 1)), rates[first], is_preactivated)
            first += run
    return x


def _classifier(x, spec, classes, activation):
    classes = CLASSES[spec.stem] if classes is None else classes
    if not isinstance(classes, numbers.Integral) or classes < 1:
        raise InputError(f"classes {classes!r} must be a positive whole number.")
    x = layers.GlobalAveragePooling2D(name=POOLS["avg"])(x)
    # Mixed precision stops here: logits and softmax are float32.
    mixed = keras.config.dtype_policy().compute_dtype in ("float16", "bfloat16")
    return layers.Dense(
        int(classes),
        activation=activation,
        kernel_initializer=he_normal(),
        dtype="float32" if mixed else None,
        name=CLASSIFIER,
    )(x)


def convert(model: Network, **spec_changes: bool | None) -> Network:
    """``model`` rebuilt with another ``unroll`` or ``remat``, and with the same weights and moving statistics."""
    spec = change_spec(model.spec, **spec_changes)
    top = structure_of(model).classifier
    converted = build(
        spec,
        include_top=top is not None,
        input_shape=model.input_shape[1:],
        pooling={name: pooling for pooling, name in POOLS.items()}.get(model.layers[-1].name),  # type: ignore[arg-type]
        classes=top.units if top else None,
        classifier_activation=top.activation if top else None,
        name=model.name,
    )
    weight_files.assign_arrays(converted, weight_files.named_arrays(model))
    for key, value in model.described().items():
        setattr(converted, key, spec if key == "spec" else value)
    return converted


def replace_classifier(model: Network, classes: int, size: int | None = None) -> Network:
    """A copy of ``model`` with a new classifier of random weights, for fine-tuning.

    It keeps the class names if there are as many classes.

    Args:
        model: a network of this package.
        classes: number of outputs of the new classifier.
        size: side of the new network's images in pixels; None keeps the shape of ``model``'s images.
    """
    shape = (size, size, model.input_shape[-1]) if size else model.input_shape[1:]
    replaced = build(model.spec, input_shape=shape, classes=classes, name=model.name)
    old, new = weight_files.named_arrays(model), weight_files.named_arrays(replaced)
    kept = {name: array for name, array in old.items() if not is_classifier(name)}
    weight_files.assign_arrays(replaced, new | kept, model.name)
    for key in ("preprocessing", "source", "licence"):
        setattr(replaced, key, getattr(model, key))
    replaced.class_names = model.class_names if len(model.class_names or ()) == classes else None
    return replaced


def pyramid(model: keras.Model) -> keras.Model:
    """A model on the same layers that gives the output of each stage's last block: ``{"C2": ..., "C5": ...}``.

    ``C2`` has stride 4 and ``C5`` stride 32; CIFAR networks have ``C2`` (stride 1) to ``C4`` (stride 4).
    """
    if getattr(model, "spec", None) is None:  # another model, or a clone, which Keras makes without its spec
        raise InputError(f"pyramid takes a network that keras_resnet built or loaded, not this {type(model).__name__}.")
    outputs = {f"C{i}": stage.output for i, stage in enumerate(structure_of(model).stages, start=2)}
    return keras.Model(model.inputs, outputs, name=f"{model.name}_pyramid")


def _builder(spec_name: str) -> Callable[..., Network]:
    stem = SPECS[spec_name].stem

    def builder(
        include_top: bool = True,
        weights: Weights = None,
        input_tensor: keras.KerasTensor | None = None,
        input_shape: tuple[int | None, ...] | None = None,
        pooling: Pooling = None,
        classes: int = CLASSES[stem],
        classifier_activation: str | None = "softmax",
        name: str | None = None,
        channels: Channels = None,
        **spec_changes: Any,
    ) -> Network:
        weights = _checkpoint(weights, spec_name)
        if weights is not None:
            spec_changes = {**{k: v for k, v in weights.needs.items() if k in FOLLOWED}, **spec_changes}
        spec = change_spec(find_spec(spec_name), **spec_changes)
        return build(
            *(spec, include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation, name),
            channels=channels,
        )

    builder.__name__ = builder.__qualname__ = spec_name
    family = "Residual" if SPECS[spec_name].residual else "Plain"
    network = "ImageNet network (Table 1)" if stem == "imagenet" else "CIFAR-10 network (Sec. 4.2)"
    builder.__doc__ = f"""{family} {network} of {SPECS[spec_name].depth} layers.

    The arguments are those of :func:`keras_resnet.build` and ``keras.applications``; further keywords change fields of
    ``SPECS["{spec_name}"]`` (see :class:`keras_resnet.NetSpec`), such as ``shortcut="C"``. With ``weights``, fields
    that are left out follow the file.
    """
    return builder


FOLLOWED = tuple(field for field in OUTPUT_FIELDS if field not in ("stem", "block", "residual"))

ResNet18, ResNet34, ResNet50, ResNet101, ResNet152 = (_builder(f"ResNet{n}") for n in (18, 34, 50, 101, 152))
ResNet20, ResNet32, ResNet44, ResNet56 = (_builder(f"ResNet{n}") for n in (20, 32, 44, 56))
ResNet110, ResNet1202 = _builder("ResNet110"), _builder("ResNet1202")
PlainNet18, PlainNet34, PlainNet50, PlainNet101, PlainNet152 = (
    _builder(f"PlainNet{n}") for n in (18, 34, 50, 101, 152)
)
PlainNet20, PlainNet32, PlainNet44, PlainNet56, PlainNet110 = (_builder(f"PlainNet{n}") for n in (20, 32, 44, 56, 110))
