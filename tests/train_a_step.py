"""Run by test_backends.py with KERAS_BACKEND set: one training step of the networks in ``jobs.json``."""

import json
import sys
from pathlib import Path

import numpy as np

import keras_resnet
from keras_resnet.training.optimizer import SGD

folder = Path(sys.argv[1])
batch = np.load(folder / "batch.npz")
for number, (name, changes) in enumerate(json.loads((folder / "jobs.json").read_text())):
    model = getattr(keras_resnet, name)(**changes)
    keras_resnet.weights.assign_arrays(model, dict(np.load(folder / f"before{number}.npz")))
    outputs = model.predict(batch["x"], verbose=0)
    model.compile(SGD(0.01), "sparse_categorical_crossentropy")
    model.train_on_batch(batch["x"], batch["y"])
    np.savez(folder / f"after{number}.npz", outputs=outputs, **keras_resnet.weights.named_arrays(model))
