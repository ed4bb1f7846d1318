"""Features of photos: find photos that are alike, find copies, and judge a network without its classifier.

    python tools/embed.py write --model best.keras --data DIR --out features.npz      the last pooling of each photo
    python tools/embed.py near features.npz photo.jpg --draw near.png                 the photos most alike, and copies
    python tools/embed.py copies features.npz                                         copies within and across parts
    python tools/embed.py judge features.npz                                          k-NN and linear-probe error
    python tools/embed.py project features.npz --out runs/features                    a view for TensorBoard's projector

features.npz holds float16 features, labels, parts, photos and their SHA-256, for NumPy. All but write and near need no
network. Photos are seen as in a test: center views.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from PIL import Image
from tyro.conf import Positional

import keras_resnet
from keras_resnet import plots
from keras_resnet.bounds import Between, Count, Length
from keras_resnet.command_line import Folder, JsonFile, Output, PngFile, run_tools
from keras_resnet.errors import InputError
from keras_resnet.files import write_whole
from keras_resnet.tables import Table, write_tables

SAME = "same file"
PICTURE = 300  # pixels of a drawn photo's longer side
Parts = Annotated[tuple[Literal["train", "val", "test"], ...], Length(1, 3)]


@dataclass(frozen=True)
class Write:
    """Write the features of photos."""

    model: str
    """NAME:WEIGHTS (a file, or imagenet), a .keras file or another weight file."""
    data: str
    """A folder with train/<class>/* and val/<class>/*, record shards, the name of a TFDS data set, or demo."""
    out: Annotated[Path, Output(".npz")]
    """The file to write."""
    data_dir: Path | None = None
    """Where TFDS data sets are prepared."""
    split: Parts = ("train", "val")
    """Which parts of the data."""
    batch_size: Count = 32
    """Images in one forward pass."""

    def run(self) -> None:
        from keras_resnet.data import open_data
        from keras_resnet.evaluation import embeddings

        found, model = open_data(self.data, self.data_dir), keras_resnet.load_model(self.model)
        parts = [(part, found.part(part)) for part in dict.fromkeys(self.split)]
        rows = [embeddings.embed_split(model, split, part, self.batch_size) for part, split in parts]
        made = embeddings.joined(rows, found.classes, self.model)
        write_whole(self.out, made.save)
        counts = ", ".join(f"{len(split):,} of {part}" for part, split in parts)
        print(f"{made.features.shape[1]:,} features of {counts} in {self.out}")


@dataclass(frozen=True)
class Near:
    """The photos most like others, and those of which these are copies."""

    features: Positional[Path]
    """What write wrote."""
    photos: Positional[Annotated[tuple[Path, ...], Length(1, 100)]]
    """JPEG or PNG files to look for."""
    count: Count = 5
    """How many photos to name for each."""
    draw: PngFile | None = None
    """A PNG file to draw each photo into, beside those most like it."""
    json: JsonFile | None = None
    """A file for the answers."""

    def run(self) -> None:
        from keras_resnet.data import augment
        from keras_resnet.evaluation import embeddings, input_size

        found = embeddings.read_embeddings(self.features)
        encoded = [augment.read_photo(path) for path in self.photos]
        model = keras_resnet.load_model(found.model)
        views = [augment.center_view(each, input_size(model), model.preprocessing.crop).numpy() for each in encoded]
        own = embeddings.embedder(model)(model.preprocessing(np.stack(views)), training=False).numpy()
        if own.shape[1] != found.features.shape[1]:
            raise InputError(f"{found.model} is not what {self.features} was made with: write the features again.")
        similarities, positions = embeddings.nearest(found, own, self.count)
        near_copies = embeddings.near_copies_of(found, own)
        answers = []
        for number, path in enumerate(self.photos):
            is_same = found.hashes == embeddings.hash_of(encoded[number])
            alike = zip(_rows(found, positions[number]), similarities[number].tolist(), strict=True)
            answers.append({
                "photo": str(path),
                "same": _rows(found, np.nonzero(is_same)[0]),
                "near_copies": _rows(found, [place for place in near_copies[number] if not is_same[place]]),
                "nearest": [row | {"similarity": similarity} for row, similarity in alike],
            })  # fmt: skip
            print("\n".join(_lines(answers[-1])), flush=True)
        if self.json is not None:
            text = json.dumps(answers, indent=1) + "\n"
            write_whole(self.json, lambda part: part.write_text(text, encoding="utf-8"))
        if self.draw is not None:
            self._draw(found, positions)

    def _draw(self, found, positions) -> None:
        pictures, titles = [], []
        for path, places in zip(self.photos, positions.tolist(), strict=True):
            pictures += [_picture(path), *(_picture(Path(str(found.photos[place]))) for place in places)]
            titles += [path.name, *(str(found.classes[found.labels[place]]) for place in places)]
        grid = plots.photo_grid(pictures, titles, positions.shape[1] + 1)
        write_whole(self.draw, lambda part: Image.fromarray(grid).save(part, format="PNG"))
        print(f"drawn into {self.draw}", file=sys.stderr)


@dataclass(frozen=True)
class Copies:
    """Copies and near copies among the photos, within the parts and across them."""

    features: Positional[Path]
    """What write wrote."""
    similarity: Annotated[float, Between(0.5, 1)] = 0.9
    """From which cosine of the whitened features on two photos are near copies."""
    most: Count = 20
    """How many pairs to print."""
    json: JsonFile | None = None
    """A file for all pairs."""

    def run(self) -> None:
        from keras_resnet.evaluation import embeddings

        found = embeddings.read_embeddings(self.features)
        pairs = [
            (SAME if found.hashes[first] == found.hashes[second] else f"{similarity:.3f}", first, second)
            for first, second, similarity in embeddings.near_copies(found, self.similarity)
        ]
        for kind, first, second in pairs[: self.most]:
            print(f"{kind:>9}  {found.photos[first]} ({found.parts[first]})  {found.photos[second]} "
                  f"({found.parts[second]})")  # fmt: skip
        across = sum(found.parts[first] != found.parts[second] for _, first, second in pairs)
        labels = sum(found.labels[first] != found.labels[second] for _, first, second in pairs)
        same = sum(kind == SAME for kind, *_ in pairs)
        print(f"pairs among {len(found):,} photos: {len(pairs):,}, of the same bytes: {same:,}")
        print(f"in two parts: {across:,}, in two classes: {labels:,}")
        if self.json is not None:
            rows = [{"kind": kind, "photos": _rows(found, (first, second))} for kind, first, second in pairs]
            write_whole(self.json, lambda part: part.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8"))


@dataclass(frozen=True)
class Judge:
    """Errors of simple classifiers on the features: what the network knows without its own classifier."""

    features: Positional[Path]
    """What write wrote."""
    train: Literal["train", "val", "test"] = "train"
    """The part that they learn from."""
    test: Literal["train", "val", "test"] = "val"
    """The part that they are judged on."""
    neighbours: Count = 5
    """How many of the most similar photos vote."""
    json: JsonFile | None = None
    """A file for the table as data."""

    def run(self) -> None:
        from keras_resnet.evaluation import embeddings

        found = embeddings.read_embeddings(self.features)
        train, test = found.of_part(self.train), found.of_part(self.test)
        photos = f"learned from {len(train):,} photos of {self.train}, judged on {len(test):,} of {self.test}"
        print(f"{found.model}: {photos}\n")
        table = Table("errors", ("classifier", "top-1 error (95 % interval)"))
        table.print_header()
        vote = embeddings.k_nn_error(train, test, self.neighbours)
        table.add(f"vote of the {min(self.neighbours, len(train))} most similar photos", vote)
        probe = embeddings.linear_probe_error(train, test)
        table.add("linear probe", probe)
        wrong = {"k-nn": vote.wrong, "linear probe": probe.wrong}
        write_tables(self.json, [table], model=found.model, photos=len(test), wrong=wrong)


@dataclass(frozen=True)
class Project:
    """A view of the features for TensorBoard's projector."""

    features: Positional[Path]
    """What write wrote."""
    out: Folder
    """The log folder to write."""

    def run(self) -> None:
        from keras_resnet.evaluation.embeddings import read_embeddings
        from keras_resnet.evaluation.projector import write_projector

        shown = write_projector(read_embeddings(self.features), self.out)
        print(f"{shown:,} photos: tensorboard --logdir {self.out}, then Projector")


def _rows(found, places) -> list[dict]:
    """What is known of the photos at ``places``."""
    return [
        {"photo": str(found.photos[i]), "part": str(found.parts[i]), "class": str(found.classes[found.labels[i]])}
        for i in places
    ]


def _lines(answer: dict) -> list[str]:
    """What a photo is a copy of, and which are the most like it."""
    lines = [answer["photo"]]
    lines += ["  the same file as {photo} ({part})".format(**row) for row in answer["same"]]
    lines += ["  nearly a copy of {photo} ({part})".format(**row) for row in answer["near_copies"]]
    return lines + ["  {similarity:.4f}  {class}  {photo}".format(**row) for row in answer["nearest"]]


def _picture(path: Path) -> np.ndarray:
    """The whole photo, small; white where it is no file, as of record shards."""
    if not path.is_file():
        return np.full((1, 1, 3), 255, np.uint8)
    with Image.open(path) as photo:
        picture = photo.convert("RGB")
    picture.thumbnail((PICTURE, PICTURE))
    return np.asarray(picture)


COMMANDS = {"write": Write, "near": Near, "copies": Copies, "judge": Judge, "project": Project}

if __name__ == "__main__":
    run_tools(COMMANDS, __doc__)
