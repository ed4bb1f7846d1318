"""Every network of the paper as one row of data (Table 1 and Sec. 4.2)."""

import json
import math
import numbers
import typing
from dataclasses import dataclass, fields, replace

from keras_resnet.errors import InputError, one_of

SHORTCUTS = ("A", "B", "C", "highway")
BLOCKS = ("basic", "bottleneck")
PLACEMENTS = (
    "original",
    "bn_after_addition",
    "relu_before_addition",
    "relu_only_preactivation",
    "full_preactivation",
)
STRIDES_IN = ("1x1", "3x3")
ACTIVATIONS = ("relu", "maxout")
STEMS = ("imagenet", "cifar")
ZERO_CHANNELS = ("after", "both_sides")
LOOPED_FROM_DEPTH = 1001
MOST_BLOCKS = 10_000  # ResNet1202 has 600
MOST_CHANNELS = 2**16  # of one convolution, before a bottleneck's expansion; ResNet152 has 512
EXPANSION = {"basic": 1, "bottleneck": 4}


def _is(value, kind) -> bool:
    """Whether a field of type ``kind`` can have ``value``: NumPy's numbers are numbers, truth values are none."""
    if kind in (int, float):
        return isinstance(value, numbers.Integral if kind is int else numbers.Real) and not isinstance(value, bool)
    return kind is not Ellipsis and isinstance(value, kind)


@dataclass(frozen=True)
class NetSpec:
    """What a network is made of; change fields with ``dataclasses.replace`` or a builder's keywords.

    Fields:
        name: the network's name.
        stem: ``"imagenet"`` (7x7 convolution, stride 2, and 3x3 max pooling) or ``"cifar"`` (3x3 convolution).
        blocks: residual blocks in each stage.
        filters: channels of the 3x3 convolutions in each stage, before ``width``.
        block: ``"basic"`` (3x3, 3x3) or ``"bottleneck"`` (1x1, 3x3, 1x1 with four times the channels; Fig. 5).
        residual: False gives the plain net, the same layers without shortcuts.
        shortcut: ``"A"`` (identity, zero channels), ``"B"`` (1x1 projection where dimensions change), ``"C"``
            (projection in every block; Table 3) or ``"highway"`` (a learned gate with bias -2 between A's shortcut
            and the branch; Srivastava et al. 2015).
        zero_channels: where option A puts the new zero channels: ``"after"`` the old ones, as the paper, or
            half on ``"both_sides"``, as some trained CIFAR weights need.
        placement: where normalization and ReLU sit (Fig. 2 is ``"original"``; the others are Fig. 4 of He et
            al. 2016, *Identity Mappings*). Plain nets have only ``"original"``.
        stride_in: the convolution of a bottleneck that strides: ``"1x1"`` (the authors' models) or ``"3x3"``.
        width: multiplier of all channel counts.
        activation: ``"relu"``, or ``"maxout"``: the activations between a block's convolutions become the maximum
            of two linear pieces (Goodfellow et al. 2013); the stem's and those on the shortcut path stay ReLU.
        dropout: rate of dropout before the last convolution of each branch.
        stochastic_depth: drop probability of the last branch, rising linearly with depth (Huang et al. 2016).
        bn_epsilon, bn_momentum: of every batch normalization.
        remat: recompute each block in the backward pass instead of keeping its activations.
        unroll: False makes each run of identical blocks one layer with a loop; None decides by depth.
    """

    name: str
    stem: str
    blocks: tuple[int, ...]
    filters: tuple[int, ...]
    block: str = "basic"
    residual: bool = True
    shortcut: str = "A"
    zero_channels: str = "after"
    placement: str = "original"
    stride_in: str = "1x1"
    width: float = 1.0
    activation: str = "relu"
    dropout: float = 0.0
    stochastic_depth: float = 0.0
    bn_epsilon: float = 1e-5
    bn_momentum: float = 0.9
    remat: bool = False
    unroll: bool | None = None

    def __post_init__(self):
        for field in fields(self):
            value, takes = getattr(self, field.name), typing.get_args(field.type) or (field.type,)
            several = value if typing.get_origin(field.type) is tuple else [value]
            if not isinstance(several, (list, tuple)) or not all(any(_is(v, kind) for kind in takes) for v in several):
                wanted = getattr(field.type, "__name__", field.type)
                raise InputError(f"{field.name} {str(value)[:80]!r} must be of the type {wanted}.")
        for field, valid in (
            ("stem", STEMS),
            ("block", BLOCKS),
            ("shortcut", SHORTCUTS),
            ("zero_channels", ZERO_CHANNELS),
            ("placement", PLACEMENTS),
            ("stride_in", STRIDES_IN),
            ("activation", ACTIVATIONS),
        ):
            one_of(field, getattr(self, field), valid)
        if not self.name or "/" in self.name:
            raise InputError(f"name {self.name[:80]!r} must be a word without slashes.")
        object.__setattr__(self, "blocks", tuple(self.blocks))  # lists come from JSON
        object.__setattr__(self, "filters", tuple(self.filters))
        if len(self.blocks) != len(self.filters) or not self.blocks or min(self.blocks + self.filters) < 1:
            raise InputError(
                f"blocks {self.blocks} and filters {self.filters} must name one positive number for each stage."
            )
        if not self.residual and self.placement != "original":
            raise InputError(
                f"placement {self.placement!r} needs shortcuts: a plain net has only placement 'original'."
            )
        for field in ("dropout", "stochastic_depth"):
            if not 0 <= getattr(self, field) < 1:
                raise InputError(f"{field} {getattr(self, field)!r} is not a probability: give 0 <= {field} < 1.")
        if not self.residual and self.stochastic_depth:
            raise InputError("stochastic_depth needs shortcuts: a plain net without its branch passes nothing on.")
        if not 0 < self.width < math.inf:
            raise InputError(f"width {self.width!r} must be a positive multiplier of the channels.")
        if sum(self.blocks) > MOST_BLOCKS or self.channels(max(self.filters)) > MOST_CHANNELS:
            raise InputError(f"A network has {MOST_BLOCKS:,} blocks and {MOST_CHANNELS:,} channels at most.")
        if not 0 < self.bn_epsilon < math.inf or not 0 <= self.bn_momentum < 1:
            raise InputError(
                f"bn_epsilon {self.bn_epsilon!r} must be positive and bn_momentum {self.bn_momentum!r} in [0, 1)."
            )

    @property
    def depth(self) -> int:
        """Weighted layers on the main path: the stem, the blocks' convolutions and the classifier (Table 1)."""
        return 2 + sum(self.blocks) * (2 if self.block == "basic" else 3)

    @property
    def unrolled(self) -> bool:
        """``unroll``, or its default: one layer a convolution below depth 1001, loops from there on."""
        return self.depth < LOOPED_FROM_DEPTH if self.unroll is None else self.unroll

    @property
    def stride(self) -> int:
        """Input pixels for one position of the last feature map."""
        return 2 ** (len(self.blocks) - 1) * (4 if self.stem == "imagenet" else 1)

    def channels(self, filters: int) -> int:
        """``filters`` after the width multiplier."""
        return max(1, round(filters * self.width))


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


_ANY_CASE = {name.lower(): spec for name, spec in SPECS.items()}


def find_spec(name: str) -> NetSpec:
    """The row of ``SPECS`` called ``name`` in any case; raises :class:`InputError` listing the names otherwise."""
    found = _ANY_CASE.get(name.lower())
    one_of("model", name if found is None else found.name, SPECS)
    return found


def split_name(model: str) -> tuple[str | None, str]:
    """``NAME[:WEIGHTS]`` as its name in ``SPECS``, given in any case, and its weights; None and all of another text."""
    name, _, weights = model.partition(":")
    found = _ANY_CASE.get(name.lower())
    return (None, model) if found is None else (found.name, weights)


def change_spec(spec: NetSpec, **changes) -> NetSpec:
    """``spec`` with ``changes``; raises :class:`InputError` listing the fields for a name that is none."""
    for field in changes:
        one_of(f"{spec.name} option", field, [f.name for f in fields(NetSpec)])
    return replace(spec, **changes)


def parse_changes(texts) -> dict:
    """Changes of a spec from the command line, ``("placement=full_preactivation", "width=0.5")``, as keywords.

    Raises:
        InputError: naming what is no field, or no value of its kind.
    """
    kinds = {field.name: field.type for field in fields(NetSpec)}
    changes = {}
    for text in texts:
        field, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--change {text} must be FIELD=VALUE, as width=0.5.")
        one_of("--change", field, kinds)
        kind = kinds[field]
        try:
            changes[field] = value if kind is str else json.loads(value.lower())
        except ValueError:
            changes[field] = value
        wanted = {float: (int, float), bool: (bool,), str: (str,)}.get(
            kind, (list,) if "tuple" in str(kind) else (bool,)
        )
        if type(changes[field]) not in wanted:
            raise InputError(f"--change {text}: {field} takes {_KINDS[wanted[-1]]}.")
    return changes


_KINDS = {float: "a number", bool: "true or false", str: "a word", list: "a list of numbers, as [3,3,3]"}
