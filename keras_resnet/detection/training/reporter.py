"""What is shown of a detector's training: its inputs, what it finds, its scores in words and its curves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from keras_resnet import plots
from keras_resnet.data.pipelines import Shard
from keras_resnet.detection.faster_rcnn import PARTS, FasterRCNN
from keras_resnet.detection.sampling import PADDING
from keras_resnet.training.state import State
from keras_resnet.training.task import Metrics

if TYPE_CHECKING:
    from keras_resnet.detection.training.detection_task import DetectionTask
    from keras_resnet.training.files.workdir import Workdir

MONITORED = 1000  # photos of a validation, at most: ten are 7 % of the time of 80,000 images (docs/detection.md, Speed)
SHOWN = 8
SHOWN_SCORE = 0.5


@dataclass(frozen=True)
class DetectionReporter:
    """Shows what comes of a detection, a :class:`~keras_resnet.training.task.Reporter`."""

    task: DetectionTask

    def begin(self, model: FasterRCNN, state: State) -> None:
        """Write what was taken from the classifier, and the first augmented inputs with their objects."""
        print(model.transfer, flush=True)
        tf.summary.text("transfer", model.transfer, 0)
        batches = self.task.train_batches(state.step + state.skipped, Shard())
        images, extents, boxes, object_status, classes, _ = (part.numpy()[:SHOWN] for part in next(iter(batches)))
        pictures = []
        for image, extent, own, kind, number in zip(images, extents, boxes, object_status, classes, strict=True):
            width, height = extent.astype(int)
            real = kind != PADDING
            names = [self.task.train.classes[n] for n in number[real]]
            photo = np.clip(model.preprocessing.undo(image[:height, :width]), 0, 255).astype(np.uint8)
            pictures.append(plots.boxes(photo, own[real], names))
        tf.summary.image("inputs after augmentation", plots.tiled(pictures)[None], state.step)

    def validation_summary(self, metrics: Metrics) -> str:
        """The goal and the proposals' recall, and on how many photos."""
        assert self.task.validation is not None
        shown, photos = dict.fromkeys((self.task.goal, "proposal_recall")), len(self.task.validation)
        scores = "  ".join(f"{name.replace('_', ' ')} {100 * metrics[name]:.1f} %" for name in shown)
        return f"{scores}  ({min(MONITORED, photos):,} of {photos:,} photos)"

    def validation_images(self, model: FasterRCNN, step: int) -> None:
        """Write the first photos of the last validation, with what was found, for TensorBoard."""
        tf.summary.image("detections", plots.tiled(self.task.photos_shown)[None], step)

    def end(self, model: FasterRCNN, step: int, workdir: Workdir) -> None:
        """Nothing more: the photos of the last validation are there."""

    def result_lines(self, result: dict[str, Any]) -> list[str]:
        """The scores in words, a line each."""
        if self.task.validation is None:
            return ["trained without a validation part: there is no best.keras, last.keras is the network"]
        found = {name: result[f"val_{name}"] for name in self.task.benchmark.columns}  # -1 without objects of that size
        scores = ", ".join(f"{name} {100 * value:.1f} %" for name, value in found.items() if value >= 0)
        recall = f"proposal recall at 300 {100 * result['val_proposal_recall']:.1f} %"
        monitored = f"{MONITORED:,}" if result["val_examples"] > MONITORED else "all"
        return [
            f"validation {scores}, {recall} ({result['val_examples']:,} images: {result['val_split']})",
            f"best.keras was chosen on {monitored} of them; the line above is of last.keras",
        ]

    def draw_curves(self, name: str, rows: list[dict[str, Any]], path: Path) -> None:
        """Draw losses and scores into a PNG file."""
        plots.detection_curves(rows, PARTS, (self.task.benchmark.columns[0], "proposal_recall"), path)


def drawn(image, found, classes, least: float = SHOWN_SCORE):
    """``image`` with the boxes found in it that score ``least`` or more."""
    sure = found.scores >= least
    names = [f"{classes[c]} {s:.2f}" for c, s in zip(found.classes[sure], found.scores[sure], strict=True)]
    return plots.boxes(image, found.boxes[sure], names, found.classes[sure])
