"""Convert weights between systems, with their preprocessing, source and licence.

    python tools/convert_weights.py resnet50_weights_tf_dim_ordering_tf_kernels.h5 resnet50.keras
    python tools/convert_weights.py resnet18.pth resnet18.safetensors
    python tools/convert_weights.py imagenet resnet34.keras --model ResNet34       downloads the published file

Reads keras.applications' .h5, torchvision's and timm's .pth and .safetensors, akamaster's CIFAR .th, and this
package's .keras, .weights.h5, .safetensors and .npz; writes the last four. The written file is read again and compared.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from tyro.conf import Positional

import keras_resnet
from keras_resnet import weights
from keras_resnet.command_line import Output, run_tool
from keras_resnet.errors import InputError
from keras_resnet.weights.writing import WRITERS


@dataclass(frozen=True)
class Convert:
    """The file to read and the file to write."""

    source: Positional[str]
    """The weight file to read, or imagenet."""
    target: Positional[Annotated[Path, Output(*WRITERS)]]
    """The file to write: .keras, .weights.h5, .safetensors (torchvision's layout) or .npz."""
    model: str | None = None
    """The network, if the file does not state it: ResNet18 ... ResNet1202."""
    check_values: bool = True
    """Refuse NaN, infinite numbers, numbers beyond float32, negative variances and two keys for one weight."""

    def run(self) -> None:
        if self.source == "imagenet" and self.model is None:
            raise InputError("There are imagenet weights for several networks: give --model NAME.")
        model = keras_resnet.load_model(f"{self.model}:{self.source}" if self.model else self.source, self.check_values)
        if getattr(model, "spec", None) is None:  # a model of keras.applications
            trained = weights.from_model(model)
            model = keras_resnet.build(trained.spec, weights=trained, classes=trained.classes)
        weights.write(model, self.target)
        written, arrays = weights.read(self.target, self.check_values).arrays, weights.named_arrays(model)
        if written.keys() != arrays.keys() or any(
            not np.array_equal(written[k], arrays[k], equal_nan=True) for k in arrays
        ):
            raise InputError(f"{self.target} does not hold the weights that were written to it: check the disk.")
        print(f"{model.spec.name}, {model.count_params():,} parameters: {self.source} -> {self.target}")
        print(f"needs: {', '.join(f'{k}={v!r}' for k, v in weights.from_model(model).needs.items())}")
        print(f"preprocessing: {_in_words(model.preprocessing)}")
        print(f"source: {model.source}\nlicence: {model.licence or 'not known'}")
        if self.target.name.endswith(".safetensors") and model.spec.stride_in == "1x1" and model.spec.depth >= 50:
            print("note: torchvision's ResNets stride in the 3x3 convolution, so they give other outputs")


def _in_words(preprocessing) -> str:
    if preprocessing is None:
        return "not known"
    mean = "a mean image" if preprocessing.mean.ndim > 1 else f"mean {_numbers(preprocessing.mean)}"
    return f"{preprocessing.channels}, {mean}, deviation {_numbers(preprocessing.std)}, crop {preprocessing.crop:g}"


def _numbers(values) -> str:
    return " ".join(f"{value:g}" for value in values)


if __name__ == "__main__":
    run_tool(Convert, __doc__)
