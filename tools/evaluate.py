"""Errors of models, alone and averaged, on test photos (Tables 3 to 6).

    python tools/evaluate.py --model ResNet50:imagenet --data DIR --view 10-crop
    python tools/evaluate.py --model resnet20.th resnet56.th --data cifar10 --data-dir TFDS --split test
    python tools/evaluate.py --model A.keras B.keras C.keras --data DIR --view multi-scale --choose 2

Prints top-1 and top-5 error with their exact 95 % intervals, for each model and for the average of all. Scores are kept
in the cache folder, so that another question about the same models and photos costs nothing.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras_resnet
from keras_resnet import evaluation
from keras_resnet.command_line import run_tool
from keras_resnet.data import open_data
from keras_resnet.errors import InputError

TOP_K = 5


@dataclass(frozen=True)
class Evaluate:
    """Which models on which photos, seen how."""

    model: tuple[str, ...]
    """NAME:WEIGHTS (a file, or imagenet), a .keras file or another weight file; several make an ensemble."""
    data: str
    """A folder with train/<class>/* and val/<class>/*, record shards, the name of a TFDS data set, or demo."""
    data_dir: Path | None = None
    """Where TFDS data sets are prepared."""
    split: Literal["val", "test", "train"] = "val"
    """Which part of the data."""
    view: Literal["center", "10-crop", "multi-scale"] = "center"
    """How each photo is shown: its center, four corners and center with flips, or whole at several scales."""
    scales: tuple[int, ...] | None = None
    """Shorter sides of multi-scale, in pixels; default 224 256 384 480 640, in proportion to the model's size,
    rounded up to multiples of its stride."""
    flips: bool = False
    """Show mirror images too, with center and multi-scale."""
    batch_size: int = 32
    """Images of the model's own size in one forward pass."""
    choose: int | None = None
    """Choose this many of the models greedily on the validation split, then report on --split."""

    def run(self) -> None:
        if self.batch_size < 1:
            raise InputError(f"--batch-size {self.batch_size} must be positive.")
        view = evaluation.View(self.view, self.scales, self.flips)
        ensemble = evaluation.Ensemble(self.model, keras_resnet.load_model, view, self.batch_size)
        found = open_data(self.data, self.data_dir)
        members = list(self.model)
        if self.choose is not None:
            members = evaluation.greedy(ensemble.member_scores(found, found.validation), self.choose)
            print(f"chosen on {found.validation.name}, in this order: {', '.join(members)}")
            ensemble = evaluation.Ensemble(members, keras_resnet.load_model, view, self.batch_size)
        split = found.part(self.split)
        start = time.perf_counter()
        scores = ensemble.member_scores(found, split)
        seconds = time.perf_counter() - start
        print(f"{found.name}, {split.name}: {len(split):,} images; view {self.view}{' with flips' * self.flips}")
        print("\n| model | top-1 error (95 % interval) | top-5 error (95 % interval) |\n|---|---|---|")
        rows = scores | ({"average of all": evaluation.joint(list(scores.values()))} if len(scores) > 1 else {})
        for name, each in rows.items():
            top5 = each.error(TOP_K) if each.probabilities.shape[1] > TOP_K else ""
            print(f"| {name} | {each.error()} | {top5} |")
        print(f"\n{seconds:.0f} s, scores of earlier runs included")


if __name__ == "__main__":
    run_tool(Evaluate, __doc__)
