"""Find objects in photos.

    python tools/detect.py street.jpg cat.png --model best.keras
    python tools/detect.py photos/*.jpg --model A.keras B.keras --refine --out found

Writes each photo with its boxes, and detections.json with all boxes, into a folder. Several models form an ensemble.
Photos are turned by their EXIF orientation, as a viewer shows them, and boxes are in pixels of the turned picture.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from PIL import Image
from tyro.conf import Positional

from keras_resnet.bounds import Between, Pixels
from keras_resnet.command_line import Folder, run_tool
from keras_resnet.errors import InputError
from keras_resnet.files import write_whole

if TYPE_CHECKING:
    from keras_resnet.detection import Detections


@dataclass(frozen=True)
class Detect:
    """The photos, the detectors, and how they are tested."""

    photos: Positional[tuple[Path, ...]]
    """Photos."""
    model: tuple[Path, ...]
    """Detectors, .keras files of recipes/coco.py or voc.py."""
    out: Folder = Path("detections")
    """The folder to write into."""
    score: Annotated[float, Between(0, 1)] = 0.5
    """The least score of a box, from 0 to 1."""
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
        from keras_resnet.data import augment

        if not self.photos:
            raise InputError("Give at least one photo: detect.py PHOTO ... --model MODEL.")
        names = [path.stem for path in self.photos]
        if len(set(names)) < len(names):
            raise InputError(f"Several photos are called {max(names, key=names.count)}: detect in them one by one.")
        models = [detection.load_detector(path) for path in self.model]
        detector = detection.Detector(models, detection.Options(self.refine, self.scales, self.flip, self.tiles))
        encoded = {path: augment.read_photo(path) for path in self.photos}  # of all photos, before anything is written
        self.out.mkdir(parents=True, exist_ok=True)
        answers = []
        for path, photo in encoded.items():
            image = detection.decode_upright(photo)
            detections = detector(image, path)
            picture = Image.fromarray(detection.draw_detections(image, detections, detector.classes, self.score))
            write_whole(self.out / f"{path.stem}.png", lambda part, picture=picture: picture.save(part, format="PNG"))
            objects = _objects(detections.select(detections.scores >= self.score), detector.classes)
            answers.append({"photo": str(path), "objects": objects})
            summary = ", ".join(f"{one['class']} {one['score']:.2f}" for one in objects) or "nothing"
            print(f"{path}: {summary}")
        text = json.dumps(answers, indent=1)
        write_whole(self.out / "detections.json", lambda part: part.write_text(text))
        print(f"pictures and detections.json in {self.out}")


def _objects(detections: "Detections", classes: tuple[str, ...]) -> list[dict]:
    """The class, score and box of each detection; boxes are ``x1, y1, x2, y2`` in pixels."""
    return [
        {"class": classes[number], "score": round(float(score), 4), "box": [round(float(n), 1) for n in box]}
        for box, number, score in detections
    ]


if __name__ == "__main__":
    run_tool(Detect, __doc__)
