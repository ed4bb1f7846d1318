"""Find objects in photos.

    python tools/detect.py street.jpg cat.png --model best.keras
    python tools/detect.py photos/*.jpg --model A.keras B.keras --refine --out found

Writes each photo with its boxes, and detections.json with all of them, into a folder. Several models are an ensemble.
Photos are turned as their EXIF orientation says, as a viewer shows them, and boxes are in pixels of the turned picture.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from PIL import Image
from tyro.conf import Positional

from keras_resnet.bounds import Between, Pixels
from keras_resnet.command_line import Folder, run_tool
from keras_resnet.errors import InputError
from keras_resnet.files import write_whole


@dataclass(frozen=True)
class Detect:
    """Which photos, by which detectors."""

    photos: Positional[tuple[Path, ...]]
    """JPEG or PNG files."""
    model: tuple[Path, ...]
    """Detectors, .keras files of recipes/coco.py or voc.py."""
    out: Folder = Path("detections")
    """The folder to write into."""
    score: Annotated[float, Between(0, 1)] = 0.5
    """The least score of a box, from 0 to 1."""
    refine: bool = False
    """Box refinement (Table 9)."""
    flip: bool = False
    """Look at mirror images too."""
    scales: tuple[Pixels, ...] = ()
    """Shorter sides of multi-scale testing, in pixels, such as 200 400 600 800 1000."""

    def run(self) -> None:
        from keras_resnet import detection
        from keras_resnet.data import augment

        if not self.photos:
            raise InputError("Give one photo or more: detect.py PHOTO ... --model MODEL.")
        names = [path.stem for path in self.photos]
        if len(set(names)) < len(names):
            raise InputError(f"Several photos are called {max(names, key=names.count)}: give them one after the other.")
        models = [detection.load_detector(path) for path in self.model]
        detector = detection.Detector(models, detection.Options(self.refine, self.scales, self.flip))
        encoded = {path: augment.read_photo(path) for path in self.photos}  # all of them, before anything is written
        self.out.mkdir(parents=True, exist_ok=True)
        answers = []
        for path, photo in encoded.items():
            image = detection.viewed(photo)
            found = detector(image, path)
            picture = Image.fromarray(detection.drawn(image, found, detector.classes, self.score))
            write_whole(self.out / f"{path.stem}.png", lambda part, picture=picture: picture.save(part, format="PNG"))
            answers.append({"photo": str(path), "objects": _listed(found, detector.classes, self.score)})
            listed = ", ".join(f"{each['class']} {each['score']:.2f}" for each in answers[-1]["objects"]) or "nothing"
            print(f"{path}: {listed}")
        text = json.dumps(answers, indent=1)
        write_whole(self.out / "detections.json", lambda part: part.write_text(text))
        print(f"pictures and detections.json in {self.out}")


def _listed(found, classes, least: float) -> list[dict]:
    """Class, score and ``x1, y1, x2, y2`` in pixels of each box."""
    return [
        {"class": classes[number], "score": round(float(score), 4), "box": [round(float(n), 1) for n in box]}
        for box, number, score in zip(found.boxes, found.classes, found.scores, strict=True)
        if score >= least
    ]


if __name__ == "__main__":
    run_tool(Detect, __doc__)
