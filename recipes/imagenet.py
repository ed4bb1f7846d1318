"""Train a residual or plain network on ImageNet, or on any folder of photos, as Sec. 3.4 does.

    python recipes/imagenet.py                                    the built-in demo set: ten shapes, two minutes
    python recipes/imagenet.py --data DIR --model ResNet50        DIR/train/<class>/*.JPEG and DIR/val/<class>/*.JPEG

trains 90 epochs of batch 256 on random crops of 224 pixels at shorter side 256 to 480, flipped, with colour
augmentation, at rate 0.1, divided by 10 after 30, 60 and 80 epochs; below 12,800 training images the batch is 32, at
its share of the rate. Paper (Table 3, 10-crop top-1): ResNet-18 27.88 % (Table 2), 34 25.03, 50 22.85, 101 21.75, 152
21.43; the authors' models on one crop: 50 24.7, 101 23.6, 152 23.0.
"""

import functools
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from keras_resnet import data, training
from keras_resnet.training import schedules
from keras_resnet.weights import Preprocessing

PAPER = {"model": "ResNet50", "batch_size": 256, "epochs": 90, "image_size": 224, "base_lr": 0.1}
DEMO = {"model": "ResNet20", "batch_size": 64, "epochs": 18, "image_size": 32, "base_lr": 0.2}
SMALL_BATCH, FEWEST_STEPS = 32, 50  # a data set too small for 50 of the paper's steps an epoch takes smaller ones


def preset(found: data.Data) -> dict:
    """What settings left unset become."""
    if found.name == "demo":
        return DEMO
    small = len(found.train) < FEWEST_STEPS * PAPER["batch_size"]
    return {**PAPER, "batch_size": SMALL_BATCH} if small else PAPER


def prepare(settings: training.Settings, found: data.Data) -> training.Experiment:
    """Find the mean image of the training images' center views."""
    size, batch = settings.image_size, settings.batch_size
    preprocessing = Preprocessing(data.mean_image(found.train, size))

    def train_batches(start_step):
        return data.imagenet_batches(found.train, preprocessing, batch, size, settings.seed, start_step)

    return training.Experiment(
        classes=found.classes,
        train=found.train,
        validation=found.validation,
        test=found.test,
        preprocessing=preprocessing,
        train_batches=train_batches,
        test_batches=lambda split: data.imagenet_batches(split, preprocessing, batch, size),
        reference_batch=PAPER["batch_size"],
        milestones=schedules.IMAGENET_MILESTONES,
    )


def main(settings: training.Settings) -> None:
    if settings.data == "demo":
        print("training on the built-in demo set; --data DIR trains on your own photos", flush=True)
    found = data.open_data(settings.data, settings.data_dir)
    settings = training.resolve(settings, preset(found), "imagenet")
    training.run(settings, functools.partial(prepare, found=found))


if __name__ == "__main__":
    training.command_line(main, training.Settings(), __doc__)
