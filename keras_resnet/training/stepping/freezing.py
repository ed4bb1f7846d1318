"""Freezing parts of a network for fine-tuning."""

import keras

from keras_resnet.errors import InputError, one_of
from keras_resnet.layers import BlockLoop
from keras_resnet.network import Network
from keras_resnet.structure import STEM, stage_of


def stages_of(network: Network) -> tuple[str, ...]:
    """The names of the stem and the stages, in order: conv1 ... conv5, or conv1 ... conv4 for CIFAR networks."""
    return (STEM, *(stage.name for stage in network.stages))


def freeze(model: Network, upto: str | None = None, batch_norm: bool = False) -> None:
    """Freeze the stem and all stages up to ``upto``, and with ``batch_norm`` every batch normalization layer.

    Frozen layers keep their weights. A frozen normalization layer also keeps its moving statistics, and uses them in
    training. Every other layer trains, even one that an earlier call froze. ``model.save`` stores what is frozen.

    Args:
        model: a network of this package.
        upto: the last frozen stage, ``"conv1"`` to ``"conv5"``; None freezes no stage.
        batch_norm: also freeze normalization in the other stages, as a constant scale and offset (Sec. 4.3).

    Raises:
        InputError: there is no such stage, or the network has loops of blocks.
    """
    if getattr(model, "spec", None) is None:
        raise InputError(f"freeze takes a network that keras_resnet built or loaded, not this {type(model).__name__}.")
    if any(isinstance(layer, BlockLoop) for layer in model.layers):
        raise InputError(f"{model.name} has loops of blocks: freeze keras_resnet.convert(model, unroll=True).")
    stages = stages_of(model)
    one_of("upto", upto, (None, *stages))
    frozen = stages[: stages.index(upto) + 1] if upto else ()
    for layer in model.layers:
        norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = not (stage_of(layer.name) in frozen or (batch_norm and norm))
