"""Memory of a training step: what each layer keeps for the backward pass, the peak, and the largest batch that fits."""

import math
from dataclasses import astuple, dataclass

import keras

from keras_resnet.analysis.compute import layer_multiply_adds
from keras_resnet.errors import InputError
from keras_resnet.layers import BlockLoop, Maxout

WEIGHT = 4  # bytes: weights, gradients and momenta are float32 in every precision
EARLY = 2  # copies: decay times weight and momentum times velocity need no gradient, so TensorFlow computes them first
KERNELS = 1  # copies: the weights in the layouts of oneDNN's kernels, where TensorFlow uses them; ResNet-18 to 152
GRAPH = 500_000  # bytes a layer of the traced step and its plan, measured on ResNet-20 to 152
KEEPS_INPUT = (keras.layers.Conv2D, keras.layers.Dense, keras.layers.BatchNormalization, keras.layers.MaxPooling2D)
KEEPS_OUTPUT = (keras.layers.ReLU, keras.layers.MaxPooling2D, keras.layers.Dropout)


@dataclass(frozen=True)
class LayerCost:
    """What one layer costs.

    Fields:
        name, kind: of the layer; a loop's blocks are one row.
        shape: of its output for one image.
        parameters: trainable ones.
        multiply_adds: for one image.
        output: bytes of its output for one image.
        kept: bytes that the backward pass needs of its inputs and outputs for one image, each map counted where it
            is first kept.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int
    output: int
    kept: int


@dataclass(frozen=True)
class Peak:
    """Bytes at the largest moment of a training step with :class:`keras_resnet.training.SGD`.

    Fields:
        weights: trainable ones and moving statistics.
        optimizer: momenta, and the terms of the update that are computed before the gradient is there.
        gradients: of the weights, as many as there are at that moment.
        activations: what is kept for the backward pass.
        in_flight: maps around the operation at work.
        kernels: weights laid out for the processor's convolutions; an accelerator has none of it.
        graph: TensorFlow's own, in the process' memory; an accelerator has none of it.
    """

    weights: int
    optimizer: int
    gradients: int
    activations: int
    in_flight: int
    kernels: int
    graph: int

    @property
    def total(self) -> int:
        """All of it."""
        return sum(astuple(self))


def layer_costs(model: keras.Model) -> list[LayerCost]:
    """A row for each layer of a Functional model of fixed input size, in its order."""
    if None in model.inputs[0].shape[1:]:
        raise InputError(f"{model.name} takes images of shape {model.inputs[0].shape[1:]}: build it for one size.")
    seen: set[int] = set()
    return [_cost(layer, seen) for layer in model.layers]


def _cost(layer, seen) -> LayerCost:
    kept = sum(_bytes(tensor) for tensor in _kept(layer) if not (id(tensor) in seen or seen.add(id(tensor))))
    if isinstance(layer, BlockLoop):
        inner = sum(row.kept for row in layer_costs(layer.block)) - _bytes(layer.input)  # the block before keeps it
        kept = layer.repeats * (_bytes(layer.input) if layer.remat else inner)
    return LayerCost(
        layer.name,
        type(layer).__name__,
        tuple(layer.output.shape[1:]),
        sum(math.prod(v.shape) for v in layer.trainable_variables),
        layer_multiply_adds(layer),
        _bytes(layer.output),
        kept,
    )


def _kept(layer) -> list:
    """Tensors that TensorFlow's gradient of ``layer`` reads."""
    tensors = [layer.input] if isinstance(layer, KEEPS_INPUT) else []
    if isinstance(layer, Maxout):
        tensors.append(layer.input)
    if isinstance(layer, KEEPS_OUTPUT) or getattr(layer, "activation", None) is keras.activations.softmax:
        tensors.append(layer.output)
    if isinstance(layer, keras.layers.Multiply):
        tensors += layer.input
    return tensors


def _bytes(tensor) -> int:
    return math.prod(tensor.shape[1:]) * {"float32": 4, "bfloat16": 2, "float16": 2, "float64": 8}[tensor.dtype]


def peak(model: keras.Model, batch_size: int) -> Peak:
    """The estimated peak of a training step, from a walk back through the layers.

    Going back, what was kept is let go layer by layer while the gradients of the weights come in; the peak is the
    largest sum on the way.
    """
    rows = layer_costs(model)
    weights = WEIGHT * sum(row.parameters for row in rows)
    states = 4 * sum(math.prod(v.shape) for v in model.non_trainable_variables)
    graph = GRAPH * sum(len(layer.block.layers) if isinstance(layer, BlockLoop) else 1 for layer in model.layers)
    kept, gradients = sum(row.kept for row in rows), 0
    peaks: list[Peak] = []
    for row, layer in zip(reversed(rows), reversed(model.layers), strict=True):
        in_flight = row.output + max([row.output, *(_bytes(x) for x in _as_list(layer.input))])
        if isinstance(layer, BlockLoop):  # with remat, what one block keeps again
            inner = layer_costs(layer.block)
            in_flight += sum(each.kept for each in inner) - _bytes(layer.input) if layer.remat else 0
        gradients += WEIGHT * row.parameters
        maps = batch_size * kept, batch_size * in_flight
        peak = Peak(weights + states, (1 + EARLY) * weights, gradients, *maps, KERNELS * weights, graph)
        peaks.append(peak)
        kept -= row.kept
    return max(peaks, key=lambda peak: peak.total)


def _as_list(tensors) -> list:
    return tensors if isinstance(tensors, list) else [tensors]


def largest_batch(model: keras.Model, memory: int) -> int:
    """The largest batch whose estimated peak is at most ``memory`` bytes; 0 if not even one image fits."""
    low, high = 0, 1
    while peak(model, high).total <= memory:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if peak(model, middle).total <= memory else (low, middle)
    return low
