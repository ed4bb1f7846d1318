"""Fine-tune a trained network on a folder of photos.

    python recipes/finetune.py --model ResNet50:imagenet --data DIR     DIR/<class>/*, or DIR/{train,val}/<class>/*
    python recipes/finetune.py --model best.keras --data DIR --freeze conv4 --freeze-bn
    python recipes/finetune.py --model best.keras --data DIR --unfreeze-every 2

puts a new classifier on the network's weights and trains all of it in batches of 32, for 15 epochs and at least 200
steps, at rate 0.03, divided by 10 after 30/90, 60/90 and 80/90 of the run. The classifier learns at the full rate, and
each stage below it at --layer-decay times the rate of the stage above. --freeze keeps stages unchanged, --freeze-bn all
normalization layers (as in Sec. 4.3); --unfreeze-every N trains the classifier alone first, and one more stage every N
epochs (normalization statistics still change unless --freeze-bn is given). Inputs are preprocessed as the weights
expect.
"""

import functools
from dataclasses import dataclass
from typing import Annotated, Literal

import keras_resnet
from keras_resnet import data, evaluation, training
from keras_resnet.bounds import BY_PRESET, Between, ByPreset
from keras_resnet.errors import InputError
from keras_resnet.model_names import check_model
from keras_resnet.specs import split_name
from keras_resnet.training.stepping import schedules

RECIPE = "finetune"
UNTRAINED = "{} is not a trained network of keras_resnet: convert it with convert_weights.py."
PRESET = {"batch_size": 32, "base_lr": 0.03, "schedule": "steps"}
LONG, SHORT = {"epochs": 15}, {"steps": 200}  # 200 steps are more than 15 epochs of few photos (docs/own_photos.md)
HELP_PRESETS = {"few photos": PRESET | SHORT, "other data": PRESET | LONG}


@dataclass(frozen=True)
class Settings(training.PhotoSettings):
    """What to fine-tune, on what data, and how."""

    model: ByPreset[str] = BY_PRESET
    """The trained network: NAME:WEIGHTS (a file, or imagenet), a .keras file, or another weight file."""
    freeze: Literal["conv1", "conv2", "conv3", "conv4", "conv5"] | None = None
    """The last frozen stage; all stages below it are frozen too."""
    freeze_bn: bool = False
    """Freeze all normalization layers: scale, offset and statistics."""
    layer_decay: Annotated[float, Between(1e-30, 1)] = 0.7
    """Learning rate of each stage as a share of the rate of the stage above it."""
    unfreeze_every: Annotated[float, Between(1e-6, 1_000_000)] | None = None
    """Epochs after which one more stage begins to learn, from the top down; default: all learn from the start."""

    def check_model(self) -> None:
        if self.model is None:
            raise InputError("--model must name a trained network: NAME:WEIGHTS, or a .keras or weight file.")
        if self.shortcut is not None or self.change is not None:
            raise InputError("--shortcut and --change are for new networks: a trained one has its own blocks.")
        check_model(self.model)
        if not split_name(self.model)[1]:
            raise InputError(UNTRAINED.format(self.model))


def preset(settings: Settings, photos: int) -> dict:
    """The values of settings left unset, for this many training photos."""
    batch = settings.batch_size or PRESET["batch_size"]
    return PRESET | (LONG if LONG["epochs"] * photos / batch >= SHORT["steps"] else SHORT)


def stage_rates(settings: Settings, stages: tuple[str, ...], epoch_steps: int) -> dict[str, tuple[float, int]]:
    """For each stage, its share of the learning rate and the update at which it begins to learn."""
    wait = 0 if settings.unfreeze_every is None else max(1, round(settings.unfreeze_every * epoch_steps))
    below = enumerate(reversed(stages), start=1)
    return {stage: (settings.layer_decay**distance, distance * wait) for distance, stage in below}


def prepare(settings: Settings, data_set: "data.Data", trained: "keras_resnet.Network") -> "training.Classification":
    """The task of fine-tuning ``trained`` with a new classifier."""
    data_set = training.with_first_photos(data_set, settings.workdir)
    batch, view = settings.batch_size, data.ImageNetView(trained.preprocessing, settings.image_size)
    train = training.balanced(settings, data_set.train)

    def network():
        tuned = keras_resnet.replace_classifier(trained, len(data_set.classes), settings.image_size)
        training.freeze(tuned, settings.freeze, settings.freeze_bn)
        return tuned

    return training.Classification(
        settings=settings,
        classes=data_set.classes,
        train=data_set.train,
        validation=data_set.validation,
        test=data_set.test,
        preprocessing=view.preprocessing,
        train_batches=lambda start_step, shard: data.imagenet_batches(
            train, view, batch, settings.seed, start_step, shard
        ),
        test_batches=lambda split, shard: data.imagenet_batches(split, view, batch, shard=shard),
        reference_batch=PRESET["batch_size"],
        milestones=schedules.IMAGENET_MILESTONES,
        network=network,
        class_weights=training.loss_weights(settings, data_set),
        rates=stage_rates(settings, training.stages_of(trained), max(1, round(len(data_set.train) / batch))),
    )


def main(settings: Settings) -> None:
    data_set = training.open_photos(settings)
    trained = keras_resnet.load_model(settings.model)
    if getattr(trained, "spec", None) is None or trained.preprocessing is None:
        raise InputError(UNTRAINED.format(settings.model))
    stages = training.stages_of(trained)
    if settings.freeze not in (None, *stages):
        raise InputError(f"{settings.model} has no {settings.freeze}: give --freeze one of {', '.join(stages)}.")
    if settings.freeze == stages[-1] and settings.unfreeze_every is not None:
        raise InputError(f"--freeze {settings.freeze} leaves no stage for --unfreeze-every.")
    photos = training.first_count(training.resolve(settings, {}, RECIPE).workdir, len(data_set.train))
    chosen = preset(settings, photos) | {"image_size": evaluation.input_size(trained)}
    settings = training.resolve(settings, chosen, RECIPE)
    trained.spec.check_shape((settings.image_size, settings.image_size, 3))
    training.run(settings, functools.partial(prepare, data_set=data_set, trained=trained), patience=settings.patience)


if __name__ == "__main__":
    training.command_line(main, Settings(), __doc__, HELP_PRESETS)
