"""What a detector's training shows: its inputs, its detections, its scores in words, and its curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from PIL import Image

from keras_resnet import drawing, plots
from keras_resnet.data.pipelines import Shard
from keras_resnet.detection.boxes import Detections
from keras_resnet.detection.data.box_sheet import drawn_boxes
from keras_resnet.detection.faster_rcnn import LOSSES, FasterRCNN
from keras_resnet.detection.sampling import PADDING
from keras_resnet.detection.scoring.report_words import in_words
from keras_resnet.detection.training.before_training import LOW_RECALL, low_recall
from keras_resnet.detection.training.finished_detector import KEPT_CLASSES
from keras_resnet.files import write_whole
from keras_resnet.training.files.workdir import BOXES
from keras_resnet.training.state import State
from keras_resnet.training.task import Metrics

if TYPE_CHECKING:
    from keras_resnet.detection.training.detection_task import DetectionTask
    from keras_resnet.training.files.workdir import Workdir

MONITORED = 1000  # photos of a validation, at most: ten are 7 % of the time of 80,000 images (docs/detection.md, Speed)
PICTURES = 8
MIN_SHOWN_SCORE = 0.5
UNVALIDATED = "trained without a validation part: there is no best.keras, last.keras is the network"


@dataclass(frozen=True)
class DetectionReporter:
    """Shows how a detector trains; a :class:`~keras_resnet.training.task.Reporter`."""

    task: DetectionTask

    def begin(self, model: FasterRCNN, state: State) -> None:
        """Write the transfer report and the first augmented inputs for TensorBoard, and photos with boxes as a file."""
        print(model.transfer, flush=True)
        tf.summary.text("transfer", model.transfer, 0)
        batches = self.task.train_batches(state.step + state.skipped, Shard())
        images, extents, boxes, object_status, classes, _ = (part.numpy()[:PICTURES] for part in next(iter(batches)))
        pictures = []
        for place, (width, height) in enumerate(extents.astype(int)):
            real = object_status[place] != PADDING
            names = [self.task.train.classes[number] for number in classes[place][real]]
            picture = np.clip(model.preprocessing.undo(images[place, :height, :width]), 0, 255).astype(np.uint8)
            pictures.append(drawing.boxes(picture, boxes[place][real], names))
        tf.summary.image("inputs after augmentation", drawing.tiled(pictures)[None], state.step)
        sheet = [picture for _, picture in drawn_boxes(self.task.train)]
        if sheet:
            image = Image.fromarray(drawing.tiled(sheet))
            write_whole(self.task.settings.workdir / BOXES, lambda part: image.save(part, format="JPEG"))

    def validation_summary(self, metrics: Metrics) -> str:
        """The goal, the recall of the proposals, and the number of photos; the first one also says why it is low."""
        assert self.task.validation is not None
        names, photos = dict.fromkeys((self.task.goal, "proposal_recall")), len(self.task.validation)
        scores = "  ".join(f"{name.replace('_', ' ')} {100 * metrics[name]:.1f} %" for name in names)
        summary = f"{scores}  ({min(MONITORED, photos):,} of {photos:,} photos)"
        if self.task.warned:
            return summary
        low = metrics["proposal_recall"] < LOW_RECALL
        recall = metrics["proposal_recall"]
        self.task.warned.append(low_recall(self.task.settings, self.task.validation, recall) if low else "")
        return "\n".join(filter(None, [summary, *self.task.warned]))

    def validation_images(self, model: FasterRCNN, step: int) -> None:
        """Write the first photos of the last validation with their detections for TensorBoard."""
        tf.summary.image("detections", drawing.tiled(self.task.pictures)[None], step)

    def end(self, model: FasterRCNN, step: int, workdir: Workdir) -> None:
        """Write the results by class and the worst mistakes into the run's folder, and for TensorBoard."""
        for report in self.task.reports:
            for name, write in report.writers().items():
                workdir.write(name, write)
                if not name.endswith(".csv"):
                    picture = np.asarray(Image.open(workdir.path / name).convert("RGB"))
                    tf.summary.image(f"at the end/{Path(name).stem}", picture[None], step)

    def result_lines(self, result: dict[str, Any]) -> list[str]:
        """The scores in words."""
        if self.task.validation is None:
            return [UNVALIDATED]
        values = {name: result[f"val_{name}"] for name in self.task.benchmark.columns}
        existing = {name: value for name, value in values.items() if value >= 0}  # -1 without objects of that size
        scores = ", ".join(f"{name} {100 * value:.1f} %" for name, value in existing.items())
        recall = f"proposal recall at 300 {100 * result['val_proposal_recall']:.1f} %"
        kept = result.get(KEPT_CLASSES, {})
        changes = [f"{name} {100 * before:.1f} -> {100 * after:.1f} %" for name, (before, after) in kept.items()]
        monitored = f"{MONITORED:,}" if result["val_examples"] > MONITORED else "all"
        by_class = in_words(result["val_by_class"]) if "val_by_class" in result else []
        return [
            f"validation {scores}, {recall} ({result['val_examples']:,} images: {result['val_split']})",
            *([f"AP50 of the classes it had, before -> after: {', '.join(changes)}"] if changes else []),
            f"best.keras was chosen on {monitored} of them; these lines are of last.keras",
            *by_class,
            *(["best.keras and last.keras keep their own scores of the highest F1"] if by_class else []),
        ]

    def draw_curves(self, name: str, rows: list[dict[str, Any]], path: Path) -> None:
        """Draw the losses and scores into a PNG file."""
        plots.detection_curves(rows, LOSSES, (self.task.benchmark.columns[0], "proposal_recall"), path)


def draw_detections(
    image: np.ndarray, detections: Detections, classes: Sequence[str], min_score: float = MIN_SHOWN_SCORE
) -> np.ndarray:
    """``image``, uint8 ``[height, width, 3]``, with the boxes of the detections that score at least ``min_score``."""
    shown = detections.select(detections.scores >= min_score)
    names = [f"{classes[number]} {score:.2f}" for number, score in zip(shown.classes, shown.scores, strict=True)]
    return drawing.boxes(image, shown.boxes, names, shown.classes)
