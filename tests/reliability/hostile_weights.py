"""Weight files that a stranger made."""

import random

import numpy as np
from watching import Case, StateChanged

import keras_resnet
from keras_resnet.weights import read

PROMISE = "refused with a sentence and the network as it was, or loaded"


def cases(seed: int, count: int) -> list[Case]:
    """At least ``count`` cases, if there are so many kinds and values."""
    draw = random.Random(seed)
    return [_cut(draw.random()) for _ in range(count)]


def _cut(share: float) -> Case:
    def prepare(folder):
        np.savez(folder / "w.npz", **{"a/kernel": np.zeros((3, 3), np.float32)})
        data = (folder / "w.npz").read_bytes()
        (folder / "w.npz").write_bytes(data[: int(share * len(data))])

    return Case(f"npz cut at {share:.2f}", prepare, use)


def use(folder):
    """Load the file into a network, which must be as it was if the file is refused."""
    network = keras_resnet.ResNet20(blocks=(1, 1), filters=(2, 4), input_shape=(8, 8, 3))
    before = [np.asarray(each) for each in network.weights]
    (file,) = [path for path in folder.iterdir() if path.name.startswith("w.")]
    try:
        read(file).assign_to(network)
    except BaseException:
        if not all(np.array_equal(a, np.asarray(b)) for a, b in zip(before, network.weights, strict=True)):
            raise StateChanged(f"{file.name} was refused but changed the network") from None
        raise
