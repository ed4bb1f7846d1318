"""The model class of this package's networks: a Functional model that knows what it is."""

import json

import keras
import numpy as np

from keras_resnet.weights import description


@keras.saving.register_keras_serializable("keras_resnet")
class Network(keras.Model):
    """A Functional model that remembers what belongs to its weights, and saves it with them.

    Attributes, each None where it is not known:
        spec: the :class:`NetSpec` it was built from.
        preprocessing: what its weights expect of their inputs.
        source, licence: where the weights come from, and their terms.
        class_names: names of its scores, in order.
    """

    def __init__(self, inputs, outputs, name=None, **kwargs):
        described = {key: kwargs.pop(key, None) for key in description.DESCRIBED}
        super().__init__(inputs, outputs, name=name, **kwargs)
        vars(self).update(described)

    def described(self) -> dict:
        """The attributes that are remembered, by name."""
        return {key: getattr(self, key) for key in description.DESCRIBED}

    def get_config(self):
        return {**super().get_config(), **description.as_json(self)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        config.pop("input_shape", None)
        described = description.parse({key: config.pop(key, None) for key in description.DESCRIBED})
        model = super().from_config(config, custom_objects=custom_objects)
        for key, value in described.items():
            setattr(model, key, value)
        return model

    def save_own_variables(self, store):
        """The description: a ``.weights.h5`` file has no other place for it."""
        store["description"] = np.frombuffer(json.dumps(description.as_json(self)).encode(), np.uint8)

    def load_own_variables(self, store):
        """Nothing: a builder's ``weights=`` reads the description."""
