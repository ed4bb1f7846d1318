"""Memory of a training step: activations kept by each layer, the peak, and the largest batch that fits."""

import math
from dataclasses import astuple, dataclass

import keras

from keras_resnet.analysis.compute import layer_multiply_adds
from keras_resnet.errors import InputError
from keras_resnet.layers import BlockLoop, Maxout

WEIGHT = 4  # bytes: weights, gradients and momenta are float32 in every precision
EARLY = 2  # copies of the weights: TensorFlow computes decay x weight and momentum x velocity before the gradients
KERNELS = 1  # copies of the weights in the layouts of oneDNN's kernels, measured on ResNet-18 to 152
GRAPH = 500_000  # bytes per layer of TensorFlow's graph of a step, measured on ResNet-20 to 152
KEEPS_INPUT = (keras.layers.Conv2D, keras.layers.Dense, keras.layers.BatchNormalization, keras.layers.MaxPooling2D)
KEEPS_OUTPUT = (keras.layers.ReLU, keras.layers.MaxPooling2D, keras.layers.Dropout)


@dataclass(frozen=True)
class LayerCost:
    """The cost of one layer; the blocks of a loop are one layer.

    Fields:
        name, kind: the layer's name and class.
        shape: shape of its output for one image.
        parameters: number of trainable parameters.
        multiply_adds: multiply-adds for one image.
        output: bytes of its output for one image.
        kept: bytes of its inputs and outputs that are kept for the backward pass, for one image; each map counts in
            the first layer that keeps it.
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
    """Bytes in use at the peak of a training step with :class:`keras_resnet.training.SGD`.

    Fields:
        weights: trainable weights and moving statistics.
        optimizer: momenta, and the terms of the update that are computed before the gradients.
        gradients: the gradients of weights that exist at the peak.
        activations: maps that are kept for the backward pass.
        in_flight: inputs and outputs of the operation that is running.
        kernels: copies of the weights in the layout of the processor's convolutions; none on an accelerator.
        graph: TensorFlow's graph, in the process' memory; none on an accelerator.
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
        """The sum of all fields."""
        return sum(astuple(self))


def layer_costs(model: keras.Model) -> list[LayerCost]:
    """The cost of each layer of a Functional model, in its order.

    Raises:
        InputError: the model has no fixed input size.
    """
    if None in model.inputs[0].shape[1:]:
        raise InputError(f"{model.name} takes images of shape {model.inputs[0].shape[1:]}: build it for one size.")
    counted: set[int] = set()
    return [_cost(layer, counted) for layer in model.layers]


def _cost(layer, counted: set[int]) -> LayerCost:
    """The cost of a layer; ``counted`` has the ids of the tensors that earlier layers keep, and gets this layer's."""
    new = {id(tensor): tensor for tensor in _kept(layer) if id(tensor) not in counted}
    counted.update(new)
    kept = sum(map(_bytes, new.values()))
    if isinstance(layer, BlockLoop):
        inner = sum(row.kept for row in layer_costs(layer.block)) - _bytes(layer.input)  # kept by the block before
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
    """The tensors that TensorFlow's gradient of ``layer`` reads."""
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
    """The estimated peak of a training step, from a simulation of its backward pass.

    Layer by layer, the backward pass frees the activations that were kept and adds the gradients of the weights; the
    peak is the largest sum.
    """
    rows = layer_costs(model)
    weights = WEIGHT * sum(row.parameters for row in rows)
    states = 4 * sum(math.prod(v.shape) for v in model.non_trainable_variables)
    graph = GRAPH * sum(len(layer.block.layers) if isinstance(layer, BlockLoop) else 1 for layer in model.layers)
    kept, gradients = sum(row.kept for row in rows), 0
    peaks: list[Peak] = []
    for row, layer in zip(reversed(rows), reversed(model.layers), strict=True):
        in_flight = row.output + max([row.output, *(_bytes(x) for x in _as_list(layer.input))])
        if isinstance(layer, BlockLoop) and layer.remat:  # the activations of one block, computed again
            in_flight += sum(inner.kept for inner in layer_costs(layer.block)) - _bytes(layer.input)
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
