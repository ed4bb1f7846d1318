"""Train a residual or plain network on CIFAR-10 as Sec. 4.2 and Table 6 do.

    python recipes/cifar10.py --model ResNet20 --data-dir DIR

trains 64,000 steps of batch 128 on 45,000 images with 5,000 held out, augmented by 4-pixel shifts and flips, at rate
0.1, divided by 10 after one half and three quarters. Paper (all 50,000 images, full test set): ResNet-20 8.75 % error,
32 7.51, 44 7.17, 56 6.97, 110 6.43. DIR holds the data set as TensorFlow Datasets prepares it.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from keras_resnet import data, training
from keras_resnet.training import schedules
from keras_resnet.weights import Preprocessing

PAPER = {"model": "ResNet20", "batch_size": 128, "steps": 64_000, "image_size": 32, "base_lr": 0.1}
DEMO = {**PAPER, "steps": 600}


def prepare(settings: training.Settings) -> training.Experiment:
    """Decode the images into memory and subtract the training images' mean image."""
    found = data.open_data(settings.data, settings.data_dir)
    train, validation, test = (
        split and data.decode_all(split, settings.image_size) for split in (found.train, found.validation, found.test)
    )
    preprocessing = Preprocessing(data.mean_image(train), crop=1.0)
    batch = settings.batch_size

    def train_batches(start_step, shard):
        return data.cifar_batches(train, preprocessing, batch, settings.seed, start_step, shard)

    return training.Experiment(
        classes=found.classes,
        train=train,
        validation=validation,
        test=test,
        preprocessing=preprocessing,
        train_batches=train_batches,
        test_batches=lambda split, shard: data.cifar_batches(split, preprocessing, batch, shard=shard),
        reference_batch=PAPER["batch_size"],
        milestones=schedules.CIFAR_MILESTONES,
    )


def main(settings: training.Settings) -> None:
    preset = DEMO if settings.data == "demo" else PAPER
    training.run(training.resolve(settings, preset, "cifar10"), prepare)


if __name__ == "__main__":
    training.command_line(main, training.Settings(data="cifar10"), __doc__)
