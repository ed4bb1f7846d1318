"""Run by test_backends.py with KERAS_BACKEND set: one training step of the networks in ``jobs.json``.

python train_a_step.py FOLDER DTYPE OUT
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
from keras.src.backend.common import dtypes

import keras_resnet
from keras_resnet.training.stepping.optimizer import SGD

folder, dtype, out = Path(sys.argv[1]), *sys.argv[2:]
keras.config.set_floatx(dtype)
if dtype == "float64":
    dtypes.BIT64_TO_BIT32_DTYPE.clear()  # by which Keras' normalization takes float64 for float32 on JAX and PyTorch
batch = np.load(folder / "batch.npz")
x = batch["x"].astype(dtype)
for number, (name, changes) in enumerate(json.loads((folder / "jobs.json").read_text())):
    model = getattr(keras_resnet, name)(**changes)
    keras_resnet.weights.assign_arrays(model, dict(np.load(folder / f"before{number}.npz")))
    outputs = model.predict(x, verbose=0)
    model.compile(SGD(0.01), "sparse_categorical_crossentropy")
    model.train_on_batch(x, batch["y"])
    np.savez(folder / f"{out}{number}.npz", outputs=outputs, **keras_resnet.weights.named_arrays(model))
