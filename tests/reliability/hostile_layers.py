"""``.keras`` files with layers that this package does not use, and numbers that cost memory or time."""

import json

import keras
from hostile_archives import write_keras
from keras import layers

HUGE = 10**10
VOCABULARY = {"vocabulary": "/dev/zero"}
LAYERS = {  # by name: shape of the input, a function that makes a small layer, and changes to its configuration
    "a dense layer": ((4,), lambda: layers.Dense(2), {"units": HUGE}),
    "an embedding": ((4,), lambda: layers.Embedding(3, 2), {"input_dim": HUGE}),
    "a transposed convolution": ((8, 8, 3), lambda: layers.Conv2DTranspose(2, 3), {"kernel_size": [10**5, 10**5]}),
    "a depthwise convolution": ((8, 8, 3), lambda: layers.DepthwiseConv2D(3), {"depth_multiplier": HUGE}),
    "a separable convolution": ((8, 8, 3), lambda: layers.SeparableConv2D(2, 3), {"depth_multiplier": HUGE}),
    "an einsum": ((4,), lambda: layers.EinsumDense("ab,bc->ac", output_shape=3), {"output_shape": HUGE}),
    "an LSTM": ((5, 3), lambda: layers.LSTM(2), {"units": 10**6}),
    "a GRU": ((5, 3), lambda: layers.GRU(2), {"units": 10**6}),
    "a spectrogram": ((400, 1), lambda: layers.STFTSpectrogram(frame_length=32, frame_step=16),
                      {"fft_length": 2**20, "frame_length": 2**20, "padding": "same"}),
    "weights of low rank": ((4,), lambda: layers.Dense(2), {"lora_rank": HUGE}),
    "a wide normalization": ((10**9,), lambda: layers.Normalization(), {}),
    "a wide batch normalization": ((10**9,), lambda: layers.BatchNormalization(), {}),
    "a sheet of activations": ((10**5, 10**5), lambda: layers.PReLU(), {}),
    "words of a device": ((1,), lambda: layers.TextVectorization(), VOCABULARY),
    "texts of a device": ((1,), lambda: layers.StringLookup(vocabulary=["a"]), VOCABULARY),
    "integers of a device": ((1,), lambda: layers.IntegerLookup(vocabulary=[1]), VOCABULARY),
    "a function by name": ((4,), lambda: layers.Activation("relu"), {"activation": "os.system"}),
    "a slow initializer": ((4000,), lambda: layers.Dense(2, kernel_initializer="orthogonal"), {"units": 4000}),
}  # fmt: skip
INPUTS = {"words of a device": "string", "texts of a device": "string", "integers of a device": "int64"}


def unusual(folder, value, suffix: str) -> None:
    """A file with one layer and no weights."""
    shape, make, changes = LAYERS[value]
    inputs = keras.Input([min(side, 400) for side in shape], dtype=INPUTS.get(value, "float32"))
    config = keras.saving.serialize_keras_object(keras.Model(inputs, make()(inputs)))
    first, layer = config["config"]["layers"]
    first["config"]["batch_shape"] = [None, *shape]
    layer["config"].update(changes)
    layer.pop("build_config", None)
    layer["inbound_nodes"][0]["args"][0]["config"]["shape"] = [None, *shape]
    write_keras(folder, json.dumps(config), b"")
