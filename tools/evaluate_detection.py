"""Score detectors, singly and as an ensemble, in the rows of Tables 8 and 9.

    python tools/evaluate_detection.py --model best.keras --data DIR
    python tools/evaluate_detection.py --model PLAIN.keras CONTEXT.keras CONTEXT2.keras --data DIR --out results
    python tools/evaluate_detection.py --model best.keras --benchmark voc2007 --data VOCdevkit --json table.json

Each row adds an option to the row above: the baseline (the first detector trained without --context), box refinement,
context (the first detector trained with --context), multi-scale testing, flip, which the paper does not have, and the
ensemble (all detectors trained with --context, or all if there is none; without flip). Without a detector trained with
--context the row context is left out. Each row shows AP by the benchmark's rule, COCO's AP50 with its bootstrap
interval, its paired difference from the baseline, and the time per image. --out writes the benchmark's submission files
for every row, and nothing else is possible with photos without objects, such as a test part without annotations.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from keras_resnet.bounds import Count, Length, Pixels
from keras_resnet.command_line import Folder, JsonFile, ModelFile, run_tool
from keras_resnet.detection.training.protocols import BenchmarkName
from keras_resnet.errors import InputError
from keras_resnet.tables import Table, write_tables
from keras_resnet.training.settings import Precision

if TYPE_CHECKING:
    from keras_resnet.detection import DetectionData, Detections, Detector, FasterRCNN, Options

Row = Literal["baseline", "refinement", "context", "multi-scale", "flip", "ensemble"]
ROWS: tuple[Row, ...] = get_args(Row)
Estimate = tuple[float, Any]  # the AP50, and the array of its bootstrap draws
WARM_UP = 2  # photos that are not timed, as TensorFlow compiles then


@dataclass(frozen=True)
class EvaluateDetection:
    """The detectors, the photos, and how they are tested."""

    model: tuple[ModelFile, ...]
    """Detectors, .keras files of recipes/coco.py or voc.py; those trained with --context make the row context and those
    below it, and several of them the ensemble."""
    data: str = "demo"
    """A folder in COCO's layout, coco/2014 or coco/2017 of TFDS, or demo; for another benchmark its folder, or voc."""
    data_dir: Path | None = None
    """Where TFDS data sets are prepared."""
    split: str | None = None
    """The part: train, val or test of COCO, or a list in VOC's ImageSets/Main or DET's folder, such as val2. Default:
    val, for voc2007 test, for det val2."""
    first: Count | None = None
    """Take only this many photos, the first ones."""
    benchmark: BenchmarkName = "coco"
    """By whose rule to score, beside COCO's."""
    rows: tuple[Row, ...] | None = None
    """The rows to print, besides the baseline; default: all that the given detectors allow."""
    scales: Annotated[tuple[Pixels, ...], Length(1, 100)] | None = None
    """Shorter sides of multi-scale testing, in pixels; default: 200 400 600 800 1000, in proportion to the
    image size of the first detector, 600 in the paper."""
    precision: Precision = "float32"
    """Number format of the layers."""
    out: Folder | None = None
    """A folder for submission files, one below it for each row."""
    json: JsonFile | None = None
    """A file for the table as data, with the command, commit and machine."""

    def run(self) -> None:
        import keras

        from keras_resnet import detection

        if not self.model:
            raise InputError("--model needs at least one detector.")
        keras.config.set_dtype_policy(self.precision)
        models = [detection.load_detector(path) for path in self.model]
        benchmark = detection.BENCHMARKS[self.benchmark]
        part = self.split or benchmark.part
        data = benchmark.open(self.data, self.data_dir, part)
        data = data if self.first is None else data.first(self.first)
        for path, model in zip(self.model, models, strict=True):
            if model.class_names != data.classes:
                raise InputError(f"{path} finds other classes than {data.name} has: give the data it was trained for.")
            if part != "train":
                detection.check_unseen(model.trained_on, data, str(path))
        scored = data.has_objects
        if not scored and self.out is None:
            lacking = "objects" if data.annotated else "annotations"
            raise InputError(f"{data.name} has no {lacking} to score by: give --out for its submission files.")
        scales = self.scales or detection.pyramid_scales(models[0])
        options = table_9(models, scales)
        impossible = [row for row in self.rows or () if row not in options]
        if impossible:
            raise InputError(f"The row {impossible[0]} needs more detectors in --model: see --help.")
        print(f"{data.name}: {len(data):,} photos; scales {' '.join(map(str, scales))}\n")
        columns = benchmark.columns[:2] if scored else ()
        table = Table(
            "rows", ("row", *columns, *(("AP50 (95 % interval)", "AP50 over baseline") if columns else ()), "s/image")
        )
        table.print_header()
        rows: list[dict[str, Any]] = []
        baseline: Estimate | None = None
        for row in (row for row in ROWS if row == "baseline" or row in (self.rows or options)):
            detections, seconds = detect(detection.Detector(*options[row]), data)
            rows.append({"row": row, "seconds": seconds})
            cells = []
            if scored:
                scores, matches = benchmark.score(data, detections), detection.Matches(data, detections, (0.5,))
                estimate = matches.mean_ap(), matches.draws()
                rows[-1] |= {"scores": scores} | compare(estimate, baseline)
                baseline = baseline or estimate
                cells = [*(f"{100 * scores[name]:.1f}" for name in columns), *_cells(rows[-1])]
            table.add(row, *cells, f"{seconds:.2f}")
            if self.out:
                benchmark.write(self.out / row, data, part, detections)
        about = {"data": data.name, "photos": len(data), "benchmark": self.benchmark, "scales": scales}
        write_tables(self.json, [table], **about, rows=rows)


def table_9(
    models: Sequence["FasterRCNN"], scales: tuple[int, ...]
) -> dict[Row, tuple[Sequence["FasterRCNN"], "Options"]]:
    """The detectors and options of each row that ``models`` allow."""
    from keras_resnet.detection import Options

    plain, contextual = ([m for m in models if m.region_head.context == context] for context in (False, True))
    first, best = (plain or models)[:1], contextual or models
    rows: dict[Row, tuple[Sequence[FasterRCNN], Options]] = {
        "baseline": (first, Options()),
        "refinement": (first, Options(refine=True)),
    }
    if plain and contextual:
        rows["context"] = (best[:1], Options(refine=True))
    rows["multi-scale"] = (best[:1], Options(refine=True, scales=scales))
    rows["flip"] = (best[:1], Options(refine=True, scales=scales, flip=True))
    if len(best) > 1:
        rows["ensemble"] = (best, Options(refine=True, scales=scales))
    return rows


def detect(detector: "Detector", data: "DetectionData") -> tuple[dict[Any, "Detections"], float]:
    """The detections in each photo of ``data``, by its id, and the median of the seconds per photo."""
    import numpy as np
    import tqdm

    from keras_resnet import detection

    detections, seconds = {}, []
    photos = detection.read_photos(data)
    for photo, image in tqdm.tqdm(photos, "detecting", len(data), unit=" photos", disable=None, leave=False):
        start = time.perf_counter()
        detections[photo.id] = detector(image, photo.file)
        seconds.append(time.perf_counter() - start)
    return detections, float(np.median(seconds[WARM_UP:] or seconds))


def compare(estimate: Estimate, baseline: Estimate | None) -> dict[str, Any]:
    """The AP50 and its interval, and the paired difference from the baseline, if there is one, with its interval."""
    from keras_resnet.detection import interval

    value, draws = estimate
    result = {"AP50": value, "interval": interval(draws)}
    if baseline is not None:
        result |= {"over_baseline": value - baseline[0], "over_baseline_interval": interval(draws - baseline[1])}
    return result


def _cells(row: dict[str, Any]) -> tuple[str, str]:
    """The table's cells of the results of :func:`compare`."""
    over = as_percent(row["over_baseline"], row["over_baseline_interval"], "+") if "over_baseline" in row else ""
    return as_percent(row["AP50"], row["interval"]), over


def as_percent(value: float, limits: tuple[float, float], sign: str = "") -> str:
    """``12.3 (10.0 to 14.6)``, of shares."""
    number, low, high = (f"{100 * part:{sign}.1f}" for part in (value, *limits))
    return f"{number} ({low} to {high})"


if __name__ == "__main__":
    run_tool(EvaluateDetection, __doc__)
