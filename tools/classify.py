"""The five best classes of photos.

python tools/classify.py cat.jpg dog.png --model ResNet50:imagenet
python tools/classify.py photos/*.jpg --model best.keras --draw answer.png
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from PIL import Image
from tyro.conf import Positional

import keras_resnet
from keras_resnet import evaluation, plots
from keras_resnet.command_line import run_tool
from keras_resnet.errors import InputError
from keras_resnet.files import write_whole

IMAGENET_CLASSES = 1000


@dataclass(frozen=True)
class Classify:
    """Which photos, by which model."""

    photos: Positional[tuple[Path, ...]]
    """JPEG or PNG files."""
    model: str
    """NAME:WEIGHTS (a file, or imagenet), a .keras file, or another weight file."""
    top: int = 5
    """How many classes to name."""
    draw: Path | None = None
    """A PNG file to draw the photos into, with their classes."""

    def run(self) -> None:
        from keras_resnet.data import augment

        if not self.photos:
            raise InputError("Give one photo or more: classify.py PHOTO ... --model MODEL.")
        if self.draw is not None and self.draw.suffix != ".png":
            raise InputError(f"--draw {self.draw} must be a .png file.")
        model = keras_resnet.load_model(self.model)
        size = evaluation.input_size(model)
        classes = evaluation.classifier_of(model).units
        if not 1 <= self.top <= classes:
            raise InputError(f"--top {self.top} must be from 1 to the model's {classes} classes.")
        encoded = {path: augment.read_photo(path) for path in self.photos}  # all of them, before any answer
        if getattr(model, "preprocessing", None) is None:
            raise InputError(
                f"{model.name} does not know its preprocessing: give NAME:WEIGHTS, a network and its file."
            )
        views = [augment.center_view(photo, size, model.preprocessing.crop).numpy() for photo in encoded.values()]
        probabilities = evaluation.with_activation(model, "softmax")(model.preprocessing(np.stack(views))).numpy()
        evaluation.check_finite(model.name, probabilities, self.photos)
        best = [self._best(model, scores) for scores in probabilities]
        for path, found in zip(self.photos, best, strict=True):
            print(path)
            for name, score in found:
                print(f"  {score:7.2%}  {name}")
        if self.draw is not None:
            titles = ["\n".join(f"{name} {score:.0%}" for name, score in found) for found in best]
            shown = np.clip(np.round(np.stack(views)), 0, 255).astype(np.uint8)
            grid = plots.photo_grid(shown, titles)
            write_whole(self.draw, lambda part: Image.fromarray(grid).save(part, format="PNG"))
            print(f"drawn into {self.draw}", file=sys.stderr)

    def _best(self, model, scores) -> list[tuple[str, float]]:
        order = np.argsort(-scores, kind="stable")[: self.top]
        if names := getattr(model, "class_names", None):
            return [(names[i], float(scores[i])) for i in order]
        if len(scores) == IMAGENET_CLASSES:
            (found,) = keras_resnet.decode_predictions(scores[None], self.top)
            return [(f"{name} ({wnid})", float(score)) for wnid, name, score in found]
        return [(f"class {i}", float(scores[i])) for i in order]


if __name__ == "__main__":
    run_tool(Classify, __doc__)
