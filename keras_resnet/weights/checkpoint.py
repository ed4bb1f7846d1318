"""Weight files of other systems as arrays by canonical name."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_resnet.errors import InputError, one_of
from keras_resnet.specs import NetSpec
from keras_resnet.weights import torch_cifar
from keras_resnet.weights.named import assign_arrays
from keras_resnet.weights.preprocessing import Preprocessing
from keras_resnet.weights.torch_file import read_torch_file


@dataclass(frozen=True)
class Checkpoint:
    """What a weight file holds.

    Fields:
        path: the file.
        arrays: values by canonical name, in Keras' layouts.
        names: canonical name to the file's own key.
        needs: spec fields without which the arrays fit and give other outputs, such as ``zero_channels``.
        preprocessing: what the weights expect of their inputs.
    """

    path: Path
    arrays: dict[str, np.ndarray]
    names: dict[str, str]
    needs: dict[str, object]
    preprocessing: Preprocessing

    def check_spec(self, spec: NetSpec) -> None:
        """Raise :class:`InputError` naming the field and both values where ``spec`` conflicts with ``needs``."""
        for field, needed in self.needs.items():
            if getattr(spec, field) != needed:
                raise InputError(
                    f"{self.path.name} needs {field}={needed!r}, and the {spec.name} asked for has "
                    f"{field}={getattr(spec, field)!r}: leave the field unset, or choose other weights."
                )

    def assign_to(self, model) -> None:
        """Set all weights of ``model`` and its preprocessing; an error changes nothing."""
        spare = [name for name in self.arrays if name.startswith("predictions/")]
        top = any(layer.name == "predictions" for layer in model.layers)
        assign_arrays(model, self.arrays, self.path.name, self.names, () if top else spare)
        model.preprocessing = self.preprocessing


READERS = {".th": torch_cifar.convert, ".pth": torch_cifar.convert}


def read(path) -> Checkpoint:
    """Read a weight file without running code it may bring; raises :class:`InputError` for what cannot be read."""
    path = Path(path).expanduser()
    one_of(f"The weight file type of {path.name},", path.suffix, READERS)
    if not path.is_file():
        raise InputError(f"There is no weight file {path}: give the path of a .th or .pth file.")
    arrays, names, needs, preprocessing = READERS[path.suffix](read_torch_file(path), path.name)
    return Checkpoint(path, arrays, names, needs, preprocessing)
