"""Find objects in photos.

    python tools/detect.py street.jpg cat.png --model best.keras
    python tools/detect.py frames/ --model best.keras --formats csv yolo
    python tools/detect.py photos/ --model A.keras B.keras --refine --out found

A folder stands for the photos in it and below. Numbers in names count, so the frames of a video stay in order. A file
that does not decode is reported and left out. Several models form an ensemble. Photos are turned by their EXIF
orientation, as a viewer shows them, and boxes are in pixels of the turned picture.

Writes each photo with its boxes into --out, and the boxes of all photos: detections.json; detections.csv, a line for
each box, or for a photo without any, which the recipes take as --data; or YOLO's labels/ with classes.txt.
"""

import itertools
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from PIL import Image
from tyro.conf import Positional

from keras_resnet.bounds import Between, Length, Pixels
from keras_resnet.command_line import Folder, ModelFile, run_tool
from keras_resnet.data.gathering import photos_at
from keras_resnet.data.reading import read_text
from keras_resnet.errors import InputError
from keras_resnet.files import (
    ANSWERS_BEGIN,
    check_not_read,
    check_replaceable,
    check_written,
    write_json,
    write_text,
    write_whole,
)
from keras_resnet.tables import write_csv

if TYPE_CHECKING:
    from keras_resnet.detection import Detections, Detector

Format = Literal["json", "csv", "yolo"]
COLUMNS = ("path", "class", "xmin", "ymin", "xmax", "ymax", "score", "width", "height")
JSON, CSV, CLASSES = "detections.json", "detections.csv", "classes.txt"
USUAL_SCORE = 0.5
SHOWN = 10  # classes whose least scores are listed
PATIENCE = 10.0  # seconds between lines of progress, and at least between writes of the boxes so far
APART = 10.0  # seconds, the most between the writing of a picture and of its labels
REST = 9.0  # seconds until the next write of all boxes so far, for each second that the last one took


@dataclass(frozen=True)
class Detect:
    """The photos, the detectors, and how they are tested."""

    photos: Positional[tuple[Path, ...]]
    """Photos, or folders of them."""
    model: tuple[ModelFile, ...]
    """Detectors, .keras files of recipes/coco.py or voc.py."""
    out: Folder = Path("detections")
    """The folder to write into."""
    formats: Annotated[tuple[Format, ...], Length(1, 3)] = ("json",)
    """Of the boxes: json csv yolo."""
    score: Annotated[float, Between(0, 1)] | None = None
    """The least score of a box, from 0 to 1. Default: for each class that of the highest F1 on the validation photos
    of the detector's run, which its file has; 0.5 if it has none."""
    refine: bool = False
    """Box refinement (Table 9)."""
    flip: bool = False
    """Score regions in the mirrored photo too."""
    scales: tuple[Pixels, ...] = ()
    """Shorter sides of multi-scale testing, in pixels, such as 200 400 600 800 1000."""
    tiles: Annotated[int, Between(32, 10_000)] | None = None
    """Also look at overlapping squares of this side, in pixels of the photo: for small things in large photos."""

    def run(self) -> None:
        from keras_resnet import detection
        from keras_resnet.data import decoding
        from keras_resnet.training.display.console import duration

        files = _by_name(self.photos, self.out)
        check_not_read((self._picture(name) for name in files.values()), files)
        self._check_replaced(files.values())
        models = [detection.load_detector(path) for path in self.model]
        detector = detection.Detector(models, detection.Options(self.refine, self.scales, self.flip, self.tiles))
        self._check_labels(detector.classes)
        thresholds = self._thresholds(detector)
        answers: list[dict[str, Any]] = []
        start = shown = kept = time.perf_counter()
        rest = PATIENCE
        decoded = ((path, detection.decode_upright(photo)) for path, photo in decoding.readable_photos(files))
        for paths, images in _together(decoded, detection.TOGETHER):
            detected = detector.detect_together(images, paths)
            if not answers:
                self._begin(detector.classes)
            for path, image, detections in zip(paths, images, detected, strict=True):
                counting = detections.select(detections.scores >= thresholds[detections.classes])
                answers.append(self._written(files[path], path, image, counting, detector.classes))
                summary = ", ".join(f"{one['class']} {one['score']:.2f}" for one in answers[-1]["objects"]) or "nothing"
                print(f"{path}: {summary}", flush=True)
            now, done = time.perf_counter(), len(answers)
            if now - kept >= rest:
                self._write(answers)
                kept = time.perf_counter()
                rest = max(PATIENCE, REST * (kept - now))
            if now - shown >= PATIENCE:
                shown, left = now, duration((now - start) / done * (len(files) - done))
                print(f"{done:,} of {len(files):,} photos, {left} left", file=sys.stderr, flush=True)
        if not answers:
            raise InputError(
                f"None of the {len(files):,} files is a photo that decodes: give JPEG, PNG or other photos."
            )
        names = self._write(answers)
        print(f"{' and '.join(['pictures', *names])} in {self.out}")

    def _check_replaced(self, names: Iterable[str]) -> None:
        """Raise :class:`InputError` if a drawing, labels or a list of boxes would replace a file of something else."""
        if "json" in self.formats:
            check_replaceable(self.out / JSON, *ANSWERS_BEGIN)
        if "csv" in self.formats:
            check_replaceable(self.out / CSV, ",".join(COLUMNS))
        for name in names:
            check_written(self._picture(name), *self._first_files())
            if "yolo" in self.formats:  # a folder of labels made by hand has a list of classes too
                check_written(self._labels(name), self._picture(name))
                _check_unchanged(self._labels(name), self._picture(name))

    def _first_files(self) -> list[Path]:
        """The files of which one at least is in --out before the first drawing."""
        return [self.out / name for name in (JSON, CSV, CLASSES)]

    def _begin(self, classes: tuple[str, ...]) -> None:
        """Write what tells that this program writes into --out; YOLO's numbers mean nothing without the classes."""
        self.out.mkdir(parents=True, exist_ok=True)
        if "yolo" in self.formats and not (self.out / CLASSES).exists():
            write_text(self.out / CLASSES, _listed(classes))
        if not any(file.exists() for file in self._first_files()):
            self._write([])

    def _check_labels(self, classes: tuple[str, ...]) -> None:
        """Raise :class:`InputError` if --out has labels whose class numbers mean other classes."""
        file = self.out / CLASSES
        if "yolo" in self.formats and file.exists() and read_text(file) != _listed(classes):
            raise InputError(f"{file} has other classes, by which labels/ beside it is numbered: give a new --out.")

    def _thresholds(self, detector: "Detector") -> np.ndarray:
        """The least score of each class, which is said."""
        stored = detector.thresholds
        if self.score is None and stored is not None:
            values = [f"{name} {value:.2f}" for name, value in zip(detector.classes, stored, strict=True)]
            shown = ", ".join(values) if len(values) <= SHOWN else f"{stored.min():.2f} to {stored.max():.2f}"
            print(f"least scores by class, chosen on the validation photos of the run: {shown}")
            return stored
        return np.full(len(detector.classes), USUAL_SCORE if self.score is None else self.score)

    def _picture(self, name: str) -> Path:
        return self.out / f"{name}.png"

    def _labels(self, name: str) -> Path:
        return self.out / "labels" / f"{name}.txt"

    def _written(
        self, name: str, path: Path, image: np.ndarray, detections: "Detections", classes: tuple[str, ...]
    ) -> dict[str, Any]:
        """Write a photo with its boxes as ``name``; returns the boxes as plain values."""
        from keras_resnet import detection

        picture = Image.fromarray(detection.draw_detections(image, detections, classes, 0.0))
        target = self._picture(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, lambda part: picture.save(part, format="PNG"))
        height, width = image.shape[:2]
        objects = _objects(detections, classes)
        if "yolo" in self.formats:
            labels = self._labels(name)
            labels.parent.mkdir(parents=True, exist_ok=True)
            write_text(labels, _yolo_lines(detections, width, height))
        return {"photo": str(path), "width": width, "height": height, "objects": objects}

    def _write(self, answers: list[dict[str, Any]]) -> list[str]:
        """Write the boxes of all photos, but for the labels; returns the names of the files."""
        names = []
        if "json" in self.formats:
            write_json(self.out / JSON, answers)
            names.append(JSON)
        if "csv" in self.formats:
            rows = [row for answer in answers for row in _csv_rows(answer, self.out)]
            write_whole(self.out / CSV, lambda part: write_csv(part, [COLUMNS, *rows]))
            names.append(CSV)
        if "yolo" in self.formats:
            names.append("labels/ with classes.txt")
        return names


def _check_unchanged(labels: Path, picture: Path) -> None:
    """Raise :class:`InputError` if labels and their picture, which are written together, are of different times."""
    if labels.exists() and abs(labels.stat().st_mtime - picture.stat().st_mtime) > APART:
        raise InputError(
            f"{labels} may have been changed by hand, since {picture} is of another time: choose another --out."
        )


def _by_name(places: tuple[Path, ...], out: Path) -> dict[Path, str]:
    """All photos, each with the name that its results get: its path below its folder, without the suffix.

    Where ``out`` is below one of the folders, what is in it is left out: these are drawings of earlier photos.
    """
    below = [place for place in places if place.absolute() in out.absolute().parents]
    files = {
        file: str((file.relative_to(place) if file != place else Path(file.name)).with_suffix(""))
        for place in places
        for file in photos_at(place)
        if place not in below or not file.absolute().is_relative_to(out.absolute())
    }
    names = list(files.values())
    if not files:
        raise InputError("Give at least one photo, or a folder of photos: detect.py PHOTO ... --model MODEL.")
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise InputError(f"Several photos are called {name}: detect in them one by one.")
    return files


def _together(decoded: Iterable[tuple[Path, np.ndarray]], most: int) -> Iterator[tuple[list[Path], np.ndarray]]:
    """Successive photos of equal size, at most so many, with their paths."""
    for _, group in itertools.groupby(decoded, key=lambda pair: pair[1].shape):
        while batch := list(itertools.islice(group, most)):
            paths, images = zip(*batch, strict=True)
            yield list(paths), np.stack(images)


def _objects(detections: "Detections", classes: tuple[str, ...]) -> list[dict[str, Any]]:
    """The class, score and box of each detection; boxes are ``x1, y1, x2, y2`` in pixels."""
    return [
        {"class": classes[number], "score": round(float(score), 4), "box": [round(float(n), 1) for n in box]}
        for box, number, score in detections
    ]


def _listed(classes: tuple[str, ...]) -> str:
    """The content of YOLO's list of classes, in the order of their numbers."""
    return "".join(f"{name}\n" for name in classes)


def _yolo_lines(detections: "Detections", width: int, height: int) -> str:
    """A line for each box: its class number, and centre and sides as shares of the picture's sides."""
    corners = detections.boxes / [width, height, width, height]
    values = np.concatenate([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], axis=1)
    rows = zip(detections.classes, values, strict=True)
    return "".join(f"{number} {' '.join(f'{value:.6f}' for value in row)}\n" for number, row in rows)


def _csv_rows(answer: dict[str, Any], folder: Path) -> list[tuple[Any, ...]]:
    """The lines of a photo by ``COLUMNS``; its path is relative to the folder of the file."""
    path = os.path.relpath(answer["photo"], folder)
    objects = answer["objects"] or [{"class": "", "box": [""] * 4, "score": ""}]
    return [(path, one["class"], *one["box"], one["score"], answer["width"], answer["height"]) for one in objects]


if __name__ == "__main__":
    run_tool(Detect, __doc__)
