"""A contestant of `benchmark.py train` and `inference`, in a separate process.

It prints "ready" after its first steps. Then, for each line of its input, a number of seconds, it works for that long
and prints its rate in images/s, or in GFLOP/s if it measures the matrix peak.
"""

import sys
import time
from collections.abc import Callable
from typing import Literal

import numpy as np

from keras_resnet.specs import find_spec

MATRIX = {"cpu": 4096, "gpu": 16384}  # side of the matrices whose product gives the peak
CLASSES = {"imagenet": 1000, "cifar": 10}
SIZES = {"imagenet": 224, "cifar": 32}


def batch_of(spec, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Random images ``[count, size, size, 3]`` and labels."""
    rng = np.random.default_rng(0)
    size = SIZES[spec.stem]
    images = rng.normal(size=(count, size, size, 3)).astype(np.float32)
    return images, rng.integers(0, CLASSES[spec.stem], count)


def keras_turn(model, work: str, images, labels) -> Callable[[], object]:
    """A training step, or an inference, of a Keras model on the current backend."""
    import keras

    from keras_resnet.network import Network

    on_tensorflow = keras.backend.backend() == "tensorflow"
    if work == "inference":
        return _tensorflow_inference(model, images) if on_tensorflow else lambda: model.predict_on_batch(images)
    if on_tensorflow and isinstance(model, Network):
        from keras_resnet.training import SGD, TrainingModel

        model = TrainingModel(model)
        model.compile(SGD(0.001))
    else:
        optimizer = keras.optimizers.SGD(0.001, momentum=0.9, weight_decay=1e-4)
        model.compile(optimizer, "sparse_categorical_crossentropy", jit_compile=not on_tensorflow)
    if not on_tensorflow:
        images, labels = (keras.ops.convert_to_tensor(values) for values in (images, labels))  # copied once
        return lambda: model.train_on_batch(images, labels)
    return _tensorflow_training(model, images, labels)


def _tensorflow_inference(model, images) -> Callable[[], object]:
    import tensorflow as tf

    function, batch = tf.function(lambda x: model(x, training=False), autograph=False), tf.constant(images)
    return lambda: function(batch)


def _tensorflow_training(model, images, labels) -> Callable[[], object]:
    import tensorflow as tf

    model.make_train_function()
    batches = iter(tf.data.Dataset.from_tensors((tf.constant(images), tf.constant(labels))).repeat())
    return lambda: model.train_function(batches)


def of_this_package(name: str, work: str):
    """This package's network, with folded normalization for inference."""
    import keras_resnet
    from keras_resnet.weights import fold_batch_norm

    network = keras_resnet.build(find_spec(name))
    return fold_batch_norm(network) if work == "inference" else network


def unfolded(name: str, work: str):
    """This package's network."""
    import keras_resnet

    return keras_resnet.build(find_spec(name))


def with_stock_normalization(name: str, work: str):
    """This package's network with Keras' own batch normalization and training step."""
    import keras

    from keras_resnet.layers import BatchNormalization

    def swap(layer):
        cls = keras.layers.BatchNormalization if isinstance(layer, BatchNormalization) else type(layer)
        return cls.from_config(layer.get_config())

    clone = keras.models.clone_model(unfolded(name, work), clone_function=swap)
    return keras.Model(clone.input, clone.output)


def of_applications(name: str, work: str):
    """The network of that name in keras.applications."""
    import keras

    return getattr(keras.applications, name)(weights=None)


def torch_turn(name: str, work: str, precision: str, count: int, compiled: bool) -> Callable[[], None]:
    """A training step, or an inference, of PyTorch's network: channels last, and autocast for bfloat16."""
    import torch
    from torch_networks import TorchNetwork

    spec = find_spec(name)
    images, labels = batch_of(spec, count)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    x = torch.tensor(images.transpose(0, 3, 1, 2), device=device).contiguous(memory_format=torch.channels_last)
    y = torch.tensor(labels, device=device)
    network = TorchNetwork(spec, CLASSES[spec.stem]).to(device, memory_format=torch.channels_last)
    network.train(work == "train")
    optimizer = torch.optim.SGD(network.parameters(), 0.001, momentum=0.9, weight_decay=1e-4)
    run = torch.compile(network) if compiled else network
    context = torch.autocast(device, torch.bfloat16, enabled=precision == "mixed_bfloat16")

    wait = torch.cuda.synchronize if device == "cuda" else lambda: None

    def infer():
        with torch.inference_mode(), context:
            run(x)
        wait()

    def train():
        optimizer.zero_grad(set_to_none=True)
        with context:
            loss = torch.nn.functional.cross_entropy(run(x).float(), y)
        loss.backward()
        optimizer.step()
        wait()

    return train if work == "train" else infer


def matrix_turn(precision: str) -> Callable[[], None]:
    """A product of square matrices; its last element is read, so that the turn ends with the product."""
    from keras import ops, random

    side = MATRIX[device_kind()]
    a = random.normal((side, side), dtype="bfloat16" if precision == "mixed_bfloat16" else "float32")
    return lambda: float(ops.convert_to_numpy(ops.matmul(a, a)[-1, -1]))


def device_kind() -> Literal["cpu", "gpu"]:
    """Whether Keras' backend computes on a GPU."""
    from keras_resnet.training.files.run_result import accelerators

    return "gpu" if accelerators() else "cpu"


SYSTEMS = {  # name in tables: the function that builds it, for Keras models
    "keras_resnet": of_this_package,
    "keras_resnet, unfolded": unfolded,
    "stock normalization": with_stock_normalization,
    "keras.applications": of_applications,
    "PyTorch": None,
    "PyTorch, compiled": None,
    "matrix peak": None,
}


def main(system: str, work: str, name: str, precision: str, count: int) -> None:
    """Run ``system``, a name in ``SYSTEMS``, at the work ``"train"`` or ``"inference"`` with batches of ``count``."""
    unit = count
    if system == "matrix peak":
        turn, unit = matrix_turn(precision), 2 * MATRIX[device_kind()] ** 3 / 1e9
    elif system.startswith("PyTorch"):
        turn = torch_turn(name, work, precision, count, compiled="compiled" in system)
    else:
        import keras

        keras.config.set_dtype_policy(precision)
        turn = keras_turn(SYSTEMS[system](name, work), work, *batch_of(find_spec(name), count))
    for _ in range(3):
        turn()
    print("ready", flush=True)
    for line in sys.stdin:
        start, turns = time.perf_counter(), 0
        while time.perf_counter() - start < float(line):
            turn()
            turns += 1
        print(unit * turns / (time.perf_counter() - start), flush=True)
