"""A network's stem, stages of blocks and head, and the names of its layers and weights.

Only this module parses such names. A layer is called ``conv3_block2_1_conv``, and its weight
``conv3_block2_1_conv/kernel``, both in a network and in a file. A loop has the name of its last block's output,
``conv3_block4_out``, and its stacked weights have names such as ``block_1_conv_kernel``.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from keras_resnet import layers

if TYPE_CHECKING:
    import keras

    from keras_resnet.typing import Tensor

STAGES = tuple(f"conv{number}" for number in range(1, 12))  # as in Table 1: the stem, and at most ten stages of blocks
STEM, POOL, POST, CLASSIFIER = STAGES[0], "pool1", "post", "predictions"
POOLS = {"avg": "avg_pool", "max": "max_pool"}  # a head's global pooling
TEMPLATE, OUTPUT = "block", "out"
WEIGHTS = {  # the last part of a layer's name, and the layer's weights in Keras' order
    "conv": ("kernel", "bias"),
    "gate": ("kernel", "bias"),
    CLASSIFIER: ("kernel", "bias"),
    "bn": ("gamma", "beta", "moving_mean", "moving_variance"),
    "drop": ("rate",),
}
FIRST_KERNEL, FIRST_BIAS, CLASSIFIER_KERNEL = f"{STEM}_conv/kernel", f"{STEM}_conv/bias", f"{CLASSIFIER}/kernel"
_NAME = re.compile(
    rf"(?P<stage>{'|'.join((*STAGES, POOL, POST, CLASSIFIER, *POOLS.values()))})(?:_block(?P<block>\d+))?"
    r"(?:_(?P<position>\d+|preact))?(?:_(?P<kind>[a-z]\w*))?(?:/(?P<weight>\w+))?"
)
_WEIGHT = "|".join(dict.fromkeys(weight for weights in WEIGHTS.values() for weight in weights))
_IN_TEMPLATE = re.compile(rf"{TEMPLATE}_(?P<layer>\w+?)(?:_(?P<weight>{_WEIGHT}))?")


@dataclass(frozen=True)
class Name:
    """The parts of the name of a layer or weight; ``str`` puts them together again.

    Fields:
        stage: ``"conv1"``, ``"conv2"`` ..., ``"post"``, ``"predictions"`` ...
        block: the block's number in the stage, from 1; None in the stem and the head.
        position: ``"1"``, ``"2"``, ``"3"`` on the branch, ``"0"`` on the shortcut, ``"preact"`` before both.
        kind: a key of ``WEIGHTS``, or another word for a layer without weights, such as ``"relu"``.
        weight: one of the layer's weights, such as ``"kernel"``; None for the layer itself.
    """

    stage: str
    block: int | None = None
    position: str | None = None
    kind: str | None = None
    weight: str | None = None

    def __str__(self):
        block = None if self.block is None else f"block{self.block}"
        layer = "_".join(filter(None, (self.stage, block, self.position, self.kind)))
        return f"{layer}/{self.weight}" if self.weight else layer


def read_name(text: str) -> Name | None:
    """The parts of the name of a layer or weight; None for a name that no network of this package has."""
    match = _NAME.fullmatch(text)
    if match is None:
        return None
    block = int(match["block"]) if match["block"] else None
    return Name(match["stage"], block, match["position"], match["kind"], match["weight"])


def known_name(text: str) -> Name:
    """Like :func:`read_name`, but raises ValueError for a name that no network of this package has."""
    name = read_name(text)
    if name is None:
        raise ValueError(f"{text} is not the name of a layer or weight")
    return name


def stage_of(name: str) -> str:
    """The stage in the name of a layer or weight or in a Keras variable's path; in other networks the first word."""
    return re.split("[_/]", name, maxsplit=1)[0]


def is_classifier(name: str) -> bool:
    """Whether ``name`` is that of the classifier or of one of its weights."""
    return stage_of(name) == CLASSIFIER


def weight_of(name: str) -> str | None:
    """The last part of a weight's name, stacked or not, such as ``"kernel"``; None if it is not a weight's name."""
    match = re.search(rf"({_WEIGHT})$", name)
    return match and match[1]


def stacked_name(path: str) -> str:
    """The name of a loop's stacked weight; ``path`` is the Keras path of the template's variable."""
    return "_".join(path.split("/")[-2:])


def in_block(block: str, name: str) -> str | None:
    """The name in ``block`` of a layer of a loop's template or of a stacked weight; None for any other ``name``."""
    match = _IN_TEMPLATE.fullmatch(name)
    return match and "/".join(filter(None, (f"{block}_{match['layer']}", match["weight"])))


def looped_blocks(loop: str, repeats: int) -> list[str] | None:
    """The names of the ``repeats`` blocks in the loop called ``loop``; None if that is not the name of a loop."""
    last = read_name(loop)
    if last is None or last != Name(last.stage, last.block, kind=OUTPUT) or last.block is None:
        return None
    return [str(Name(last.stage, number)) for number in range(last.block - repeats + 1, last.block + 1)]


@dataclass(frozen=True)
class Slot:
    """The place of one array in a network: a variable, or one slice of a loop's stacked variable."""

    variable: keras.Variable
    index: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.variable.shape[self.index is not None :])


@dataclass(frozen=True)
class Part:
    """The stem, the head, or a block of a network.

    Fields:
        name: ``"stem"``, ``"conv3_block2"`` ... or ``"head"``.
        stage: ``"conv1"``, ``"conv2"`` ... or ``"head"``; blocks are in ``"conv2"`` and up.
        layers: its Keras layers, in the network's order; for a block in a loop, the loop is the only one.
        index: its position in the loop; None for a part that is not in a loop.
    """

    name: str
    stage: str
    layers: tuple = ()
    index: int | None = None

    @property
    def output(self) -> Tensor:
        """The output of the last layer, a Keras tensor; for a block in a loop, the output of the loop's template."""
        last = self.layers[-1]
        return last.output if self.index is None else last.block.output

    @property
    def weights(self) -> dict[str, Slot]:
        """The :class:`Slot` of every trainable weight and moving statistic, by canonical name."""
        if self.index is None:
            return {f"{layer.name}/{v.name}": Slot(v) for layer in self.layers for v in layer.weights}
        (loop,) = self.layers
        return {in_block(self.name, v.name) or v.name: Slot(v, self.index) for v in loop.stacked + loop.states}


@dataclass(frozen=True)
class Stage:
    """A stage, ``"conv2"`` and up, with its blocks in order."""

    name: str
    blocks: tuple[Part, ...]

    @property
    def output(self) -> Tensor:
        """The last block's output in the network, a Keras tensor."""
        return self.blocks[-1].layers[-1].output


@dataclass(frozen=True)
class Structure:
    """A network's parts. Layers before an ``input_tensor`` belong to none of them."""

    stem: Part
    stages: tuple[Stage, ...]
    head: Part

    @property
    def parts(self) -> list[Part]:
        """The stem, each block, and the head, in order."""
        return [self.stem, *(block for stage in self.stages for block in stage.blocks), self.head]

    @property
    def classifier(self) -> keras.layers.Layer | None:
        """The fully connected layer; None if the network has none."""
        return next((layer for layer in self.head.layers if layer.name == CLASSIFIER), None)


def structure_of(model: keras.Model) -> Structure:
    """The parts of a network of this package, looped or not; for any other model they are empty."""
    parts: dict[str, Part] = {}
    for layer in model.layers:
        name = read_name(layer.name)
        if name is None:
            continue
        if isinstance(layer, layers.BlockLoop):
            blocks = enumerate(looped_blocks(layer.name, layer.repeats) or ())
            parts |= {block: Part(block, name.stage, (layer,), i) for i, block in blocks}
            continue
        part = Part("stem", STEM) if name.stage in (STEM, POOL) else Part("head", "head")
        part = part if name.block is None else Part(str(Name(name.stage, name.block)), name.stage)
        before = parts.get(part.name, part).layers
        parts[part.name] = replace(part, layers=(*before, layer))
    stem, head = parts.pop("stem", Part("stem", STEM)), parts.pop("head", Part("head", "head"))
    stages = itertools.groupby(parts.values(), lambda part: part.stage)
    return Structure(stem, tuple(Stage(name, tuple(blocks)) for name, blocks in stages), head)
