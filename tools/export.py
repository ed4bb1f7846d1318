"""Export a model for other runtimes, run every file, and compare it with the model on real photos.

    python tools/export.py --model runs/.../best.keras --data DIR --out exported

This writes saved_model/ (bytes of a JPEG or PNG file to the five best classes), model.tflite, model-int8.tflite
(calibrated on 100 training photos) and model.onnx. On the validation photos, float files must give the model's logits
to 1e-4 of their spread, and the int8 file must agree with the model's first choice on 95 % of at least 20 photos.
Otherwise nothing is kept and the tool fails.
"""

import itertools
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

import keras_resnet
from keras_resnet import data, deployment, evaluation
from keras_resnet.bounds import Count
from keras_resnet.command_line import Folder, JsonFile, ModelName, run_tool
from keras_resnet.data.dividing import BY_SHARE, Division
from keras_resnet.errors import InputError
from keras_resnet.tables import Table, write_tables

FLOAT_DIFFERENCE = 1e-4  # of the logits' spread
AGREEMENT, MIN_PHOTOS = 0.95, 20  # with fewer photos, a single difference would be more than 5 %
SERVED = 32  # encoded photos
TIMED = 16  # images
FILES = {
    "saved-model": ("saved_model", deployment.run_saved_model),
    "litert": ("model.tflite", deployment.run_litert),
    "litert-int8": ("model-int8.tflite", deployment.run_litert),
    "onnx": ("model.onnx", deployment.run_onnx),
}


@dataclass(frozen=True)
class Export:
    """The model, the photos for calibration and comparison, and the files to write."""

    model: ModelName
    """NAME:WEIGHTS, a .keras file, or another weight file."""
    data: str
    """Calibration and comparison: class folders, a CSV file of photos, shards, a TFDS data set, or demo."""
    out: Folder
    """The folder to write."""
    data_dir: Path | None = None
    """The folder of prepared TFDS data sets."""
    division: Division = BY_SHARE
    """How photos without a split are divided: as the model's own run divided them."""
    formats: tuple[Literal["saved-model", "litert", "litert-int8", "onnx"], ...] = tuple(FILES)
    """The files to write."""
    photos: Count = 200
    """How many validation photos to compare on, at least 20 for int8; all if there are fewer."""
    json: JsonFile | None = None
    """A file for the table as data, with the command, versions and hardware."""

    def run(self) -> None:
        if self.out.exists():
            raise InputError(f"{self.out} exists already: choose another --out, or remove it.")
        loaded = keras_resnet.load_model(self.model)
        model = deployment.in_float32(loaded)
        if model is not loaded:
            print(f"{model.name} has mixed precision: it is exported and compared in float32")
        dataset = data.open_data(self.data, self.data_dir, self.division)
        validation = dataset.validation
        evaluation.check_model(model, dataset)
        if "litert-int8" in self.formats and min(self.photos, len(validation)) < MIN_PHOTOS:
            raise InputError(
                f"--photos {self.photos} of the {len(validation)} validation photos of {dataset.name} are too few to "
                f"compare int8: give {MIN_PHOTOS} or more, or leave litert-int8 out of --formats."
            )
        calibration = _photos(model, dataset.train, deployment.CALIBRATION)
        photos = _photos(model, validation, self.photos)
        logits = evaluation.with_activation(model, None)
        expected, speed = _measured(lambda images: logits(model.preprocessing(images)).numpy(), photos)
        evaluation.check_finite(
            model.name, expected, map(validation.photo, data.evenly_spaced(len(validation), self.photos))
        )
        self.out.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix="part-", dir=self.out.parent))
        try:
            self._write(model, part, calibration)
            rows, problems = self._compare(part, photos, expected)
            if "saved-model" in self.formats:
                problems += _served_problems(model, part / FILES["saved-model"][0], validation)
            parameters = sum(value.nbytes for value in model.get_weights())
            fewer = f", fewer than --photos {self.photos}" if len(photos) < self.photos else ""
            print(f"{model.name} on {len(photos)} photos of {dataset.name}, {validation.name}{fewer}\n")
            columns = ("megabytes", "images/s", "largest difference / spread", "same first choice")
            table = Table("files", ("file", *columns))
            table.print_header()
            table.add("Keras model", f"{parameters / 1e6:.1f}", _rate(speed), "", "")
            for row in rows:
                compared = f"{row['difference']:.1e}", f"{row['same_first_choice']:.1%}"
                table.add(row["file"], f"{row['megabytes']:.1f}", _rate(row["images_per_second"]), *compared)
            if problems:
                raise InputError(f"{'; '.join(problems)}: nothing was kept.")
            part.chmod(0o755)  # mkdtemp makes it private
            part.rename(self.out)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        about = {"model": model.name, "data": dataset.name, "split": validation.name, "photos": len(photos)}
        keras_row = {"file": "Keras model", "megabytes": parameters / 1e6, "images_per_second": speed}
        write_tables(self.json, [table], **about, files=[keras_row, *rows])
        print(f"\nwritten to {self.out}")

    def _write(self, model, folder, calibration) -> None:
        saved_model = folder / FILES["saved-model"][0]
        deployment.save_saved_model(model, saved_model)
        if "litert" in self.formats:
            deployment.save_litert(saved_model, folder / FILES["litert"][0])
        if "litert-int8" in self.formats:
            deployment.save_litert(saved_model, folder / FILES["litert-int8"][0], calibration)
        if "onnx" in self.formats:
            deployment.save_onnx(model, folder / FILES["onnx"][0])

    def _compare(self, folder, photos, expected) -> tuple[list[dict], list[str]]:
        """The rows of the table, and the problems."""
        rows, problems = [], []
        for format_, (name, runner) in FILES.items():
            path = folder / name
            if format_ not in self.formats:
                shutil.rmtree(path, ignore_errors=True)
                continue
            scores, speed = _measured(runner(path), photos)
            difference = float(np.abs(scores - expected).max() / np.ptp(expected))
            same = float((scores.argmax(axis=1) == expected.argmax(axis=1)).mean())
            if not np.isfinite(scores).all():
                problems.append(f"{name} gives scores that are not finite")
            elif format_ == "litert-int8":
                if same < AGREEMENT:
                    problems.append(f"{name} agrees on {same:.1%} of the photos, less than {AGREEMENT:.0%}")
            elif not difference <= FLOAT_DIFFERENCE:
                problems.append(f"{name} differs by {difference:.1e} of the spread, more than {FLOAT_DIFFERENCE:.0e}")
            files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
            megabytes = sum(file.stat().st_size for file in files) / 1e6
            row = {"file": name, "megabytes": megabytes, "images_per_second": speed}
            rows.append(row | {"difference": difference, "same_first_choice": same})
        return rows, problems


def _served_problems(model, saved_model, split) -> list[str]:
    """The problems of the answers to encoded photos, which include decoding, center view and softmax."""
    from keras_resnet.data.plain_decoding import is_decodable

    photos = (split.read(position)[0].numpy() for position in range(len(split)))
    encoded = list(itertools.islice(filter(is_decodable, photos), SERVED))
    if not encoded:
        print(f"{split.name} has no JPEG or PNG photo, so that the answers to encoded photos were not compared")
        return []
    size, crop = evaluation.input_size(model), model.preprocessing.crop
    views = np.stack([data.augment.center_view(photo, size, crop).numpy() for photo in encoded])
    expected = evaluation.with_activation(model, "softmax")(model.preprocessing(views)).numpy()
    classes, scores = deployment.run_served(saved_model)(encoded)
    difference = float(np.abs(np.take_along_axis(expected, classes, axis=1) - scores).max())
    first = np.isclose(scores[:, 0], expected.max(axis=1), atol=FLOAT_DIFFERENCE).all()
    if first and difference <= FLOAT_DIFFERENCE:
        return []
    return [f"saved_model differs by {difference:.1e} in its probabilities for encoded photos"]


def _photos(model, split, count) -> np.ndarray:
    """Center views of ``count`` photos spread over the split, uint8 ``[count, size, size, 3]``."""
    import tensorflow as tf

    from keras_resnet.data.parallel import parallel_map

    size, crop = evaluation.input_size(model), model.preprocessing.crop

    def load(position):
        view = data.augment.center_view(split.read(position)[0], size, crop)
        return tf.cast(tf.round(tf.clip_by_value(view, 0, 255)), tf.uint8)

    dataset = parallel_map(tf.data.Dataset.from_tensor_slices(data.evenly_spaced(len(split), count)), load)
    return np.stack(list(dataset.as_numpy_iterator()))


def _rate(speed: float | None) -> str:
    return "" if speed is None else f"{speed:.1f}"


def _measured(function, photos) -> tuple[np.ndarray, float | None]:
    """The logits of all photos in batches, and the median images/s of full batches; None if there is no full batch."""
    results, seconds = [], []
    for first in range(0, len(photos), TIMED):
        batch = photos[first : first + TIMED]
        start = time.perf_counter()
        results.append(function(batch))
        if len(batch) == TIMED:
            seconds.append(time.perf_counter() - start)
    return np.concatenate(results), TIMED / float(np.median(seconds)) if seconds else None


if __name__ == "__main__":
    run_tool(Export, __doc__)
