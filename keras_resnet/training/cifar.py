"""The CIFAR-10 protocol of Sec. 4.2, by which the recipe and the studies train."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from keras_resnet import data, training
from keras_resnet.bounds import Count
from keras_resnet.errors import InputError
from keras_resnet.training.settings import Settings
from keras_resnet.training.stepping import schedules
from keras_resnet.weights.preprocessing import Preprocessing

if TYPE_CHECKING:
    import numpy as np

    from keras_resnet.data import ArraySplit
    from keras_resnet.studies import StudySettings
    from keras_resnet.training import Classification

BATCH_SIZE, STEPS, IMAGE_SIZE, BASE_LR = 128, 64_000, 32, 0.1
PAPER = {
    "model": "ResNet20", "batch_size": BATCH_SIZE, "steps": STEPS, "image_size": IMAGE_SIZE, "base_lr": BASE_LR
}  # fmt: skip


@dataclass(frozen=True)
class CifarSettings(Settings):
    """What to train on small images, and how; settings left out follow the data set's preset."""

    augmentation: Literal["mixed"] | None = None
    """Adds mixup, CutMix and label smoothing to shifts and flips; default: shifts and flips alone."""
    warm_up: bool | None = None
    """Start at a tenth of the rate until the training error is below 80 %; default: from 110 layers on (Sec. 4.2)."""
    train_images: Count | Literal["all"] | None = None
    """Train on this many training images, evenly spaced, or on all with none held out, as in Table 6, once the length
    is chosen; default: all but those held out for validation."""

    def check(self) -> None:
        super().check()
        if self.train_images == "all" and self.schedule == "plateau":
            raise InputError("--schedule plateau needs validation images, and --train-images all holds none out.")
        if isinstance(self.train_images, int) and self.train_images < (self.batch_size or 1):
            raise InputError(
                f"--train-images {self.train_images} is fewer than a batch of {self.batch_size}: take more."
            )


def check_data(settings: CifarSettings | StudySettings) -> None:
    """Raise :class:`InputError`, before a folder is created, for data that cannot be opened or has too few images."""
    data_set = data.open_data(settings.data, settings.data_dir)
    if isinstance(settings.train_images, int):
        data.check_count(data_set.train, settings.train_images)


@functools.lru_cache(maxsize=1)
def decoded(
    name: str, data_dir: Path | None, size: int, train_images: int | Literal["all"] | None = None
) -> tuple[tuple[str, ...], tuple[ArraySplit, ArraySplit | None, ArraySplit | None], np.ndarray]:
    """Class names, the three splits in memory, and the mean image of the training images, shared by several runs.

    With ``train_images="all"`` the validation images become training images, and there is no validation split.
    """
    data_set = data.open_data(name, data_dir)
    train = data.decode_all(data_set.train, size, train_images if isinstance(train_images, int) else None)
    held_out = data.decode_all(data_set.validation, size)
    validation: ArraySplit | None = held_out
    test = data.decode_all(data_set.test, size) if data_set.test else None
    if train_images == "all":
        train, validation = train.joined(held_out), None
    return data_set.classes, (train, validation, test), data.mean_image(train)


def cifar_run(settings: CifarSettings) -> Classification:
    """The task of the run in the workdir of ``settings``; raises :class:`InputError` if it began with other images."""
    assert settings.workdir is not None  # resolved settings have one
    task = cifar_task(settings)
    parts = [part for part in (task.train, task.validation, task.test) if isinstance(part, data.ArraySplit)]
    training.check_first_images(settings.workdir, parts)
    return task


def cifar_task(settings: CifarSettings) -> Classification:
    """The task of training on images decoded into memory, with the mean training image subtracted."""
    classes, (train, validation, test), mean = decoded(
        settings.data, settings.data_dir, settings.image_size, settings.train_images
    )
    preprocessing = Preprocessing(mean, crop=1.0)
    batch = settings.batch_size
    finish = data.mix(len(classes)) if settings.augmentation == "mixed" else None

    def train_batches(start_step, shard):
        return data.cifar_batches(train, preprocessing, batch, settings.seed, start_step, shard, finish)

    return training.Classification(
        settings=settings,
        classes=classes,
        train=train,
        validation=validation,
        test=test,
        preprocessing=preprocessing,
        train_batches=train_batches,
        test_batches=lambda split, shard: data.cifar_batches(split, preprocessing, batch, shard=shard),
        reference_batch=BATCH_SIZE,
        milestones=schedules.CIFAR_MILESTONES,
        warm_up=settings.warm_up,
    )
