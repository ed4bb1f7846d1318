"""Name what is in photos, and draw the box of each answer.

    python tools/localize.py dog.jpg cat.png --classifier best.keras --rpn runs/RUN/rpn/last.keras
    python tools/localize.py photos/*.jpg --classifier ... --rpn ... --rcnn runs/RUN/rcnn/last.keras --dense

Writes each photo with the boxes of the classifier's five most probable classes, and localization.json with all of them,
into a folder. Several networks of a kind are an ensemble. Photos are turned as their EXIF orientation says, as a viewer
shows them, and boxes are in pixels of the turned picture.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from PIL import Image
from tyro.conf import Positional

from keras_resnet.bounds import Between
from keras_resnet.command_line import Folder, run_tool
from keras_resnet.errors import InputError
from keras_resnet.files import write_whole
from keras_resnet.localization.defaults import PROPOSALS


@dataclass(frozen=True)
class Localize:
    """Which photos, by which networks."""

    photos: Positional[tuple[Path, ...]]
    """JPEG or PNG files."""
    classifier: tuple[str, ...]
    """Trained networks, NAME:WEIGHTS or files, as tools/classify.py takes them."""
    rpn: tuple[Path, ...]
    """RPNs of the same classes, rpn/last.keras of recipes/localization.py."""
    rcnn: tuple[Path, ...] = ()
    """R-CNNs of the same classes, rcnn/last.keras, which move and score the RPN's boxes again."""
    dense: bool = False
    """Look at whole photos at five scales and at their mirror images, instead of their center."""
    proposals: Annotated[int, Between(1, 2_000)] = PROPOSALS
    """Boxes of each class that are merged into one, and scored again by the R-CNN."""
    out: Folder = Path("localization")
    """The folder to write into."""

    def run(self) -> None:
        from keras_resnet import localization
        from keras_resnet.detection import drawn
        from keras_resnet.loading import load_model

        if not self.photos:
            raise InputError("Give one photo or more: localize.py PHOTO ... --classifier MODEL --rpn MODEL.")
        names = [path.stem for path in self.photos]
        if len(set(names)) < len(names):
            raise InputError(f"Several photos are called {max(names, key=names.count)}: give them one after the other.")
        rpns = [localization.load_localizer(path, localization.LocalizationRPN) for path in self.rpn]
        rcnns = [localization.load_localizer(path, localization.LocalizationRCNN) for path in self.rcnn]
        networks = localization.Networks(rpns, rcnns, [load_model(model) for model in self.classifier])
        data = localization.photo_files(self.photos, networks.class_names)
        localizer = localization.Localizer(
            rpns, rcnns, localization.DENSE if self.dense else localization.CENTER, self.proposals
        )
        self.out.mkdir(parents=True, exist_ok=True)
        lines = []
        for photo, image, found, probabilities in localization.answers(networks.classifiers, localizer, data):
            picture = Image.fromarray(drawn(image, found, data.classes, least=0.0))
            write_whole(self.out / f"{photo.id}.png", lambda part, picture=picture: picture.save(part, format="PNG"))
            pairs = zip(found.classes, probabilities, found.scores, found.boxes, strict=True)
            listed = [
                {
                    "class": data.classes[number],
                    "probability": round(float(probability), 4),
                    "score": round(float(score), 4),
                    "box": [round(float(n), 1) for n in box],
                }
                for number, probability, score, box in pairs
            ]
            lines.append({"photo": str(photo.file), "answers": listed})
            print(f"{photo.file}: {', '.join(f'{e["class"]} {e["probability"]:.2f}' for e in listed)}")
        text = json.dumps(lines, indent=1)
        write_whole(self.out / "localization.json", lambda part: part.write_text(text))
        print(f"pictures and localization.json in {self.out}")


if __name__ == "__main__":
    run_tool(Localize, __doc__)
