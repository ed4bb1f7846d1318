"""Rare classes: what do weights in the loss, or drawing each class equally often, do for the rarest one?

    python recipes/studies/balance.py --data DIR --model NAME:WEIGHTS              DIR/{train,val}/<class>/*

fine-tunes the network on the photos of DIR, whose rarest class in training is the one that is looked at.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from keras_resnet import data, studies, training
from keras_resnet.bounds import BY_PRESET, ByPreset, Pixels, Steps
from keras_resnet.errors import InputError

QUESTION = "What do weights in the loss, or drawing each class equally often, do for the rarest class?"
ARMS = ("none", "weights", "sampling")  # of --balance
BASE = ARMS[0]


@dataclass(frozen=True)
class Settings(studies.RecipeStudySettings):
    """From what, on what data, and how often."""

    model: ByPreset[str] = BY_PRESET
    """The trained network, NAME:WEIGHTS."""
    image_size: ByPreset[Pixels] = BY_PRESET
    """Side of the square images the network sees, in pixels; default: that of the trained network."""
    steps: Steps | None = None
    """Length of each run; default: the recipe's."""

    def check(self) -> None:
        if self.model is None:
            raise InputError("--model must name a trained network: NAME:WEIGHTS, or a .keras or weight file.")


def errors(result: dict, rare: str) -> dict[str, float]:
    """All photos' error, the balanced one, and that of the class ``rare``, in percent."""
    by_class = result["val_by_class"]
    of_rare = next(row for row in by_class["classes"] if row["class"] == rare)
    values = {"error": result["val_error"], "balanced error": by_class["balanced_error"]}
    return values | {"error of the rarest class": 100 - 100 * of_rare["right"] / of_rare["photos"]}


def main(settings: Settings) -> None:
    settings = settings.named("balance")
    opened = data.open_data(settings.data)
    data.check_in_files(opened)
    counts = np.bincount(opened.train.files["directory"], minlength=len(opened.classes))
    rarest = int(counts.argmin())
    rare = opened.classes[rarest]
    if rarest not in opened.validation.files["directory"]:
        raise InputError(f"{opened.name} has no validation photo of {rare}, its rarest class: add some of that class.")
    common = {"data": settings.data, "model": settings.model, "image_size": settings.image_size}
    common["steps"] = settings.steps

    def measured(balance: str) -> Callable[[int], dict[str, float]]:
        def measure(seed: int) -> dict[str, float]:
            workdir = settings.workdir / f"{balance}-seed{seed}"
            return errors(studies.train("finetune", workdir, balance=balance, seed=seed, **common), rare)

        return measure

    pairs = [(name, BASE) for name in ARMS if name != BASE]
    about = {"question": QUESTION, "model": settings.model, "image_size": settings.image_size, "steps": settings.steps}
    about |= {"photos": dict(zip(opened.classes, counts.tolist(), strict=True)), "rare": rare}
    about["val_photos"] = len(opened.validation)
    studies.compare_arms("balance", settings, {name: measured(name) for name in ARMS}, pairs, **about)


if __name__ == "__main__":
    training.command_line(main, Settings(), __doc__)
