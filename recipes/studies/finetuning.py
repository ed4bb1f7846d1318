"""Fine-tuning with few photos: which layers, rates and lengths, against training from nothing and a linear probe.

    python recipes/studies/finetuning.py --model ResNet20:FILE                 from a trained network to the demo set
    python recipes/studies/finetuning.py --data DIR              from half of the classes of DIR to the other half

Without --model a ResNet-18 of half width is trained on the first half of the classes. Each seed draws other training
photos, and the other photos of these classes are the validation part, at most 200 a class. A workdir keeps the lists of
its photos in lists/, and refuses to continue with others.
"""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

import keras_resnet
from keras_resnet import data, evaluation, studies, training
from keras_resnet.bounds import Between
from keras_resnet.errors import InputError
from keras_resnet.files import write_whole
from keras_resnet.specs import split_name

QUESTION = "How should a network be fine-tuned on few photos?"
HALF_WIDTH = {"model": "ResNet18", "change": ("width=0.5",), "image_size": 64}
PRETRAINING = {"epochs": 20, "schedule": "cosine"}
CENTER = {"base_lr": 0.03, "layer_decay": 0.7, "schedule": "steps", "steps": 200}
ARMS = {  # what differs from CENTER
    "center": {},
    "50 steps": {"steps": 50},
    "400 steps": {"steps": 400},
    "rate 0.003": {"base_lr": 0.003},
    "rate 0.01": {"base_lr": 0.01},
    "rate 0.1": {"base_lr": 0.1},
    "one rate for all": {"layer_decay": 1.0},
    "decay 0.4": {"layer_decay": 0.4},
    "frozen to conv3": {"freeze": "conv3"},
    "frozen normalization": {"freeze_bn": True},
    "cosine": {"schedule": "cosine"},
}
NOTHING, PROBE = "from nothing", "linear probe"
FROM_NOTHING = {"steps": 200}
MOST = 200  # validation photos a class


@dataclass(frozen=True)
class Settings(studies.RecipeStudySettings):
    """From what, on what data, and how often."""

    model: str | None = None
    """The trained network, NAME:WEIGHTS; default: a ResNet-18 of half width, trained on half of the classes."""
    photos: Annotated[int, Between(1, 1_000_000)] = 20
    """Training photos a class."""

    def check(self) -> None:
        if self.model is not None and split_name(self.model)[0] is None:
            raise InputError("--model must be NAME:WEIGHTS, because the named network is trained from nothing too.")


def by_class(split: "data.Split", classes: tuple[int, ...]) -> dict[int, list[str]]:
    """The files of each of ``classes``."""
    labels = split.files["directory"]
    return {label: [split.file(int(at)) for at in np.flatnonzero(labels == label)] for label in classes}


def write_list(path: Path, names: tuple[str, ...], parts: dict[str, dict[int, list[str]]]) -> str:
    """Write a list of photos and return its path.

    Raises:
        InputError: the workdir has this list with other photos, on which runs that would be reused were trained.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = io.StringIO(newline="")
    rows = csv.writer(file)
    rows.writerow(("path", "label", "split"))
    for part, photos in parts.items():
        rows.writerows((Path(p).absolute(), names[label], part) for label, paths in photos.items() for p in paths)
    content = file.getvalue().encode()
    if path.exists() and path.read_bytes() != content:
        raise InputError(
            f"{path} is the list of a study of other photos: give the --data and --photos of that study, or another "
            "--workdir."
        )
    write_whole(path, lambda part: part.write_bytes(content))
    return str(path)


def drawn(opened: "data.Data", classes: tuple[int, ...], settings: Settings, seed: int) -> str:
    """A list with ``settings.photos`` training photos of each of ``classes``, and others to validate on."""
    pool, held_out = by_class(opened.train, classes), by_class(opened.validation, classes)
    rng, parts = np.random.default_rng(seed), {"train": {}, "val": {}}
    for label in classes:
        order = rng.permutation(pool[label]).tolist()
        parts["train"][label] = order[: settings.photos]
        parts["val"][label] = (held_out[label] + order[settings.photos :])[:MOST]
    return write_list(settings.workdir / "lists" / f"seed{seed}.csv", opened.classes, parts)


def pretrained(opened: "data.Data", classes: tuple[int, ...], workdir: Path) -> str:
    """A network trained on ``classes``."""
    parts = {"train": by_class(opened.train, classes), "val": by_class(opened.validation, classes)}
    photos = write_list(workdir / "lists" / "pretraining.csv", opened.classes, parts)
    studies.train("imagenet", workdir / "pretrained", data=photos, **HALF_WIDTH, **PRETRAINING)
    return str(workdir / "pretrained" / "last.keras")


def probe_error(model: str, photos: str) -> float:
    """The error of a linear probe on the features of ``model``."""
    from keras_resnet.evaluation.embeddings import joined

    network, opened = keras_resnet.load_model(model), data.open_data(photos)
    parts = {"train": opened.train, "val": opened.validation}
    rows = [evaluation.embed_split(network, split, part) for part, split in parts.items()]
    features = joined(rows, opened.classes, model)
    return evaluation.linear_probe_error(*(features.of_part(part) for part in parts)).percent


def main(settings: Settings) -> None:
    settings = settings.named("finetuning")
    opened = data.open_data(settings.data)
    data.check_in_files(opened)
    classes = tuple(range(len(opened.classes)))
    new = HALF_WIDTH
    if settings.model is None:
        model = pretrained(opened, classes[: len(classes) // 2], settings.workdir)
        classes = classes[len(classes) // 2 :]
    else:
        model = settings.model
        size = evaluation.input_size(keras_resnet.load_model(model))
        new = {"model": split_name(model)[0], "image_size": size}

    def error(recipe: str, name: str, **values) -> Callable[[int], dict[str, float]]:
        def measure(seed: int) -> dict[str, float]:
            photos, workdir = drawn(opened, classes, settings, seed), settings.workdir / f"{name}-seed{seed}"
            return {"error": studies.train(recipe, workdir, data=photos, seed=seed, **values)["val_error"]}

        return measure

    arms = {name: error("finetune", name, model=model, **CENTER | change) for name, change in ARMS.items()}
    arms[NOTHING] = error("imagenet", NOTHING, **new, **FROM_NOTHING)
    arms[PROBE] = lambda seed: {"error": probe_error(model, drawn(opened, classes, settings, seed))}
    pairs = [(name, "center") for name in arms if name != "center"]
    about = {"question": QUESTION, "model": settings.model, "photos": settings.photos, "center": CENTER}
    about |= {"changes": ARMS, NOTHING: FROM_NOTHING}
    studies.compare_arms("finetuning", settings, arms, pairs, **about)


if __name__ == "__main__":
    training.command_line(main, Settings(), __doc__)
