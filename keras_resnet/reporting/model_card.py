"""A model card as Hugging Face has it: a ``README.md`` with what a trained classifier is, and what it is worth."""

import json
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_resnet.evaluation.class_words import in_words
from keras_resnet.tables import Table

if TYPE_CHECKING:
    from keras_resnet.network import Network

MAX_CLASSES = 20  # rows; of more, those of lowest recall
PARTS = {"val": "validation", "test": "test"}
MARKUP = re.compile(r"[\\`*_\[\]<>&~]")  # letters that mean something to Markdown within a line or a cell
FOLDERS = re.compile(r"(^(?:-[\w-]+=)?|:)[^:]*/(?=[^/])")  # of a path, also in NAME:WEIGHTS or --flag=FILE


@dataclass(frozen=True)
class ModelCard:
    """A card of a run's network.

    Fields:
        name: of the model.
        result: of the run, as ``result.json`` has it.
        network: the network of ``last.keras``, whose results these are.
        licence: of the model, as Hugging Face abbreviates it, such as ``apache-2.0``; None if it is not known.
        pictures: files beside the card to show with the results.
    """

    name: str
    result: dict[str, Any]
    network: "Network"
    licence: str | None = None
    pictures: tuple[str, ...] = ()

    @property
    def data(self) -> str:
        """The data set's name, without folders of this machine."""
        return Path(self.result["settings"]["data"]).name

    @property
    def parts(self) -> dict[str, str]:
        """The parts that the network was evaluated on, and their names in words."""
        return {key: name for key, name in PARTS.items() if self.result.get(f"{key}_error") is not None}

    def markdown(self) -> str:
        """The whole file."""
        sections = {
            "How to use it": self._usage(),
            "Data": self._data(),
            "Results": self._results(),
            "Preprocessing": self._preprocessing(),
            "Training": self._training(),
            "Licence": self._licence(),
        }
        intro = (
            f"A {self.network.spec.name} that classifies photos into {self.network.output_shape[-1]:,} classes, "
            f"trained on {_plain(self.data)} with keras_resnet."
        )
        body = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items())
        return f"{self._metadata()}\n# {_plain(self.name)}\n\n{intro}\n\n{body}\n"

    def _metadata(self) -> str:
        """The YAML that Hugging Face reads; JSON's texts are also YAML's."""
        lines = ["---", "library_name: keras", "pipeline_tag: image-classification"]
        lines += [
            f"license: {_text(self.licence or 'unknown')}",
            "tags:",
            "- image-classification",
            "- resnet",
            "- tensorflow",
        ]
        lines += ["metrics:", "- accuracy", "model-index:", f"- name: {_text(self.name)}", "  results:"]
        for key, name in self.parts.items():
            share = 1 - self.result[f"{key}_error"] / 100
            lines += ["  - task:", "      type: image-classification", "    dataset:", "      type: imagefolder"]
            lines += [f"      name: {_text(self.data)}", f"      split: {name}", "    metrics:"]
            lines += ["    - type: accuracy", f"      value: {share:.4f}"]
        return "\n".join([*lines, "---"])

    def _usage(self) -> str:
        return f"""\
```python
import keras
import keras_resnet  # without it the model has no preprocessing and class_names
from keras_resnet.data import augment, decoding

model = keras.saving.load_model("hf://USER/{self.name}")
photo = augment.center_view(decoding.read_photo("photo.jpg"), {self.network.input_shape[1]}, model.preprocessing.crop)
scores = model.predict(model.preprocessing(photo)[None])
print(model.class_names[scores[0].argmax()])
```"""

    def _data(self) -> str:
        lines = [f"- trained on {self.result['train_examples']:,} photos: {_plain(self.result['train_split'])}"]
        for key, name in self.parts.items():
            lines.append(
                f"- {name} on {self.result[f'{key}_examples']:,} photos: {_plain(self.result[f'{key}_split'])}"
            )
        names = self.network.class_names or ()
        shown = _plain(", ".join(names[:MAX_CLASSES]))
        more = f" and {len(names) - MAX_CLASSES:,} more" if len(names) > MAX_CLASSES else ""
        return "\n".join([*lines, f"- classes: {shown}{more}"])

    def _results(self) -> str:
        if not self.parts:
            return "No photos were held out, so how often it is right is not known."
        texts = []
        for key, name in self.parts.items():
            top5 = self.result.get(f"{key}_top5_error")
            error = f"{name} error {self.result[f'{key}_error']:.2f} %"
            texts.append(error + (f", top-5 {top5:.2f} %" if top5 is not None else ""))
            by_class = self.result.get(f"{key}_by_class")
            if by_class:
                about = "\n".join(f"- {_plain(line)}" for line in in_words(by_class))
                texts += [about, _class_table(by_class["classes"]).markdown()]
        texts += [f"![{Path(picture).stem}]({picture})" for picture in self.pictures]
        return "\n\n".join(texts)

    def _preprocessing(self) -> str:
        preprocessing, (_, height, width, _) = self.network.preprocessing, self.network.input_shape
        if preprocessing is None:
            return "Not known."
        is_image = preprocessing.mean.ndim > 1
        mean = "the mean image of the training photos" if is_image else _numbers(preprocessing.mean)
        plain = all(value == 1 for value in preprocessing.std)
        scaled = "" if plain else f", divided by {_numbers(preprocessing.std)}"
        return (
            f"The square in the middle of the photo whose side is {preprocessing.crop:.1%} of the shorter side, "
            f"resized to {height} x {width} pixels, {preprocessing.channels} values of 0 to 255, minus {mean}{scaled}."
        )

    def _training(self) -> str:
        result, versions = self.result, self.result["versions"]
        packages = ", ".join(f"{package} {version}" for package, version in versions.items())
        values = {name: _without_folders(value.split()) for name, value in result["environment"].items()}
        variables = "".join(f", {name}={' '.join(words)}" for name, words in values.items())
        source = f"\n- began with: {_plain(self.network.source)}" if self.network.source else ""
        return (
            f"    {shlex.join(_without_folders(shlex.split(result['command'])))}\n\n"
            f"- {result['steps']:,} steps of {result['settings']['batch_size']:,} images, seed {result['seed']}, in "
            f"{result['seconds']:.0f} s on {result['hardware']}{source}\n"
            f"- {packages}{variables}; commit {result['commit']}"
        )

    def _licence(self) -> str:
        began = (
            f" The weights that training began with: {_plain(self.network.licence)}." if self.network.licence else ""
        )
        return f"{self.licence or 'Not stated.'}{began}"


def _class_table(classes: list[dict[str, Any]]) -> Table:
    table = Table("classes", ("class", "photos", "recall (95 % interval)", "precision (95 % interval)"))
    if len(classes) > MAX_CLASSES:
        with_photos = [row for row in classes if row["photos"]]
        classes = sorted(with_photos, key=lambda row: row["recall"][0])[:MAX_CLASSES]
    for row in classes:
        table.rows.append((_plain(row["class"]), f"{row['photos']:,}", _share(row["recall"]), _share(row["precision"])))
    return table


def _share(values: list[float | None]) -> str:
    percent, low, high = values
    return "-" if percent is None else f"{percent:.1f} % ({low:.1f} to {high:.1f})"


def _without_folders(words: Iterable[str]) -> list[str]:
    """The words of a command with the names of files alone: their folders say who made it, where and from what."""
    return [FOLDERS.sub(r"\1", word) for word in words]


def _numbers(values: Any) -> str:
    return f"({', '.join(f'{float(value):g}' for value in values)})"


def _plain(words: str) -> str:
    """Words that Markdown shows as they are; :class:`~keras_resnet.tables.Table` sees to the edges of its cells."""
    return MARKUP.sub(r"\\\g<0>", " ".join(words.split()))


def _text(words: str) -> str:
    return json.dumps(words, ensure_ascii=False)
