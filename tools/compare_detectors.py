"""Compare settings of detectors on the same photos, each setting with one detector or with several of other seeds.

    python tools/compare_detectors.py 'plain=runs/plain-*/last.keras' 'crop=runs/crop-*/last.keras' --data DIR

Shows COCO's AP50, AP and AP of small objects, as the mean of a setting's detectors, and the difference of each setting
from the first one, with 95 % intervals from bootstrap samples of the photos. Differences are paired: of the same
samples. The intervals do not cover how other seeds would come out; for that, the last column has the single detectors.
"""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from evaluate_detection import Estimate, as_percent, compare, detect
from tyro.conf import Positional

from keras_resnet.bounds import Count
from keras_resnet.command_line import JsonFile, run_tool
from keras_resnet.errors import InputError
from keras_resnet.tables import Table, write_tables

if TYPE_CHECKING:
    from keras_resnet.detection import DetectionData

SCORES = {"AP50": ((0.5,), "all"), "AP": (None, "all"), "AP_small": (None, "small")}  # overlaps, and sizes of objects


@dataclass(frozen=True)
class CompareDetectors:
    """The settings, and the photos."""

    settings: Positional[tuple[str, ...]]
    """Settings, the first one the baseline, each as NAME=FILE with * in FILE for several detectors."""
    data: str = "demo"
    """A folder in COCO's layout or another format of boxes, demo, or demo-small."""
    split: str = "val"
    """The part: train, val or test."""
    first: Count | None = None
    """Take only this many photos, the first ones."""
    json: JsonFile | None = None
    """A file for the table as data, with the command, commit and machine."""

    def run(self) -> None:
        from keras_resnet import detection

        files = dict(map(_listed, self.settings))
        if len(files) < len(self.settings) or not files:
            raise InputError("Give settings of different names: compare_detectors.py NAME=FILE NAME=FILE ...")
        data = detection.BENCHMARKS["coco"].open(self.data, None, self.split)
        data = data if self.first is None else data.first(self.first)
        if not data.has_objects:
            raise InputError(f"{data.name} has no objects to score by: give photos with their objects.")
        table = Table("comparison", ("setting", "score", "mean", f"over {next(iter(files))}", "single detectors"))
        table.print_header()
        baselines: dict[str, Estimate] = {}
        rows: list[dict[str, Any]] = []
        for name, listed in files.items():
            matches, seconds = _matches(listed, data)
            for score, per_detector in matches.items():
                values = [part.mean_ap() for part in per_detector]
                estimate = float(np.mean(values)), np.mean([part.draws() for part in per_detector], axis=0)
                compared = compare(estimate, baselines.get(score))
                baselines.setdefault(score, estimate)
                over = "over_baseline" in compared and as_percent(
                    compared["over_baseline"], compared["over_baseline_interval"], "+"
                )
                single = ", ".join(f"{100 * value:.1f}" for value in values)
                table.add(name, score, as_percent(compared["AP50"], compared["interval"]), over or "", single)
                rows.append({"setting": name, "score": score, "values": values, "seconds": seconds})
        about = {"data": data.name, "photos": len(data), "files": {n: list(map(str, f)) for n, f in files.items()}}
        write_tables(self.json, [table], **about, rows=rows)


def _listed(setting: str) -> tuple[str, list[Path]]:
    """The name of a setting and its files."""
    name, _, pattern = setting.partition("=")
    files = sorted(map(Path, glob.glob(pattern)))
    if not files:
        raise InputError(f"There is no file for {setting}: give NAME=FILE, such as 'crop=runs/crop-*/last.keras'.")
    return name, files


def _matches(files: Sequence[Path], data: "DetectionData") -> tuple[dict[str, list[Any]], float]:
    """The matches of each detector by ``SCORES``, as far as there are such objects, and the seconds of a photo."""
    from keras_resnet import detection
    from keras_resnet.detection.scoring.bootstrap import OVERLAPS

    matches: dict[str, list[Any]] = {name: [] for name in SCORES}
    seconds = []
    for file in files:
        model = detection.load_detector(file)
        if model.class_names != data.classes:
            raise InputError(f"{file} finds other classes than {data.name} has: give the data it was trained for.")
        detection.check_unseen(model.trained_on, data, str(file))
        detections, median = detect(detection.Detector([model]), data)
        seconds.append(median)
        for name, (overlaps, size) in SCORES.items():
            matches[name].append(detection.Matches(data, detections, overlaps or OVERLAPS, size))
    return {name: parts for name, parts in matches.items() if parts[0].classes}, float(np.median(seconds))


if __name__ == "__main__":
    run_tool(CompareDetectors, __doc__)
