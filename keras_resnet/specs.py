"""Every network of the paper as a row of data (Table 1 and Sec. 4.2)."""

import contextlib
import json
import numbers
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, get_args

from keras_resnet.bounds import Between, Length, check_fields, fits, hints_of, words
from keras_resnet.errors import InputError, one_of

Placement = Literal[
    "original", "bn_after_addition", "relu_before_addition", "relu_only_preactivation", "full_preactivation"
]
PLACEMENTS: tuple[str, ...] = get_args(Placement)
Shortcut = Literal["A", "B", "C", "highway"]
Stages = Length(1, 10)
Probability = Annotated[float, Between(0, 0.999999)]
LOOPED_FROM_DEPTH = 1001
MAX_BLOCKS = 10_000  # ResNet1202 has 600
MAX_CHANNELS = 2**16  # of one convolution, before a bottleneck's expansion; ResNet152 has 512
MAX_INPUT_CHANNELS = 512  # of images; those of hyperspectral cameras have some hundreds
EXPANSION = {"basic": 1, "bottleneck": 4}


@dataclass(frozen=True)
class NetSpec:
    """The architecture of a network; change fields with ``dataclasses.replace`` or a builder's keywords.

    Fields:
        name: the network's name.
        stem: ``"imagenet"`` (7x7 convolution, stride 2, and 3x3 max pooling) or ``"cifar"`` (3x3 convolution).
        blocks: number of residual blocks in each stage.
        filters: channels of the 3x3 convolutions in each stage, before ``width``.
        block: ``"basic"`` (3x3, 3x3) or ``"bottleneck"`` (1x1, 3x3, 1x1 with four times the channels; Fig. 5).
        residual: False gives the plain network: the same layers without shortcuts.
        shortcut: ``"A"`` (identity, zero channels), ``"B"`` (1x1 projection where dimensions change), ``"C"``
            (projection in every block; Table 3) or ``"highway"`` (a learned gate with bias -2 between A's shortcut
            and the branch; Srivastava et al. 2015).
        zero_channels: where option A puts the new zero channels: ``"after"`` the old ones, as in the paper, or
            half on ``"both_sides"``, as some trained CIFAR weights need.
        placement: positions of normalization and ReLU: ``"original"`` is Fig. 2, and the others are those of Fig. 4
            of He et al. 2016, *Identity Mappings*. Plain networks have only ``"original"``.
        stride_in: which convolution of a bottleneck has the stride: ``"1x1"`` (the authors' models) or ``"3x3"``.
        width: multiplier of all channel counts.
        activation: ``"relu"``, or ``"maxout"``, which replaces the activations between a block's convolutions by the
            maximum of two linear pieces (Goodfellow et al. 2013); the stem and the shortcut path keep ReLU.
        dropout: rate of dropout before the last convolution of each branch.
        stochastic_depth: drop probability of the last branch; it rises linearly with depth (Huang et al. 2016).
        bn_epsilon, bn_momentum: parameters of every batch normalization.
        remat: recompute each block in the backward pass instead of keeping its activations.
        unroll: False makes each run of identical blocks one layer with a loop; None decides by depth.
    """

    name: str
    stem: Literal["imagenet", "cifar"]
    blocks: Annotated[tuple[Annotated[int, Between(1, 1_000)], ...], Stages]
    filters: Annotated[tuple[Annotated[int, Between(1, 10_000)], ...], Stages]
    block: Literal["basic", "bottleneck"] = "basic"
    residual: bool = True
    shortcut: Shortcut = "A"
    zero_channels: Literal["after", "both_sides"] = "after"
    placement: Placement = "original"
    stride_in: Literal["1x1", "3x3"] = "1x1"
    width: Annotated[float, Between(0.01, 100)] = 1.0
    activation: Literal["relu", "maxout"] = "relu"
    dropout: Probability = 0.0
    stochastic_depth: Probability = 0.0
    bn_epsilon: Annotated[float, Between(1e-30, 1)] = 1e-5
    bn_momentum: Probability = 0.9
    remat: bool = False
    unroll: bool | None = None

    def __post_init__(self):
        check_fields(self, flags=False)
        if not self.name or "/" in self.name:
            raise InputError(f"name {self.name[:80]!r} must not be empty or contain slashes.")
        object.__setattr__(self, "blocks", tuple(self.blocks))  # lists come from JSON
        object.__setattr__(self, "filters", tuple(self.filters))
        if len(self.blocks) != len(self.filters):
            raise InputError(f"blocks {self.blocks} and filters {self.filters} must have one number for each stage.")
        if not self.residual and self.placement != "original":
            raise InputError(
                f"placement {self.placement!r} needs shortcuts: a plain network has only placement 'original'."
            )
        if not self.residual and self.stochastic_depth:
            raise InputError(
                "stochastic_depth needs shortcuts: a dropped branch would leave a plain network no signal."
            )
        if sum(self.blocks) > MAX_BLOCKS or self.channels(max(self.filters)) > MAX_CHANNELS:
            raise InputError(f"A network has {MAX_BLOCKS:,} blocks and {MAX_CHANNELS:,} channels at most.")

    @property
    def depth(self) -> int:
        """Weighted layers on the main path: the stem, the blocks' convolutions and the classifier (Table 1)."""
        return 2 + sum(self.blocks) * (2 if self.block == "basic" else 3)

    @property
    def unrolled(self) -> bool:
        """``unroll``, or if that is None whether the depth is below 1001: deeper networks use loops of blocks."""
        return self.depth < LOOPED_FROM_DEPTH if self.unroll is None else self.unroll

    @property
    def stride(self) -> int:
        """The distance, in input pixels, between positions of the last feature map."""
        return 2 ** (len(self.blocks) - 1) * (4 if self.stem == "imagenet" else 1)

    def channels(self, filters: int) -> int:
        """``filters`` after the width multiplier."""
        return max(1, round(filters * self.width))

    def check_shape(self, shape: tuple) -> None:
        """Raise :class:`InputError` unless the network can take images of ``shape``, ``(height, width, channels)``."""
        if len(shape) != 3:
            raise InputError(f"input_shape {shape} must be (height, width, channels).")
        if not all(size is None or isinstance(size, numbers.Integral) for size in shape):
            raise InputError(f"input_shape {shape} must be whole numbers, or None for any height and width.")
        for what, size in zip(("height", "width"), shape, strict=False):
            if size is not None and size < self.stride:
                raise InputError(
                    f"input_shape {shape}: {what} {size} is too small for the strides of {self.name}, "
                    f"which needs at least {self.stride}."
                )
        if shape[2] is None or not 1 <= shape[2] <= MAX_INPUT_CHANNELS:
            raise InputError(f"input_shape {shape}: {shape[2]} channels; give 1 to {MAX_INPUT_CHANNELS}.")


def _imagenet(name, blocks, block, **fields):
    return NetSpec(name, "imagenet", blocks, (64, 128, 256, 512), block, **fields)


def _cifar(name, n, **fields):
    return NetSpec(name, "cifar", (n, n, n), (16, 32, 64), **fields)


_RESIDUAL = [
    _imagenet("ResNet18", (2, 2, 2, 2), "basic", shortcut="B"),
    _imagenet("ResNet34", (3, 4, 6, 3), "basic", shortcut="B"),
    _imagenet("ResNet50", (3, 4, 6, 3), "bottleneck", shortcut="B"),
    _imagenet("ResNet101", (3, 4, 23, 3), "bottleneck", shortcut="B"),
    _imagenet("ResNet152", (3, 8, 36, 3), "bottleneck", shortcut="B"),
    _cifar("ResNet20", 3),
    _cifar("ResNet32", 5),
    _cifar("ResNet44", 7),
    _cifar("ResNet56", 9),
    _cifar("ResNet110", 18),
    _cifar("ResNet1202", 200),
]
_PLAIN = [
    replace(spec, name=spec.name.replace("ResNet", "PlainNet"), residual=False)
    for spec in _RESIDUAL
    if spec.name != "ResNet1202"
]
SPECS: dict[str, NetSpec] = {spec.name: spec for spec in _RESIDUAL + _PLAIN}


VGG16 = "VGG16"  # a backbone of detectors, whose network is of keras.applications
_ANY_CASE = {name.lower(): name for name in (*SPECS, VGG16)}


def find_spec(name: str) -> NetSpec:
    """The row of ``SPECS`` called ``name``, in any case; raises :class:`InputError` with all names if there is none."""
    known = _ANY_CASE.get(name.lower(), name)
    one_of("model", known, SPECS)
    return SPECS[known]


def split_name(model: str) -> tuple[str | None, str]:
    """The network's name and the weights in ``NAME[:WEIGHTS]``, or None and ``model`` if it does not begin with a name.

    The names are those of ``SPECS`` and ``VGG16``; ``model`` may give them in any case.
    """
    name, _, weights = model.partition(":")
    known = _ANY_CASE.get(name.lower())
    return (None, model) if known is None else (known, weights)


def change_spec(spec: NetSpec, **changes: Any) -> NetSpec:
    """``spec`` with ``changes``; raises :class:`InputError`, which lists the fields, for an unknown one."""
    for field in changes:
        one_of(f"{spec.name} option", field, hints_of(NetSpec))
    return replace(spec, **changes)


def parse_changes(texts: Iterable[str]) -> dict[str, Any]:
    """Changes of a spec from the command line, ``("placement=full_preactivation", "width=0.5")``, as keywords.

    Raises:
        InputError: a field is unknown, given twice, or has a value that it may not have.
    """
    hints: dict[str, Any] = hints_of(NetSpec)
    changes: dict[str, Any] = {}
    for text in texts:
        field, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--change {text} must be FIELD=VALUE, such as width=0.5.")
        one_of("--change", field, hints)
        if field in changes:
            raise InputError(f"--change gives {field} twice: give it once.")
        if not fits(value, hints[field]):
            with contextlib.suppress(ValueError, RecursionError):
                value = json.loads(value.lower())
        if not fits(value, hints[field]):
            flag = " (or use --shortcut)" if field == "shortcut" else ""
            raise InputError(f"--change {text}: {field} must be {words(hints[field])}{flag}.")
        changes[field] = value
    return changes
