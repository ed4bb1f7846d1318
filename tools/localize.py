"""Name what is in photos, and draw the box of each answer.

    python tools/localize.py dog.jpg cat.png --classifier best.keras --rpn runs/RUN/rpn/last.keras
    python tools/localize.py photos/*.jpg --classifier ... --rpn ... --rcnn runs/RUN/rcnn/last.keras --dense

Writes each photo with the boxes of the classifier's five most probable classes, and localization.json with all of them,
into a folder. Several networks of a kind are an ensemble. Photos are turned as their EXIF orientation says, as a viewer
shows them, and boxes are in pixels of the turned picture.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from PIL import Image
from tyro.conf import Positional

from keras_resnet.bounds import Between
from keras_resnet.command_line import Folder, ModelFile, ModelName, run_tool
from keras_resnet.errors import InputError
from keras_resnet.files import ANSWERS_BEGIN, check_not_read, check_replaceable, check_written, write_json, write_whole
from keras_resnet.localization.defaults import PROPOSALS

ANSWERS = "localization.json"


@dataclass(frozen=True)
class Localize:
    """Which photos, by which networks."""

    photos: Positional[tuple[Path, ...]]
    """JPEG or PNG files."""
    classifier: tuple[ModelName, ...]
    """Trained networks, NAME:WEIGHTS or files, as tools/classify.py takes them."""
    rpn: tuple[ModelFile, ...]
    """RPNs of the same classes, rpn/last.keras of recipes/localization.py."""
    rcnn: tuple[ModelFile, ...] = ()
    """R-CNNs of the same classes, rcnn/last.keras, which move and score the RPN's boxes again."""
    dense: bool = False
    """Look at whole photos at five scales and at their mirror images, instead of their center."""
    proposals: Annotated[int, Between(1, 2_000)] = PROPOSALS
    """Boxes of each class that are merged into one, and scored again by the R-CNN."""
    out: Folder = Path("localization")
    """The folder to write into."""

    def run(self) -> None:
        from keras_resnet import detection, localization
        from keras_resnet.data import decoding
        from keras_resnet.evaluation import View
        from keras_resnet.loading import load_model

        if not self.photos:
            raise InputError("Give one photo or more: localize.py PHOTO ... --classifier MODEL --rpn MODEL.")
        names = [path.stem for path in self.photos]
        if len(set(names)) < len(names):
            raise InputError(f"Several photos are called {max(names, key=names.count)}: give them one after the other.")
        pictures = [self.out / f"{name}.png" for name in names]
        check_not_read(pictures, self.photos)
        check_replaceable(self.out / ANSWERS, *ANSWERS_BEGIN)
        for picture in pictures:
            check_written(picture, self.out / ANSWERS)
        rpns = [localization.load_localizer(path, localization.LocalizationRPN) for path in self.rpn]
        rcnns = [localization.load_localizer(path, localization.LocalizationRCNN) for path in self.rcnn]
        classifiers = [load_model(model) for model in self.classifier]
        view = View("multi-scale", flips=True) if self.dense else View()
        localizer = localization.Localizer(rpns, rcnns, view, self.proposals)
        for path in self.photos:
            decoding.read_photo(path)  # refuses, before anything is written
        data = localization.photo_data(self.photos, localizer.class_names)
        probable = localization.probabilities(classifiers, data)
        self.out.mkdir(parents=True, exist_ok=True)
        answers = []
        if not (self.out / ANSWERS).exists():  # it tells whose the drawings are
            self._write(answers)
        for (photo, image), scores in zip(detection.read_photos(data), probable, strict=True):
            detections = localizer(image, localization.top_classes(scores[None])[0], photo.file)
            drawn = Image.fromarray(detection.draw_detections(image, detections, data.classes, min_score=0.0))
            write_whole(self.out / f"{photo.id}.png", lambda part, drawn=drawn: drawn.save(part, format="PNG"))
            answers.append({"photo": str(photo.file), "answers": _listed(detections, scores, data.classes)})
            listed = ", ".join(f"{answer['class']} {answer['probability']:.2f}" for answer in answers[-1]["answers"])
            print(f"{photo.file}: {listed}")
        self._write(answers)
        print(f"pictures and {ANSWERS} in {self.out}")

    def _write(self, answers: list[dict]) -> None:
        write_json(self.out / ANSWERS, answers)


def _listed(detections, probable, classes) -> list[dict]:
    """Class, its probability, and score and ``x1, y1, x2, y2`` in pixels of its box, an answer each."""
    return [
        {
            "class": classes[number],
            "probability": round(float(probable[number]), 4),
            "score": round(float(score), 4),
            "box": [round(float(n), 1) for n in box],
        }
        for box, number, score in detections
    ]


if __name__ == "__main__":
    run_tool(Localize, __doc__)
