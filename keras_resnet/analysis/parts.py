"""A network as a chain of small models: the stem, each block, and the head."""

import functools
from dataclasses import dataclass

import keras
import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.layers import BlockLoop


@dataclass(frozen=True)
class Part:
    """One link of the chain.

    Fields:
        name: ``"stem"``, ``"conv3_block2"`` ... or ``"head"``.
        stage: ``"conv1"``, ``"conv2"`` ... or ``"head"``; the residual blocks' are ``"conv2"`` and up.
        input, output: Keras tensors. A block of a loop is a copy with the weights it had when the network was
            split; other parts are the network's own tensors and layers.
    """

    name: str
    stage: str
    input: keras.KerasTensor
    output: keras.KerasTensor

    @functools.cached_property
    def model(self) -> keras.Model:
        """From the part's input to its output."""
        return keras.Model(self.input, self.output)

    @property
    def layers(self) -> list:
        """The part's layers; their ``output`` is of its own tensors."""
        return [layer for layer in self.model.layers if not isinstance(layer, keras.layers.InputLayer)]

    def watching(self, tensors: dict) -> keras.Model:
        """From the part's input to ``{"output": ...}`` and the ``tensors`` by name, outputs of its layers."""
        return keras.Model(self.input, {"output": self.output, **tensors})

    @property
    def is_block(self) -> bool:
        """Whether this is one of the network's blocks."""
        return "_block" in self.name

    @property
    def keeps_shape(self) -> bool:
        """Whether input and output have one shape, so that the part could be left out."""
        return self.input.shape == self.output.shape

    def label(self, layer: str) -> str:
        """The name of one of the part's layers in the whole network, whether it is looped or not."""
        return f"{self.name}_{layer.removeprefix('block_')}" if layer.startswith("block_") else layer


def split(model: keras.Model) -> list[Part]:
    """The chain of a network of this package, looped or not: running its parts one after the other is the network.

    Raises:
        InputError: the model was not built by this package.
    """
    spec = getattr(model, "spec", None)
    if spec is None:
        raise InputError(f"Give a network that keras_resnet built or loaded, not this {type(model).__name__}.")
    parts, start = [], model.input
    for number, blocks in enumerate(spec.blocks, start=2):
        first = 1
        while first <= blocks:
            layer, repeats = _ending(model, number, first, blocks)
            here = layer.input if isinstance(layer, BlockLoop) else _input_of(model, parts, start)
            if not parts:
                parts.append(Part("stem", "conv1", start, here))
            for i in range(repeats):
                ends = _slice(layer, i) if isinstance(layer, BlockLoop) else (here, layer.output)
                parts.append(Part(f"conv{number}_block{first + i}", f"conv{number}", *ends))
            start = layer.output
            first += repeats
    parts.append(Part("head", "head", start, model.output))
    return parts


def _ending(model, stage: int, first: int, blocks: int):
    """The layer that ends block ``first`` of a stage, or the loop that begins with it, and how many blocks it is."""
    for last in range(first, blocks + 1):
        try:
            layer = model.get_layer(f"conv{stage}_block{last}_out")
        except ValueError:
            continue
        return layer, layer.repeats if isinstance(layer, BlockLoop) else 1
    raise InputError(f"{model.name} lacks block {first} of stage conv{stage}: give a network as keras_resnet built it.")


def _input_of(model, parts, start):
    """The tensor the next unrolled block reads: the last part's output, or for the first one the stem's."""
    if parts:
        return start
    names = {layer.name for layer in model.layers}
    return model.get_layer("pool1_pool" if "pool1_pool" in names else "conv1_relu").output


def _slice(loop: BlockLoop, i: int) -> tuple:
    """Input and output of block ``i`` of a loop, copied."""
    block = keras.models.clone_model(loop.block)
    states = [v for v in block.non_trainable_variables if v.name != "seed_generator_state"]
    for variable, stack in zip(block.trainable_variables + states, loop.stacked + loop.states, strict=True):
        variable.assign(stack.value[i])
    return block.input, block.output


def chain(parts: list[Part], images) -> list[np.ndarray]:
    """What each part gives in inference, the first part on ``images``, the others on what comes before."""
    outputs = []
    for part in parts:
        images = part.model(images, training=False)
        outputs.append(images)
    return outputs
