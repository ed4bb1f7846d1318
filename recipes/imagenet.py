"""Train a residual or plain network on ImageNet, or on any folder of photos, as Sec. 3.4 does.

    python recipes/imagenet.py                                    the built-in demo set: ten shapes, a few minutes
    python recipes/imagenet.py --data DIR --model ResNet50        DIR/train/<class>/*.JPEG and DIR/val/<class>/*.JPEG
    python recipes/imagenet.py --data imagenet2012 --data-dir DIR --epochs 90      as TensorFlow Datasets prepares it

trains batches of 256 on random crops of 224 pixels at shorter side 256 to 480, flipped, with colour augmentation, at
rate 0.1, divided by 10 after 5 epochs without progress, for at most 120 epochs (600,000 steps on ImageNet); with
--epochs or --steps, divided by 10 at 30, 60 and 80 of 90 parts. Below 12,800 training images the batch is 32, at its
share of the rate. --recipe modern is cosine, warm-up, label smoothing, mixup and CutMix, averaged weights, 300 epochs.
Paper (Table 3, 10-crop top-1): ResNet-18 27.88 % (Table 2), 34 25.03, 50 22.85, 101 21.75, 152 21.43; the authors'
models on one crop: 50 24.7, 101 23.6, 152 23.0.
"""

import functools
from dataclasses import dataclass
from typing import Literal

from keras_resnet import data, training
from keras_resnet.training.stepping import schedules
from keras_resnet.weights import Preprocessing

PAPER = {"model": "ResNet50", "batch_size": 256, "image_size": 224, "base_lr": 0.1}
DEMO = {"model": "ResNet20", "batch_size": 64, "image_size": 32, "base_lr": 0.2}
LENGTHS = {"steps": 90, "plateau": 120, "cosine": 90}  # epochs; 120 are the paper's 600,000 steps
DEMO_EPOCHS = 18
SHOWN = {
    "demo": DEMO | {"schedule": "steps", "epochs": DEMO_EPOCHS},
    "other data": PAPER | {"schedule": "plateau", "epochs": LENGTHS["plateau"]},
}
MODERN = {"base_lr": 0.125, "schedule": "cosine", "epochs": 300}
MODERN_WARM_UP = 5  # epochs
SMALL_BATCH, FEWEST_STEPS = 32, 50  # a data set too small for 50 of the paper's steps an epoch takes smaller ones


@dataclass(frozen=True)
class Settings(training.Settings):
    """What to train, on what, and how; what is left out follows the data set's preset."""

    recipe: Literal["paper", "modern"] = "paper"
    """The paper's training, or today's: cosine, warm-up, label smoothing, mixup and CutMix, averaged weights."""
    own_colours: bool = False
    """Colour augmentation from the training set's own principal components instead of AlexNet's."""


def preset(settings: Settings, found: "data.Data") -> dict:
    """What settings left unset become."""
    demo = found.name == "demo"
    chosen = dict(DEMO if demo else PAPER)
    if not demo and len(found.train) < FEWEST_STEPS * PAPER["batch_size"]:
        chosen["batch_size"] = SMALL_BATCH
    if settings.recipe == "modern":
        return chosen | MODERN
    given_length = demo or settings.steps is not None or settings.epochs is not None
    schedule = settings.schedule or ("steps" if given_length else "plateau")
    return chosen | {"schedule": schedule, "epochs": DEMO_EPOCHS if demo else LENGTHS[schedule]}


def prepare(settings: Settings, found: "data.Data") -> "training.Classification":
    """Find the mean image of the training images' center views."""
    found = training.with_first_photos(found, settings.workdir)
    size, batch, modern = settings.image_size, settings.batch_size, settings.recipe == "modern"
    preprocessing = Preprocessing(data.mean_image(found.train, size))
    more = {"finish": data.mix(len(found.classes))} if modern else {}
    if settings.own_colours:
        more["colours"] = data.principal_colours(found.train, size)

    def train_batches(start_step, shard):
        return data.imagenet_batches(found.train, preprocessing, batch, size, settings.seed, start_step, shard, **more)

    return training.Classification(
        settings=settings,
        classes=found.classes,
        train=found.train,
        validation=found.validation,
        test=found.test,
        preprocessing=preprocessing,
        train_batches=train_batches,
        test_batches=lambda split, shard: data.imagenet_batches(split, preprocessing, batch, size, shard=shard),
        reference_batch=PAPER["batch_size"],
        milestones=schedules.IMAGENET_MILESTONES,
        warm_up_epochs=MODERN_WARM_UP if modern else 0,
        averaged=modern,
    )


def main(settings: Settings) -> None:
    if settings.data == "demo":
        print("training on the built-in demo set; --data DIR trains on your own photos", flush=True)
    found = data.open_data(settings.data, settings.data_dir)
    settings = training.resolve(settings, preset(settings, found), "imagenet")
    training.run(settings, functools.partial(prepare, found=found))


if __name__ == "__main__":
    training.command_line(main, Settings(), __doc__, SHOWN)
