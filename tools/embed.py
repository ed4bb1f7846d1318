"""Features of photos: find similar photos and copies, and evaluate a network without its classifier.

    python tools/embed.py write --model best.keras --data DIR --out features.npz      the last pooling of each photo
    python tools/embed.py near features.npz photo.jpg --draw near.png                 the most similar photos; copies
    python tools/embed.py copies features.npz                                         copies within and across parts
    python tools/embed.py judge features.npz                                          k-NN and linear-probe error
    python tools/embed.py project features.npz --out runs/features                    a view for TensorBoard's projector

features.npz holds float16 features, labels, parts, photos and their SHA-256, for NumPy. All but write and near need no
network. Photos are seen as in a test: center views.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from PIL import Image
from tyro.conf import Positional

import keras_resnet
from keras_resnet import drawing
from keras_resnet.backends import inference
from keras_resnet.bounds import Between, Count, Length
from keras_resnet.command_line import Folder, JsonFile, ModelName, Output, PngFile, run_tools
from keras_resnet.data import viewing
from keras_resnet.data.dividing import BY_SHARE, Division
from keras_resnet.errors import InputError
from keras_resnet.files import check_not_read, write_json, write_whole
from keras_resnet.tables import Table, write_tables

SAME = "same file"
PICTURE = 300  # pixels of a drawn photo's longer side
Parts = Annotated[tuple[Literal["train", "val", "test"], ...], Length(1, 3)]


@dataclass(frozen=True)
class Write:
    """Write the features of photos."""

    model: ModelName
    """NAME:WEIGHTS (a file, or imagenet), a .keras file or another weight file."""
    data: str
    """A folder with train/<class>/* and val/<class>/*, record shards, the name of a TFDS data set, or demo."""
    out: Annotated[Path, Output(".npz")]
    """The file to write."""
    data_dir: Path | None = None
    """The folder of prepared TFDS data sets."""
    split: Parts = ("train", "val")
    """The parts of the data."""
    division: Division = BY_SHARE
    """How photos without a split are divided: as the model's own run divided them."""
    batch_size: Count = 32
    """Images in one forward pass."""

    def run(self) -> None:
        from keras_resnet.data import open_data
        from keras_resnet.evaluation import embeddings
        from keras_resnet.evaluation.scoring import weights_digest

        data, model = open_data(self.data, self.data_dir, self.division), keras_resnet.load_model(self.model)
        parts = [(part, data.part(part)) for part in dict.fromkeys(self.split)]
        rows = [embeddings.embed_split(model, split, part, self.batch_size) for part, split in parts]
        made = embeddings.joined(rows, data.classes, self.model, weights_digest(model))
        write_whole(self.out, made.save)
        counts = ", ".join(f"{len(split):,} of {part}" for part, split in parts)
        print(f"{made.features.shape[1]:,} features of {counts} in {self.out}")


@dataclass(frozen=True)
class Near:
    """The photos that are most similar to the given ones, or copies of them."""

    features: Positional[Path]
    """The file that write wrote."""
    photos: Positional[Annotated[tuple[Path, ...], Length(1, 100)]]
    """JPEG or PNG files to look for."""
    count: Count = 5
    """How many photos to name for each."""
    draw: PngFile | None = None
    """A PNG file for a picture of each photo beside the most similar ones."""
    json: JsonFile | None = None
    """A file for the answers."""

    def run(self) -> None:
        from keras_resnet.data import augment, decoding
        from keras_resnet.evaluation import embeddings, input_size
        from keras_resnet.evaluation.scoring import weights_digest

        check_not_read([] if self.draw is None else [self.draw], self.photos)
        stored = embeddings.read_embeddings(self.features)
        encoded = [decoding.read_photo(path) for path in self.photos]
        model = keras_resnet.load_model(stored.model)
        views = [augment.center_view(photo, input_size(model), model.preprocessing.crop).numpy() for photo in encoded]
        queries = inference(embeddings.embedder(model))(model.preprocessing(np.stack(views)))
        other_weights = stored.weights not in ("", weights_digest(model))  # such as those of a run that went on
        if other_weights or queries.shape[1] != stored.features.shape[1]:
            raise InputError(f"{stored.model} is not what {self.features} was made with: write the features again.")
        similarities, positions = embeddings.nearest(stored, queries, self.count)
        near_copies = embeddings.near_copies_of(stored, queries)
        answers = []
        for number, path in enumerate(self.photos):
            is_same = stored.hashes == embeddings.hash_of(encoded[number])
            alike = zip(_rows(stored, positions[number]), similarities[number].tolist(), strict=True)
            answers.append({
                "photo": str(path),
                "same": _rows(stored, np.nonzero(is_same)[0]),
                "near_copies": _rows(stored, [place for place in near_copies[number] if not is_same[place]]),
                "nearest": [row | {"similarity": similarity} for row, similarity in alike],
            })  # fmt: skip
            print("\n".join(_lines(answers[-1])), flush=True)
        if self.json is not None:
            write_json(self.json, answers)
        if self.draw is not None:
            self._draw(stored, positions)

    def _draw(self, stored, positions) -> None:
        pictures, titles = [], []
        for path, places in zip(self.photos, positions.tolist(), strict=True):
            pictures += [_picture(path), *(_picture(Path(str(stored.photos[place]))) for place in places)]
            titles += [path.name, *(str(stored.classes[stored.labels[place]]) for place in places)]
        grid = drawing.photo_grid(pictures, titles, positions.shape[1] + 1)
        write_whole(self.draw, lambda part: Image.fromarray(grid).save(part, format="PNG"))
        print(f"drawn into {self.draw}", file=sys.stderr)


@dataclass(frozen=True)
class Copies:
    """Copies and near copies among the photos, within the parts and across them."""

    features: Positional[Path]
    """The file that write wrote."""
    similarity: Annotated[float, Between(0.5, 1)] = 0.9
    """The least cosine of the whitened features for which two photos are near copies."""
    most: Count = 20
    """How many pairs to print."""
    json: JsonFile | None = None
    """A file for all pairs."""

    def run(self) -> None:
        from keras_resnet.evaluation import embeddings

        stored = embeddings.read_embeddings(self.features)
        if len(stored) < embeddings.ENOUGH:
            print(f"{len(stored)} photos are too few to tell near copies by: of fewer than {embeddings.ENOUGH}, only "
                  "copies of the same bytes are certain", file=sys.stderr)  # fmt: skip
        pairs = [
            (SAME if stored.hashes[first] == stored.hashes[second] else f"{similarity:.3f}", first, second)
            for first, second, similarity in embeddings.near_copies(stored, self.similarity)
        ]
        for kind, first, second in pairs[: self.most]:
            print(f"{kind:>9}  {stored.photos[first]} ({stored.parts[first]})  {stored.photos[second]} "
                  f"({stored.parts[second]})")  # fmt: skip
        across = sum(stored.parts[first] != stored.parts[second] for _, first, second in pairs)
        labels = sum(stored.labels[first] != stored.labels[second] for _, first, second in pairs)
        same = sum(kind == SAME for kind, *_ in pairs)
        print(f"pairs among {len(stored):,} photos: {len(pairs):,}, of the same bytes: {same:,}")
        print(f"in two parts: {across:,}, in two classes: {labels:,}")
        if self.json is not None:
            rows = [{"kind": kind, "photos": _rows(stored, (first, second))} for kind, first, second in pairs]
            write_json(self.json, rows)


@dataclass(frozen=True)
class Judge:
    """Errors of simple classifiers on the features, without the network's own classifier."""

    features: Positional[Path]
    """The file that write wrote."""
    train: Literal["train", "val", "test"] = "train"
    """The part for training."""
    test: Literal["train", "val", "test"] = "val"
    """The part for testing."""
    neighbours: Count = 5
    """How many of the most similar photos vote for the class."""
    json: JsonFile | None = None
    """A file for the table as data."""

    def run(self) -> None:
        from keras_resnet.evaluation import embeddings

        stored = embeddings.read_embeddings(self.features)
        train, test = stored.of_part(self.train), stored.of_part(self.test)
        photos = f"trained on {len(train):,} photos of {self.train}, tested on {len(test):,} of {self.test}"
        print(f"{stored.model}: {photos}\n")
        table = Table("errors", ("classifier", "top-1 error (95 % interval)"))
        table.print_header()
        vote = embeddings.k_nn_error(train, test, self.neighbours)
        table.add(f"vote of the {min(self.neighbours, len(train))} most similar photos", vote)
        probe = embeddings.linear_probe_error(train, test)
        table.add("linear probe", probe)
        wrong = {"k-nn": vote.wrong, "linear probe": probe.wrong}
        write_tables(self.json, [table], model=stored.model, photos=len(test), wrong=wrong)


@dataclass(frozen=True)
class Project:
    """A view of the features for TensorBoard's projector."""

    features: Positional[Path]
    """The file that write wrote."""
    out: Folder
    """The log folder to write."""

    def run(self) -> None:
        from keras_resnet.evaluation.embeddings import read_embeddings
        from keras_resnet.evaluation.projector import write_projector

        shown = write_projector(read_embeddings(self.features), self.out)
        print(f"{shown:,} photos: tensorboard --logdir {self.out}, then Projector")


def _rows(stored, places) -> list[dict]:
    """The photos at ``places``, each with its part and class."""
    return [
        {"photo": str(stored.photos[i]), "part": str(stored.parts[i]), "class": str(stored.classes[stored.labels[i]])}
        for i in places
    ]


def _lines(answer: dict) -> list[str]:
    """Lines that name the originals of a photo and the photos most similar to it."""
    lines = [answer["photo"]]
    lines += ["  the same file as {photo} ({part})".format(**row) for row in answer["same"]]
    lines += ["  nearly a copy of {photo} ({part})".format(**row) for row in answer["near_copies"]]
    return lines + ["  {similarity:.4f}  {class}  {photo}".format(**row) for row in answer["nearest"]]


def _picture(path: Path) -> np.ndarray:
    """The whole photo in a small size; white if it is not a file, as in record shards."""
    if not path.is_file():
        return drawing.BLANK
    return np.asarray(viewing.small_picture(path.read_bytes(), PICTURE))


COMMANDS = {"write": Write, "near": Near, "copies": Copies, "judge": Judge, "project": Project}

if __name__ == "__main__":
    run_tools(COMMANDS, __doc__)
