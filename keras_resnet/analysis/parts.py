"""A network as a chain of small models: the stem, each block, and the head."""

import functools
from dataclasses import dataclass

import keras

from keras_resnet.errors import InputError
from keras_resnet.layers.block_loop import is_seed
from keras_resnet.structure import in_block, structure_of


@dataclass(frozen=True)
class Part:
    """One part of the chain.

    Fields:
        name: ``"stem"``, ``"conv3_block2"`` ... or ``"head"``.
        stage: ``"conv1"``, ``"conv2"`` ... or ``"head"``; blocks are in ``"conv2"`` and up.
        is_block: whether this is one of the network's blocks.
        input, output: Keras tensors. A block of a loop is a copy with the weights that it had when the network was
            split; other parts have the tensors and layers of the network itself.
    """

    name: str
    stage: str
    is_block: bool
    input: keras.KerasTensor
    output: keras.KerasTensor

    @functools.cached_property
    def model(self) -> keras.Model:
        """A model from the part's input to its output."""
        return keras.Model(self.input, self.output)

    @property
    def layers(self) -> list:
        """The part's layers, without input layers."""
        return [layer for layer in self.model.layers if not isinstance(layer, keras.layers.InputLayer)]

    def watching(self, tensors: dict) -> keras.Model:
        """A model from the part's input to ``{"output": ...}`` and these ``tensors`` of its layers, by name."""
        return keras.Model(self.input, {"output": self.output, **tensors})

    @property
    def keeps_shape(self) -> bool:
        """Whether input and output have the same shape, so that the part could be left out."""
        return self.input.shape == self.output.shape

    def label(self, layer: str) -> str:
        """The name of one of the part's layers in the whole network, whether it is looped or not."""
        return in_block(self.name, layer) or layer


def split(model: keras.Model) -> list[Part]:
    """The chain of parts of a network of this package, looped or not; applied in order, they give its output.

    Raises:
        InputError: the model was not built by this package.
    """
    spec = getattr(model, "spec", None)
    if spec is None:
        raise InputError(f"Give a network that keras_resnet built or loaded, not this {type(model).__name__}.")
    structure, parts, start = structure_of(model), [], model.input
    if tuple(len(stage.blocks) for stage in structure.stages) != spec.blocks:
        raise InputError(f"{model.name} lacks some of its {spec.blocks} blocks: give a network of keras_resnet.")
    for part in structure.parts:
        end = model.output if part is structure.head else part.output
        start, end = (start, end) if part.index is None else _copied(part)
        is_block = part is not structure.stem and part is not structure.head
        parts.append(Part(part.name, part.stage, is_block, start, end))
        start = part.layers[-1].output if part.layers else start
    return parts


def _copied(looped) -> tuple:
    """The input and output of a copy of a loop's block with its slice of the weights."""
    (loop,) = looped.layers
    block = keras.models.clone_model(loop.block)
    states = [v for v in block.non_trainable_variables if not is_seed(v)]
    for variable, stack in zip(block.trainable_variables + states, loop.stacked + loop.states, strict=True):
        variable.assign(stack.value[looped.index])
    return block.input, block.output
