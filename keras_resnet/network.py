"""The model class of this package's networks: a Functional model that knows what it is."""

from pathlib import Path

import keras
import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.structure import Stage, structure_of
from keras_resnet.weights import description, file_bounds as bounds, values
from keras_resnet.weights.file_bounds import check_file, expanded, reading, suffix_of, unchanged_on_error
from keras_resnet.weights.keras_file import DESCRIPTION, MEAN_FILE, READERS, add_description, checked_weights


@keras.saving.register_keras_serializable("keras_resnet", "Network")
class Network(keras.Model):
    """A Functional model that remembers what belongs to its weights, and saves it with them.

    Its ``.keras`` files open without this package as the same Functional model of Keras' own layers. Networks with
    layers that Keras lacks (loops, maxout, stochastic depth) need ``import keras_resnet`` there, and the error says so.

    Attributes, each None where it is not known:
        spec: the :class:`NetSpec` it was built from.
        preprocessing: what its weights expect of their inputs.
        source, licence: where the weights come from, and their terms.
        class_names: names of its scores, in order.
    """

    def __init__(self, inputs, outputs, name=None, **kwargs):
        described = {key: kwargs.pop(key, None) for key in description.DESCRIBED} | {"_unfinished": {}}
        super().__init__(inputs, outputs, name=name, **kwargs)
        vars(self).update(described)

    def described(self) -> dict:
        """The attributes that are remembered, by name."""
        return {key: getattr(self, key) for key in description.DESCRIBED}

    @property
    def stages(self) -> tuple[Stage, ...]:
        """conv2_x and up: ``stages[2].blocks[5].output`` is what the sixth block of conv4_x gives."""
        return structure_of(self).stages

    def get_config(self):
        config = super().get_config()
        first, *others = config["layers"]  # Keras alone reads only the keys it knows of a layer
        described = description.as_json(self)
        if "module" not in first and self.preprocessing:  # a .h5 file, in which Keras has no place for an array
            described["preprocessing"] = self.preprocessing.get_config()
        first = first | {DESCRIPTION: described}
        return config | {"layers": [first, *map(_named_for_keras, others)]}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        found = description.of_config(config)
        unfinished = found if description.waits_for_image(found) else {}
        described = description.parse(found | {"preprocessing": None} if unfinished else found)
        config = {key: value for key, value in config.items() if key not in (*description.DESCRIBED, "input_shape")}
        model = super().from_config(config, custom_objects=custom_objects)
        vars(model).update(described, _unfinished=unfinished)
        return model

    def save_assets(self, folder) -> None:
        """The mean image of the preprocessing, where it has one."""
        if self.preprocessing and self.preprocessing.mean.ndim == 3:
            np.save(Path(folder, MEAN_FILE), self.preprocessing.mean)

    def load_assets(self, folder) -> None:
        """Take up what a file of :meth:`save_assets` holds; earlier files do not."""
        if self._unfinished:
            path = Path(folder, MEAN_FILE)
            with reading(path, "is no mean image"), open(path, "rb") as file:
                self.take_mean_image(bounds.npy_array(file.read(bounds.MEAN_IMAGE), MEAN_FILE))

    def take_mean_image(self, image: np.ndarray | None) -> None:
        """Give the preprocessing that a file describes its mean image, an array of the file.

        Raises:
            InputError: the image is missing where there should be one, or is refused.
        """
        if self._unfinished:
            whole = description.with_mean_image(self._unfinished, image)
            self.__dict__.update(description.parse(whole), _unfinished={})

    def save_weights(self, filepath, overwrite: bool = True, max_shard_size=None):
        """As Keras', with the description, which a builder's ``weights=`` reads, in one ``.weights.h5`` file.

        Raises:
            InputError: weights are to be spread over several files.
        """
        if max_shard_size is not None:
            raise InputError("The weights of a network are saved in one .weights.h5 file: leave out max_shard_size.")
        super().save_weights(filepath, overwrite)
        if Path(filepath).is_file():
            add_description(filepath, description.as_json(self))

    def load_weights(self, filepath, *args, check_values: bool = True, **kwargs):
        """As Keras', of a file that is read with the same care as a builder's ``weights=``; an error changes nothing.

        Raises:
            InputError: the file is missing, damaged, of another kind than ``.weights.h5``, ``.h5`` or ``.keras``, does
                not fit, or holds values that are refused unless ``check_values`` is False.
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

    def load_own_variables(self, store):
        """Nothing: files of earlier versions have the description there."""

    def __reduce__(self):
        return _unpickle, super().__reduce__()[1]


def _unpickle(archive):
    return keras.Model._unpickle_model(archive)


def _named_for_keras(layer: dict) -> dict:
    """A layer's entry; Keras alone names the class of one it cannot build, so that name says what to do."""
    name, module = layer["class_name"], layer.get("module")
    if module is None:  # a .h5 file
        return layer | {"class_name": "BatchNormalization" if name == "keras_resnet>BatchNormalization" else name}
    if module.startswith("keras."):
        return layer
    return layer | {"module": "keras", "class_name": f"{name}, which is known after `import {module.split('.')[0]}`"}


# Files name a class so; without this package Keras finds its own Functional there, and with it the registered Network.
# The names are written out: to build a model and ask for its class would settle Keras' dtype policy on import.
Network.__module__, Network.__name__ = "keras.src.models.functional", "Functional"
