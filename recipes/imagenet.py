"""Train a residual or plain network on ImageNet, or on any folder of photos, as Sec. 3.4 does.

    python recipes/imagenet.py                                    the built-in demo set of ten shapes, a few minutes
    python recipes/imagenet.py --data DIR --model ResNet50        DIR/<class>/*, or DIR/{train,val}/<class>/*
    python recipes/imagenet.py --data imagenet2012 --data-dir DIR --epochs 90      as prepared by TensorFlow Datasets

trains in batches of 256 on random crops of 224 pixels at shorter side 256 to 480, with flips and colour augmentation,
at rate 0.1, divided by 10 after 5 epochs without progress, for at most 120 epochs (600,000 steps on ImageNet); with
--epochs or --steps, divided by 10 after 30/90, 60/90 and 80/90 of the run. With fewer than 12,800 training images the
batch is 32, and the rate is scaled with it. --recipe modern uses a cosine schedule, warm-up, label smoothing, mixup and
CutMix, and averaged weights, for 300 epochs. Top-1 errors in the paper (Table 3, 10 crops): ResNet-18 27.88 % (Table
2), 34 25.03, 50 22.85, 101 21.75, 152 21.43; the authors' models on one crop: 50 24.7, 101 23.6, 152 23.0.
"""

import functools
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from keras_resnet import data, training
from keras_resnet.bounds import Length
from keras_resnet.training.stepping import schedules
from keras_resnet.weights import Preprocessing

RECIPE = "imagenet"
PAPER = {"model": "ResNet50", "batch_size": 256, "image_size": 224, "base_lr": 0.1}
DEMO = {"model": "ResNet20", "batch_size": 64, "image_size": 32, "base_lr": 0.2}
LENGTHS = {"steps": 90, "plateau": 120, "cosine": 90}  # epochs; 120 are the paper's 600,000 steps
DEMO_EPOCHS = 18
HELP_PRESETS = {
    "demo": DEMO | {"schedule": "steps", "epochs": DEMO_EPOCHS},
    "other data": PAPER | {"schedule": "plateau", "epochs": LENGTHS["plateau"]},
}
MODERN = {"base_lr": 0.125, "schedule": "cosine", "epochs": 300}
MODERN_WARM_UP = 5  # epochs
SMALL_BATCH, MIN_STEPS = 32, 50  # data with fewer than 50 of the paper's steps per epoch gets small batches


@dataclass(frozen=True)
class Settings(training.PhotoSettings):
    """What to train, on what data, and how; settings left out follow the data set's preset."""

    recipe: Literal["paper", "modern"] = "paper"
    """The paper's training, or a modern one: cosine, warm-up, label smoothing, mixup and CutMix, averaged weights."""
    augment: Annotated[tuple[Literal["trivial", "erasing"], ...], Length(0, 2)] = ()
    """Besides crops, flips and colours: trivial (TrivialAugment), erasing."""
    loss: Literal["softmax", "binary"] = "softmax"
    """Cross-entropy over all classes, or a binary one for each."""
    own_colours: bool = False
    """Shift colours as they vary in the training set, not in ImageNet."""


def preset(settings: Settings, photos: int) -> dict:
    """The values of settings left unset, for this many training photos."""
    demo = settings.data == "demo"
    chosen = dict(DEMO if demo else PAPER)
    if not demo and photos < MIN_STEPS * PAPER["batch_size"]:
        chosen["batch_size"] = SMALL_BATCH
    if settings.recipe == "modern":
        return chosen | MODERN
    given_length = demo or settings.steps is not None or settings.epochs is not None
    schedule = settings.schedule or ("steps" if given_length else "plateau")
    return chosen | {"schedule": schedule, "epochs": DEMO_EPOCHS if demo else LENGTHS[schedule]}


def prepare(settings: Settings, data_set: "data.Data") -> "training.Classification":
    """The task of training on ``data_set``, with the mean image of its training images subtracted."""
    data_set = training.with_first_photos(data_set, settings.workdir)
    size, batch, modern = settings.image_size, settings.batch_size, settings.recipe == "modern"
    mean = training.first_mean(settings.workdir, data_set.train, size)
    view = data.ImageNetView(Preprocessing(mean), size, more=settings.augment)
    if settings.own_colours:
        view = replace(view, colours=training.first_colours(settings.workdir, data_set.train, size))
    finish = data.mix(len(data_set.classes)) if modern else None
    train = training.balanced(settings, data_set.train)

    def train_batches(start_step, shard):
        return data.imagenet_batches(train, view, batch, settings.seed, start_step, shard, finish)

    return training.Classification(
        settings=settings,
        classes=data_set.classes,
        train=data_set.train,
        validation=data_set.validation,
        test=data_set.test,
        preprocessing=view.preprocessing,
        train_batches=train_batches,
        test_batches=lambda split, shard: data.imagenet_batches(split, view, batch, shard=shard),
        reference_batch=PAPER["batch_size"],
        milestones=schedules.IMAGENET_MILESTONES,
        warm_up_epochs=MODERN_WARM_UP if modern else 0,
        averaged=modern,
        class_weights=training.loss_weights(settings, data_set),
        binary=settings.loss == "binary",
    )


def main(settings: Settings) -> None:
    if settings.data == "demo":
        print("training on the built-in demo set; --data DIR trains on your own photos", flush=True)
    data_set = training.open_photos(settings)
    model = (DEMO if settings.data == "demo" else PAPER)["model"]
    photos = training.first_count(training.resolve(settings, {"model": model}, RECIPE).workdir, len(data_set.train))
    settings = training.resolve(settings, preset(settings, photos), RECIPE)
    training.run(settings, functools.partial(prepare, data_set=data_set), patience=settings.patience)


if __name__ == "__main__":
    training.command_line(main, Settings(), __doc__, HELP_PRESETS)
