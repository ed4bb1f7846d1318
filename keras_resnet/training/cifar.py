"""The CIFAR-10 protocol of Sec. 4.2, as the recipe and the studies train by it."""

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
    from keras_resnet.training import Classification

BATCH_SIZE, STEPS, IMAGE_SIZE, BASE_LR = 128, 64_000, 32, 0.1
PAPER = {
    "model": "ResNet20", "batch_size": BATCH_SIZE, "steps": STEPS, "image_size": IMAGE_SIZE, "base_lr": BASE_LR
}  # fmt: skip


@dataclass(frozen=True)
class CifarSettings(Settings):
    """What to train on small images, and how; what is left out follows the data set's preset."""

    augmentation: Literal["mixed"] | None = None
    """Besides shifts and flips: mixup, CutMix and label smoothing, or nothing."""
    warm_up: bool | None = None
    """Start at a tenth of the rate until the training error is below 80 %; default: from 110 layers on (Sec. 4.2)."""
    train_images: Count | Literal["all"] | None = None
    """Train on so many of the training images, evenly spaced, or on all with none held out, as Table 6 does after the
    length was chosen; default: all but those held out for validation."""

    def check(self) -> None:
        super().check()
        if self.train_images == "all" and self.schedule == "plateau":
            raise InputError(
                "--schedule plateau follows a validation, and --train-images all holds no images out for it."
            )
        if isinstance(self.train_images, int) and self.train_images < (self.batch_size or 1):
            raise InputError(f"--train-images {self.train_images} are not a batch of {self.batch_size}: take more.")


def check_data(settings) -> None:
    """Raise :class:`InputError` for data that cannot be opened or has too few images, before a folder is made."""
    found = data.open_data(settings.data, settings.data_dir)
    if isinstance(settings.train_images, int):
        data.check_count(found.train, settings.train_images)


@functools.lru_cache(maxsize=1)
def decoded(name: str, data_dir: Path | None, size: int, train_images: int | Literal["all"] | None = None):
    """Class names, the three splits in memory, and the training images' mean image, once for several runs.

    With ``train_images="all"`` the validation images are training images, and there is no validation split.
    """
    found = data.open_data(name, data_dir)
    train, held_out = (data.decode_all(split, size) for split in (found.train, found.validation))
    validation: data.ArraySplit | None = held_out
    test = found.test and data.decode_all(found.test, size)
    if train_images == "all":
        train, validation = train.joined(held_out), None
    elif train_images is not None:
        train = train.spread(train_images)
    return found.classes, (train, validation, test), data.mean_image(train)


def cifar_task(settings: CifarSettings) -> Classification:
    """Decode the images into memory and subtract the training images' mean image."""
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
