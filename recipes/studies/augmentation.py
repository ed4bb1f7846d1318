"""The modern recipe with TrivialAugment, random erasing and a binary cross-entropy: what does each add?

    python recipes/studies/augmentation.py --data DIR              DIR/{train,val}/<class>/*

trains a ResNet-18 of half width on images of 64 pixels, with each of the three alone and with none.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from keras_resnet import studies, training
from keras_resnet.bounds import Between

QUESTION = "What do TrivialAugment, random erasing and a binary cross-entropy add to the modern recipe?"
NETWORK = {"model": "ResNet18", "change": ("width=0.5",), "image_size": 64}
BASE = "modern"
ARMS: dict[str, dict] = {
    BASE: {},
    "TrivialAugment": {"augment": ("trivial",)},
    "random erasing": {"augment": ("erasing",)},
    "binary cross-entropy": {"loss": "binary"},
}


@dataclass(frozen=True)
class Settings(studies.RecipeStudySettings):
    """On what data, how long and how often."""

    epochs: Annotated[float, Between(1e-6, 1_000_000)] = 3
    """Length of each run."""


def main(settings: Settings) -> None:
    settings = settings.named("augmentation")

    def error(name: str) -> Callable[[int], dict[str, float]]:
        def measure(seed: int) -> dict[str, float]:
            more = NETWORK | ARMS[name] | {"recipe": "modern", "data": settings.data, "epochs": settings.epochs}
            result = studies.train("imagenet", settings.workdir / f"{name}-seed{seed}", seed=seed, **more)
            return {"error": result["val_error"]}

        return measure

    pairs = [(name, BASE) for name in ARMS if name != BASE]
    about = {"question": QUESTION, "network": NETWORK, "epochs": settings.epochs, "changes": ARMS}
    studies.compare_arms("augmentation", settings, {name: error(name) for name in ARMS}, pairs, **about)


if __name__ == "__main__":
    training.command_line(main, Settings(), __doc__)
