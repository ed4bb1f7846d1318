"""Scores of detectors, alone and together, in the rows of Tables 8 and 9.

    python tools/evaluate_detection.py --model best.keras --data DIR
    python tools/evaluate_detection.py --model PLAIN.keras CONTEXT.keras CONTEXT2.keras --data DIR --out results
    python tools/evaluate_detection.py --model best.keras --benchmark voc2007 --data VOCdevkit --json table.json

Each row has what the row above has: the baseline (the first detector trained without --context), box refinement,
context (the first detector trained with --context), multi-scale testing, and the ensemble (all detectors trained with
--context, or all if none is). Without a detector trained with --context that row is left out; flip, on top of
multi-scale testing, is a row that the paper does not have. Each row has AP by the benchmark's rule, COCO's AP50, their
paired bootstrap intervals against the baseline, and the time an image takes. --out writes the benchmark's submission
files of every row; of a test part without annotations that is all there is.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from keras_resnet.bounds import Count, Length, Pixels
from keras_resnet.command_line import Folder, JsonFile, run_tool
from keras_resnet.errors import InputError
from keras_resnet.tables import Table, write_tables
from keras_resnet.training.settings import Precision

ROWS = ("baseline", "refinement", "context", "multi-scale", "flip", "ensemble")
Row = Literal["baseline", "refinement", "context", "multi-scale", "flip", "ensemble"]
WARMED = 2  # photos before the clock starts: the first ones compile


@dataclass(frozen=True)
class EvaluateDetection:
    """Which detectors on which photos, and how they are tested."""

    model: tuple[Path, ...]
    """Detectors, .keras files of recipes/coco.py or voc.py; those trained with --context serve the rows from there
    on, and several of them make the ensemble."""
    data: str = "demo"
    """A folder in COCO's layout, coco/2014 or coco/2017 of TFDS, or demo; of another benchmark its folder, or voc."""
    data_dir: Path | None = None
    """Where TFDS data sets are prepared."""
    split: str | None = None
    """Which part: train, val or test of COCO, a list of VOC's ImageSets/Main or of DET's folder, such as val2; default
    val, of voc2007 test, of det val2."""
    first: Count | None = None
    """Take only so many photos."""
    benchmark: Literal["coco", "voc2007", "voc2012", "det"] = "coco"
    """Whose rule of scoring to print beside COCO's."""
    rows: tuple[Row, ...] | None = None
    """Which rows to print, the baseline always; default all that the detectors given allow."""
    scales: Annotated[tuple[Pixels, ...], Length(1, 100)] | None = None
    """Shorter sides of multi-scale testing, in pixels; default 200 400 600 800 1000, in proportion to the model's."""
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
            raise InputError("--model needs one detector or more.")
        keras.config.set_dtype_policy(self.precision)
        models = [detection.load_detector(path) for path in self.model]
        benchmark = detection.BENCHMARKS[self.benchmark]
        part = self.split or benchmark.part
        data = benchmark.open(self.data, self.data_dir, part)
        data = data if self.first is None else detection.first(data, self.first)
        if models[0].class_names != data.classes:
            raise InputError(
                f"{self.model[0]} finds other classes than {data.name} has: give the data it was trained for."
            )
        if part != "train":
            for path, model in zip(self.model, models, strict=True):
                detection.check_unseen(model.trained_on, data, str(path))
        if not data.annotated and self.out is None:
            raise InputError(f"{data.name} has no annotations to score by: give --out for its submission files.")
        scales = self.scales or detection.pyramid_scales(models[0])
        options = table_9(models, scales)
        lacking = [row for row in self.rows or () if row not in options]
        if lacking:
            raise InputError(f"The row {lacking[0]} needs more detectors in --model: see --help.")
        chosen = [row for row in ROWS if row == "baseline" or row in (self.rows or options)]
        shown = benchmark.columns[:2] if data.annotated else ()
        print(f"{data.name}: {len(data):,} photos; scales {' '.join(map(str, scales))}")
        columns = [*shown, "AP50 (95 % interval)", "AP50 over baseline"] if data.annotated else []
        table = Table("rows", ("row", *columns, "s/image"))
        print()
        table.print_header()
        rows, baseline = [], None
        for row in chosen:
            found, seconds = detect(detection.Detector(*options[row]), data)
            rows.append({"row": row, "seconds": seconds})
            cells = []
            if data.annotated:
                scores = benchmark.score(data, found)
                matches = detection.Matches(data, found, (0.5,))
                value, draws = matches.mean_ap(), matches.draws()
                baseline = (value, draws) if baseline is None else baseline
                rows[-1] |= {"scores": scores, "AP50": value, "interval": detection.interval(draws)}
                cells = [*(f"{100 * scores[name]:.1f}" for name in shown), _percent(value, rows[-1]["interval"]), ""]
                if row != "baseline":
                    over = value - baseline[0], detection.interval(draws - baseline[1])
                    rows[-1] |= {"over_baseline": over[0], "over_baseline_interval": over[1]}
                    cells[-1] = _percent(*over, "+")
            table.add(row, *cells, f"{seconds:.2f}")
            if self.out:
                benchmark.write(self.out / row, data, part, found)
        about = {"data": data.name, "photos": len(data), "benchmark": self.benchmark, "scales": scales}
        write_tables(self.json, [table], **about, rows=rows)


def table_9(models, scales) -> dict:
    """The detectors and options of each row that ``models`` allow; a row has what those above it have."""
    from keras_resnet.detection import Options

    plain, contextual = ([m for m in models if m.context == kind] for kind in (False, True))
    alone, best = (plain or models)[:1], contextual or models
    rows = {"baseline": (alone, Options()), "refinement": (alone, Options(refine=True))}
    if plain and contextual:
        rows["context"] = (best[:1], Options(refine=True))
    rows["multi-scale"] = (best[:1], Options(refine=True, scales=scales))
    rows["flip"] = (best[:1], Options(refine=True, scales=scales, flip=True))
    if len(best) > 1:
        rows["ensemble"] = (best, Options(refine=True, scales=scales))
    return rows


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


def _percent(value: float, limits: tuple[float, float], sign: str = "") -> str:
    number, low, high = (f"{100 * each:{sign}.1f}" for each in (value, *limits))
    return f"{number} ({low} to {high})"


if __name__ == "__main__":
    run_tool(EvaluateDetection, __doc__)
