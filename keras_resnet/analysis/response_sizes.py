"""Layer responses: the standard deviation of each 3x3 layer's output (Fig. 7)."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from keras_resnet.analysis.parts import split
from keras_resnet.typing import Tensor
from keras_resnet.weights.folding import normalized_by


@dataclass(frozen=True)
class Response:
    """The standard deviation ``std`` of the output of ``layer``, a 3x3 convolution of ``stage``."""

    layer: str
    stage: str
    std: float


def responses(model: keras.Model, images: np.ndarray | Tensor, batch_size: int = 128) -> list[Response]:
    """The responses of all 3x3 layers in layer order, as in the top of Fig. 7; the bottom shows them sorted by size.

    A response is the output after batch normalization and before ReLU or addition; in placements without normalization
    after the convolution, it is the convolution's output. The deviation is over images, positions and channels, in
    inference.

    Args:
        model: a network of this package, looped or not.
        images: preprocessed images ``[count, height, width, channels]``.
        batch_size: images in one pass.
    """
    watched = []
    for part in split(model):
        norms = normalized_by(part.layers)
        tensors = {
            part.label(layer.name): _response(norms, layer)
            for layer in part.layers
            if isinstance(layer, keras.layers.Conv2D) and layer.kernel_size == (3, 3)
        }
        watched.append((part, part.watching(tensors)))
    stages = {name: part.stage for part, watching in watched for name in watching.output if name != "output"}
    sums = {name: np.zeros(3) for name in stages}
    for start in range(0, len(images), batch_size):
        x = images[start : start + batch_size]
        for _, watching in watched:
            values = watching(x, training=False)
            x = values.pop("output")
            for name, value in values.items():
                value = ops.cast(value, "float32")
                moments = (ops.sum(value), ops.sum(ops.square(value)), np.prod(value.shape))
                sums[name] += [float(moment) for moment in moments]
    means = {name: (total / count, squares / count) for name, (total, squares, count) in sums.items()}
    return [Response(name, stages[name], float(np.sqrt(max(s - m * m, 0)))) for name, (m, s) in means.items()]


def _response(norms, convolution):
    return norms[convolution.name].output if convolution.name in norms else convolution.output
