"""Export a model for other runtimes, run every file, and compare it with the model on real photos.

    python tools/export.py --model runs/.../best.keras --data DIR --out exported

writes saved_model/ (JPEG bytes to the five best classes), model.tflite, model-int8.tflite (calibrated on 100 training
photos) and model.onnx. Float files must give the model's logits to 1e-4 of their spread on the validation photos; the
int8 file must agree with its first choice on 95 % of at least 20. Otherwise nothing is kept and the tool fails.
"""

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
from keras_resnet.command_line import Folder, JsonFile, run_tool
from keras_resnet.errors import InputError
from keras_resnet.tables import Table, write_tables

FLOAT_DIFFERENCE = 1e-4  # of the logits' spread
AGREEMENT, FEWEST_PHOTOS = 0.95, 20  # of fewer, one that differs would be more than the 5 % that may
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
    """What to export, and the photos to compare on."""

    model: str
    """NAME:WEIGHTS, a .keras file, or another weight file."""
    data: str
    """Calibration and comparison: a folder with train/<class>/* and val/<class>/*, shards, a TFDS data set, or demo."""
    out: Folder
    """The folder to write."""
    data_dir: Path | None = None
    """Where TFDS data sets are prepared."""
    formats: tuple[Literal["saved-model", "litert", "litert-int8", "onnx"], ...] = tuple(FILES)
    """Which files."""
    photos: Count = 200
    """Validation photos to compare on, or all where there are fewer; for int8 20 or more."""
    json: JsonFile | None = None
    """A file to write the table into as data, with the command, versions and hardware."""

    def run(self) -> None:
        if self.out.exists():
            raise InputError(f"{self.out} is there already: choose another --out, or remove it.")
        loaded = keras_resnet.load_model(self.model)
        model = deployment.in_float32(loaded)
        if model is not loaded:
            print(f"{model.name} is of mixed precision: it is exported, and compared, in float32")
        found = data.open_data(self.data, self.data_dir)
        evaluation.check_model(model, found)
        if "litert-int8" in self.formats and min(self.photos, len(found.validation)) < FEWEST_PHOTOS:
            raise InputError(
                f"--photos {self.photos} of the {len(found.validation)} validation photos of {found.name} are too few "
                f"to judge int8: give {FEWEST_PHOTOS} or more, or leave litert-int8 out of --formats."
            )
        calibration = _photos(model, found.train, deployment.CALIBRATION)
        photos = _photos(model, found.validation, self.photos)
        logits = evaluation.with_activation(model, None)
        expected, speed = _measured(lambda images: logits(model.preprocessing(images)).numpy(), photos)
        evaluation.check_finite(
            model.name, expected, map(found.validation.photo, _spread(found.validation, self.photos))
        )
        self.out.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix="part-", dir=self.out.parent))
        try:
            self._write(model, part, calibration)
            rows, problems = self._compare(part, photos, expected)
            if "saved-model" in self.formats:
                problems += _served_problems(model, part / FILES["saved-model"][0], found.validation)
            parameters = sum(value.nbytes for value in model.get_weights())
            fewer = f", all there are of the {self.photos} asked for" if len(photos) < self.photos else ""
            print(f"{model.name} on {len(photos)} photos of {found.name}, {found.validation.name}{fewer}\n")
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
        what = {"model": model.name, "data": found.name, "split": found.validation.name, "photos": len(photos)}
        keras_row = {"file": "Keras model", "megabytes": parameters / 1e6, "images_per_second": speed}
        write_tables(self.json, [table], **what, files=[keras_row, *rows])
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
        """Rows of the table, and what is wrong."""
        rows, problems = [], []
        for kind, (name, runner) in FILES.items():
            path = folder / name
            if kind not in self.formats:
                shutil.rmtree(path, ignore_errors=True)
                continue
            scores, speed = _measured(runner(path), photos)
            difference = float(np.abs(scores - expected).max() / np.ptp(expected))
            same = float((scores.argmax(axis=1) == expected.argmax(axis=1)).mean())
            if not np.isfinite(scores).all():
                problems.append(f"{name} gives scores that are not finite")
            elif kind == "litert-int8":
                if same < AGREEMENT:
                    problems.append(f"{name} agrees on {same:.1%} of the photos, less than {AGREEMENT:.0%}")
            elif not difference <= FLOAT_DIFFERENCE:
                problems.append(f"{name} differs by {difference:.1e} of the spread, more than {FLOAT_DIFFERENCE:.0e}")
            files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
            megabytes = sum(each.stat().st_size for each in files) / 1e6
            row = {"file": name, "megabytes": megabytes, "images_per_second": speed}
            rows.append(row | {"difference": difference, "same_first_choice": same})
        return rows, problems


def _served_problems(model, saved_model, split) -> list[str]:
    """What is wrong with the answers to encoded photos, which take decoding, center view and softmax too."""
    encoded = [split.read(position)[0].numpy() for position in range(min(SERVED, len(split)))]
    size, crop = evaluation.input_size(model), model.preprocessing.crop
    views = np.stack([data.augment.center_view(photo, size, crop).numpy() for photo in encoded])
    expected = evaluation.with_activation(model, "softmax")(model.preprocessing(views)).numpy()
    classes, scores = deployment.run_served(saved_model)(encoded)
    difference = float(np.abs(np.take_along_axis(expected, classes, axis=1) - scores).max())
    first = np.isclose(scores[:, 0], expected.max(axis=1), atol=FLOAT_DIFFERENCE).all()
    if first and difference <= FLOAT_DIFFERENCE:
        return []
    return [f"saved_model differs by {difference:.1e} in its probabilities for encoded photos"]


def _spread(split, count) -> np.ndarray:
    """``count`` positions spread over the split, or all."""
    return np.unique(np.linspace(0, len(split) - 1, min(count, len(split))).astype(np.int64))


def _photos(model, split, count) -> np.ndarray:
    """Center views of ``count`` photos spread over the split, uint8 ``[count, size, size, 3]``."""
    import tensorflow as tf

    from keras_resnet.data.parallel import parallel_map

    size, crop = evaluation.input_size(model), model.preprocessing.crop

    def load(position):
        view = data.augment.center_view(split.read(position)[0], size, crop)
        return tf.cast(tf.round(tf.clip_by_value(view, 0, 255)), tf.uint8)

    dataset = parallel_map(tf.data.Dataset.from_tensor_slices(_spread(split, count)), load)
    return np.stack(list(dataset.as_numpy_iterator()))


def _rate(speed: float | None) -> str:
    return "" if speed is None else f"{speed:.1f}"


def _measured(function, photos) -> tuple[np.ndarray, float | None]:
    """The logits of all photos in batches, and the median images/s of the full batches, None without one."""
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
