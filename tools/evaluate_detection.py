"""Scores of detectors, alone and together, with Table 9's options.

    python tools/evaluate_detection.py --model best.keras --data DIR
    python tools/evaluate_detection.py --model A.keras B.keras --data demo --split test --rows baseline ensemble
    python tools/evaluate_detection.py --model best.keras --benchmark voc2007 --data VOCdevkit --out results

Prints a row for each option: box refinement, multi-scale testing, flip, all of them, and the ensemble where several
models are given, each with AP at overlap 0.5 and COCO's mean over 0.5 to 0.95, their paired bootstrap intervals against
the baseline of the first model, and the time an image takes. Global context is a model's own: give one trained with
--context. --out writes the benchmark's submission files of every row.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from keras_resnet.command_line import run_tool
from keras_resnet.errors import InputError

ROWS = ("baseline", "refinement", "multi-scale", "flip", "all", "ensemble")
Row = Literal["baseline", "refinement", "multi-scale", "flip", "all", "ensemble"]
WARMED = 2  # photos before the clock starts: the first ones compile


@dataclass(frozen=True)
class EvaluateDetection:
    """Which detectors on which photos, and how they are tested."""

    model: tuple[Path, ...]
    """Detectors, .keras files of recipes/coco.py or voc.py; several also make an ensemble."""
    data: str = "demo"
    """A folder in COCO's layout, coco/2014 or coco/2017 of TFDS, or demo; of another benchmark its folder, or voc."""
    data_dir: Path | None = None
    """Where TFDS data sets are prepared."""
    split: Literal["train", "val", "test"] = "val"
    """Which part of the data."""
    first: int | None = None
    """Take only so many photos."""
    benchmark: Literal["coco", "voc2007", "voc2012", "det"] = "coco"
    """Whose rule of scoring to print beside COCO's."""
    rows: tuple[Row, ...] = ROWS
    """Which rows to print; the baseline is always there."""
    scales: tuple[int, ...] | None = None
    """Shorter sides of multi-scale testing, in pixels; default 200 400 600 800 1000, in proportion to the model's."""
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    """Number format of the layers."""
    out: Path | None = None
    """A folder for submission files, one below it for each row."""

    def run(self) -> None:
        import keras

        from keras_resnet import detection

        if not self.model:
            raise InputError("--model needs one detector or more.")
        if self.first is not None and self.first < 1:
            raise InputError(f"--first {self.first} must be positive.")
        keras.config.set_dtype_policy(self.precision)
        models = [detection.load_detector(path) for path in self.model]
        data = self._photos(detection)
        if models[0].class_names != data.classes:
            raise InputError(
                f"{self.model[0]} finds other classes than {data.name} has: give the data it was trained for."
            )
        scales = self.scales or detection.pyramid_scales(models[0])
        options = {
            "baseline": (models[:1], detection.Options()),
            "refinement": (models[:1], detection.Options(refine=True)),
            "multi-scale": (models[:1], detection.Options(scales=scales)),
            "flip": (models[:1], detection.Options(flip=True)),
            "all": (models[:1], detection.Options(refine=True, scales=scales, flip=True)),
            "ensemble": (models, detection.Options()),
        }
        chosen = [r for r in ROWS if r == "baseline" or (r in self.rows and (r != "ensemble" or len(models) > 1))]
        benchmark = detection.BENCHMARKS[self.benchmark]
        shown = benchmark.columns[:2]
        context = " with global context" if models[0].context else ""
        print(f"{data.name}: {len(data):,} photos; {self.model[0]}{context}; scales {' '.join(map(str, scales))}")
        print(f"\n| row | {' | '.join(shown)} | AP50 (95 % interval) | AP50 over baseline | s/image |")
        print("|---" * (4 + len(shown)) + "|")
        truths, before = {photo.id: photo.objects for photo in data.photos}, None
        for row in chosen:
            found, seconds = detect(detection.Detector(*options[row]), data)
            scores = benchmark.score(data, found)
            matches = detection.Matches(truths, found, (0.5,))
            low, high = detection.interval(matches)
            own = f"{100 * matches.mean_ap():.1f} ({100 * low:.1f} to {100 * high:.1f})"
            more = "" if before is None else _difference(detection, before, matches)
            before = before or matches
            values = " | ".join(f"{100 * scores[name]:.1f}" for name in shown)
            print(f"| {row} | {values} | {own} | {more} | {seconds:.2f} |", flush=True)
            if self.out:
                benchmark.write(self.out / row, data, found)

    def _photos(self, detection):
        if self.benchmark == "coco":
            data = detection.open_coco_sets(self.data, self.data_dir).part(self.split)
        elif self.benchmark == "det":
            data = detection.open_det_sets(self.data).validation
        else:
            data = detection.open_voc_sets(self.data, self.data_dir, "07", self.benchmark[-2:]).validation
        return data if self.first is None else detection.first(data, self.first)


def detect(detector, data):
    """What ``detector`` finds in each photo of ``data``, and the median seconds an image took."""
    import numpy as np

    from keras_resnet import detection

    found, seconds = {}, []
    for photo, image in detection.photos_of(data):
        start = time.perf_counter()
        found[photo.id] = detector(image, photo.file)
        seconds.append(time.perf_counter() - start)
    return found, float(np.median(seconds[WARMED:] or seconds))


def _difference(detection, before, matches) -> str:
    low, high = detection.paired_interval(before, matches)
    change = 100 * (matches.mean_ap() - before.mean_ap())
    return f"{change:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"


if __name__ == "__main__":
    run_tool(EvaluateDetection, __doc__)
