"""The model class of this package's networks: a Functional model that remembers what it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.files import save_array
from keras_resnet.structure import Stage, structure_of
from keras_resnet.typing import Tensor
from keras_resnet.weights import description, file_bounds as bounds, values
from keras_resnet.weights.file_bounds import check_file, expanded, reading, suffix_of, unchanged_on_error
from keras_resnet.weights.keras_file import DESCRIPTION, MEAN_FILE, READERS, add_description, checked_weights


@keras.saving.register_keras_serializable("keras_resnet", "Network")
class Network(keras.Model):
    """A Functional model that remembers what belongs to its weights, and saves it with them.

    Without this package, its ``.keras`` files open as the same Functional model of Keras' own layers. Networks with
    layers that Keras lacks (loops, maxout, stochastic depth) need ``import keras_resnet``, and Keras' error says so.

    Attributes, each None if it is not known:
        spec: the :class:`NetSpec` that it was built from.
        preprocessing: the preprocessing that its weights expect.
        source, licence: where the weights come from, and the terms of their use.
        class_names: names of its scores, in order.
    """

    def __init__(self, inputs: Tensor, outputs: Tensor, name: str | None = None, **kwargs: Any):
        described = {key: kwargs.pop(key, None) for key in description.DESCRIBED} | {"_unfinished": {}}
        super().__init__(inputs, outputs, name=name, **kwargs)
        self.__dict__.update(described)

    def described(self) -> dict:
        """The remembered attributes by name."""
        return {key: getattr(self, key) for key in description.DESCRIBED}

    @property
    def stages(self) -> tuple[Stage, ...]:
        """conv2_x and up: ``stages[2].blocks[5].output`` is the output of the sixth block of conv4_x."""
        return structure_of(self).stages

    @property
    def pyramid_level_inputs(self) -> dict[str, str]:
        """The name of each stage's last layer by its level, ``"P2"`` of stride 4 to ``"P5"``, as KerasCV asks for."""
        stages = enumerate(self.stages, start=2)
        return {f"P{level}": stage.output._keras_history.operation.name for level, stage in stages}

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        first, *others = config["layers"]  # Keras ignores keys of a layer that it does not know
        described = description.as_json(self)
        if "module" not in first and self.preprocessing:  # a .h5 file, in which Keras has no place for an array
            described["preprocessing"] = self.preprocessing.get_config()
        first = first | {DESCRIPTION: described}
        return config | {"layers": [first, *map(_named_for_keras, others)]}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None) -> "Network":
        stored = description.of_config(config)
        unfinished = stored if description.waits_for_image(stored) else {}
        described = description.parse(stored | {"preprocessing": None} if unfinished else stored)
        config = {key: value for key, value in config.items() if key not in (*description.DESCRIBED, "input_shape")}
        model = super().from_config(config, custom_objects=custom_objects)
        vars(model).update(described, _unfinished=unfinished)
        return model

    def save_assets(self, folder: str | Path) -> None:
        """Write the mean image of the preprocessing, if it has one."""
        if self.preprocessing and self.preprocessing.mean.ndim == 3:
            save_array(Path(folder, MEAN_FILE), self.preprocessing.mean)

    def load_assets(self, folder: str | Path) -> None:
        """Read the mean image that :meth:`save_assets` wrote; files of earlier versions have none."""
        if self._unfinished:
            path = Path(folder, MEAN_FILE)
            with reading(path, "is not a mean image"), open(path, "rb") as file:
                self.take_mean_image(bounds.npy_array(file.read(bounds.MEAN_IMAGE), MEAN_FILE))

    def take_mean_image(self, image: np.ndarray | None) -> None:
        """Complete the preprocessing that a file describes by its mean image, which the file keeps separately.

        Raises:
            InputError: the image is missing although the preprocessing needs one, or is refused.
        """
        if self._unfinished:
            whole = description.with_mean_image(self._unfinished, image)
            self.__dict__.update(description.parse(whole), _unfinished={})

    def save_weights(self, filepath: str | Path, overwrite: bool = True, max_shard_size: float | None = None) -> None:
        """Like Keras' method, but the ``.weights.h5`` file includes the description that a builder reads.

        Raises:
            InputError: ``max_shard_size`` is given, which would spread the weights over several files.
        """
        if max_shard_size is not None:
            raise InputError("The weights of a network are saved in one .weights.h5 file: leave out max_shard_size.")
        super().save_weights(filepath, overwrite)
        if Path(filepath).is_file():
            add_description(filepath, description.as_json(self))

    def load_weights(self, filepath: str | Path, *args: Any, check_values: bool = True, **kwargs: Any) -> None:
        """Like Keras' method, with the checks of a builder's ``weights=``; after an error the weights are unchanged.

        Raises:
            InputError: the file is missing or damaged, is not a ``.weights.h5``, ``.h5`` or ``.keras`` file, does not
                fit, or holds values that are refused unless ``check_values`` is False.
        """
        path = expanded(filepath)
        suffix_of(path, READERS)
        check_file(path, "weight file", f"give the path of a {', '.join(READERS)} file")
        with (
            reading(path, "is damaged or does not fit"),
            unchanged_on_error(self),
            checked_weights(path) as stored,
        ):
            super().load_weights(stored, *args, **kwargs)
            if check_values:
                values.check_model(self, path.name)

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Do nothing: files of earlier versions keep the description here."""

    def __reduce__(self):
        return _unpickle, super().__reduce__()[1]


def _unpickle(archive):
    return keras.Model._unpickle_model(archive)


def _named_for_keras(layer: dict) -> dict:
    """A layer's entry. Keras' error for a layer that it cannot build has the class name, so that says what to do."""
    name, module = layer["class_name"], layer.get("module")
    if module is None:  # a .h5 file
        return layer | {"class_name": "BatchNormalization" if name == "keras_resnet>BatchNormalization" else name}
    if module.startswith("keras."):
        return layer
    return layer | {"module": "keras", "class_name": f"{name}, which is known after `import {module.split('.')[0]}`"}


# The class name in files: without this package, Keras finds its own Functional; with it, the registered Network.
# The names are constants because building a model to ask for its class would fix Keras' dtype policy on import.
Network.__module__, Network.__name__ = "keras.src.models.functional", "Functional"
