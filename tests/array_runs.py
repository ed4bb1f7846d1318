"""Runs of seconds on arrays of images in four classes, in this process."""

import numpy as np

from keras_resnet import data, training
from keras_resnet.weights import Preprocessing

PREPROCESSING = Preprocessing(np.full(3, 127.0), std=(64, 64, 64))
SETTINGS = training.Settings(
    model="ResNet20",
    change=("blocks=[1]", "filters=[8]"),
    batch_size=8,
    image_size=32,
    base_lr=0.1,
    save_every=4,
    steps=24,
    schedule="steps",
)


def task(settings, arrays, spoil=lambda number, images: images, **more):
    """Batches of ``arrays``; ``spoil`` changes the images of batch ``number`` of the run's order."""

    def train_batches(start, shard):
        batches = data.cifar_batches(arrays, PREPROCESSING, 8, 0, start, shard).enumerate(start)
        return batches.map(lambda number, batch: (spoil(number, batch[0]), batch[1]))

    fields = {
        "settings": settings,
        "classes": tuple("abcd"),
        "train": arrays,
        "validation": arrays,
        "test": None,
        "preprocessing": PREPROCESSING,
        "train_batches": train_batches,
        "test_batches": lambda split, shard: data.cifar_batches(split, PREPROCESSING, 8, shard=shard),
        "reference_batch": 128,
        "milestones": (0.5,),
    }
    return training.Classification(**fields | more)


def start(arrays, tmp_path, spoil=lambda number, images: images, more=None, patience=None, **changes):
    settings = training.resolve(SETTINGS, {}, "test")
    settings = type(settings)(**{**vars(settings), "workdir": tmp_path / "run", **changes})
    return training.run(settings, lambda resolved: task(resolved, arrays, spoil, **(more or {})), patience=patience)


def stopping_at(step):
    """``Calendar.saves`` for a process that is stopped at ``step``; checkpoints are saved after each fourth."""

    def saves(self, now):
        if now == step:
            raise KeyboardInterrupt
        return now % 4 == 0 or self.ends_epoch(now)

    return saves
