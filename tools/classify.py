"""The five most probable classes of each photo.

python tools/classify.py cat.jpg dog.png --model ResNet50:imagenet
python tools/classify.py photos/ --model best.keras --draw answers.png --csv answers.csv
python tools/classify.py photos/ --model best.keras --explain why.png

A folder stands for the photos in it and below. A file that does not decode is reported and left
out.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from PIL import Image
from tyro.conf import Positional

import keras_resnet
from keras_resnet import analysis, drawing, evaluation
from keras_resnet.backends import inference
from keras_resnet.bounds import Count
from keras_resnet.command_line import JsonFile, ModelName, Output, PngFile, run_tool
from keras_resnet.data.gathering import photos_at
from keras_resnet.errors import InputError
from keras_resnet.files import check_not_read, write_json, write_whole
from keras_resnet.tables import write_csv

if TYPE_CHECKING:
    import keras

IMAGENET_CLASSES = 1000
BATCH = 32  # photos
MAX_DRAWN, DRAWN_SIDE = 100, 300  # photos in the picture, and pixels of a photo's longer side


@dataclass(frozen=True)
class Classify:
    """The photos, the model, and the files to write."""

    photos: Positional[tuple[Path, ...]]
    """Photos, or folders of them."""
    model: ModelName
    """NAME:WEIGHTS (a file, or imagenet), a .keras file, or another weight file."""
    top: Count = 5
    """How many classes to name, at most all."""
    draw: PngFile | None = None
    """A PNG file for a picture of the first 100 photos under their classes."""
    explain: PngFile | None = None
    """A PNG file for a picture of the first 100 photos, as the model saw them, each beside its class activation map."""
    explain_at: str | None = None
    """The block, such as conv4_block2, whose feature map --explain uses by gradients (Grad-CAM); default: the last
    feature map, which the classifier itself averages, so that the picture is exact (CAM)."""
    json: JsonFile | None = None
    """A file for the answers: a list of photos, each with its classes and their probabilities."""
    csv: Annotated[Path, Output(".csv")] | None = None
    """A file for the answers: a line for each photo and class, with its rank and probability."""

    def run(self) -> None:
        from keras_resnet.data import decoding

        files = [file for path in self.photos for file in photos_at(path)]
        if not files:
            raise InputError("Give one or more photos, or folders of photos: classify.py PHOTO ... --model MODEL.")
        check_not_read([path for path in (self.draw, self.explain) if path is not None], files)
        model = self._model()
        answer = self._answerer(model)
        answers, pictures, explained = [], [], []
        for first in range(0, len(files), BATCH):
            photos = dict(decoding.readable_photos(files[first : first + BATCH]))
            for (path, photo), best in zip(photos.items(), answer(photos), strict=True):
                print("\n".join([str(path), *(f"  {score:7.2%}  {name}" for name, score in best)]), flush=True)
                classes = [{"class": name, "probability": score} for name, score in best]
                answers.append({"photo": str(path), "classes": classes})
                if self.draw is not None and len(pictures) < MAX_DRAWN:
                    pictures.append(_picture(photo))
            if self.explain is not None and len(explained) < 2 * MAX_DRAWN:
                explained += self._explained(model, photos)
        if not answers:
            raise InputError(f"None of the {len(files)} files is a photo that decodes: give JPEG, PNG or other photos.")
        self._write(answers, pictures)
        if self.explain is not None:
            names = [
                (Path(answer["photo"]).name, "{class} {probability:.0%}".format(**answer["classes"][0]))
                for answer in answers[:MAX_DRAWN]
            ]
            _draw(self.explain, explained[: 2 * MAX_DRAWN], [title for pair in names for title in pair])

    def _model(self) -> "keras.Model":
        """The model, after checks that it can do what the options ask for."""
        model = keras_resnet.load_model(self.model)
        evaluation.classifier_of(model)  # which refuses a network without a classifier
        if getattr(model, "preprocessing", None) is None:
            raise InputError(
                f"{model.name} does not know its preprocessing: give NAME:WEIGHTS, a network and its file."
            )
        if self.explain is not None:
            self._explained(model, {})
        elif self.explain_at is not None:
            raise InputError("--explain-at is an option of --explain: give --explain FILE.png as well.")
        return model

    def _answerer(self, model: "keras.Model") -> Callable[[dict], list]:
        """A function from photos by path to the most probable classes of each, with their probabilities."""
        from keras_resnet.data import augment

        size = evaluation.input_size(model)
        forward = inference(evaluation.with_activation(model, "softmax"))

        def answer(photos):
            if not photos:
                return []
            views = [augment.center_view(photo, size, model.preprocessing.crop).numpy() for photo in photos.values()]
            probabilities = forward(model.preprocessing(np.stack(views)))
            evaluation.check_finite(model.name, probabilities, list(photos))
            return [self._best(model, scores) for scores in probabilities]

        return answer

    def _explained(self, model, photos: dict) -> list[np.ndarray]:
        """For each photo the view that the model saw, in higher resolution, without and with the map of its answer."""
        from keras_resnet.data import augment

        size, prepare = evaluation.input_size(model), model.preprocessing
        views = [augment.center_view(photo, size, prepare.crop).numpy() for photo in photos.values()]
        images = prepare(np.reshape(views, (-1, size, size, 3)))
        maps = analysis.activation_map(model, images, block=self.explain_at)
        pictures = []
        for photo, values in zip(photos.values(), maps, strict=True):
            seen = augment.center_view(photo, DRAWN_SIDE, prepare.crop).numpy().clip(0, 255).astype(np.uint8)
            pictures += [seen, drawing.heat(seen, values)]
        return pictures

    def _best(self, model, scores) -> list[tuple[str, float]]:
        order = np.argsort(-scores, kind="stable")[: self.top]
        if names := getattr(model, "class_names", None):
            return [(names[i], float(scores[i])) for i in order]
        if len(scores) == IMAGENET_CLASSES:
            (best,) = keras_resnet.decode_predictions(scores[None], len(order))
            return [(f"{name} ({wnid})", float(score)) for wnid, name, score in best]
        return [(f"class {i}", float(scores[i])) for i in order]

    def _write(self, answers: list[dict], pictures: list) -> None:
        if self.json is not None:
            write_json(self.json, answers)
        if self.csv is not None:
            rows = [
                (answer["photo"], rank, best["class"], best["probability"])
                for answer in answers
                for rank, best in enumerate(answer["classes"], start=1)
            ]
            write_whole(self.csv, lambda part: write_csv(part, [("photo", "rank", "class", "probability"), *rows]))
        if self.draw is not None:
            titles = [
                "\n".join(f"{best['class']} {best['probability']:.0%}" for best in answer["classes"])
                for answer in answers[:MAX_DRAWN]
            ]
            _draw(self.draw, pictures, titles)


def _picture(photo: bytes) -> np.ndarray:
    """The whole photo in a small size."""
    from keras_resnet.data import decoding

    picture = Image.fromarray(decoding.decode(photo).numpy())
    picture.thumbnail((DRAWN_SIDE, DRAWN_SIDE))
    return np.asarray(picture)


def _draw(path: Path, pictures: list[np.ndarray], titles: list[str]) -> None:
    grid = drawing.photo_grid(pictures, titles)
    write_whole(path, lambda part: Image.fromarray(grid).save(part, format="PNG"))
    print(f"drawn into {path}", file=sys.stderr)


if __name__ == "__main__":
    run_tool(Classify, __doc__)
