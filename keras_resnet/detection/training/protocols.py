"""How long, and at which learning rates, the paper trains a detector for each benchmark."""

from dataclasses import dataclass
from typing import Any, Literal

from keras_resnet.detection.detector_specs import HeadName
from keras_resnet.detection.training.detection_settings import DEFAULT_HEAD, paper_settings

BenchmarkName = Literal["coco", "voc2007", "voc2012", "det"]
VOC_IMAGES, COCO_IMAGES = 80_000, 8 * 320_000  # 60,000 + 20,000 steps of one image; 240,000 + 80,000 of 8
COCO_EPOCHS = COCO_IMAGES / 82_783  # photos of train2014


@dataclass(frozen=True)
class Protocol:
    """A benchmark's training (Sec. 4.3), which begins at a learning rate of 0.001.

    Fields:
        benchmark: by which it is scored, a name of ``BENCHMARKS``.
        images: the fewest and the most images it learns from, counting repetitions; in between, COCO's epochs decide.
        reference_batch: the images per step for which the learning rate is meant.
        milestones: where the rate falls, as fractions of the length.
        decay: of the weights.
    """

    benchmark: BenchmarkName
    images: tuple[int, int]
    reference_batch: int
    milestones: tuple[float, ...]
    decay: float

    def preset(self, batch_size: int | None, photos: int, head: HeadName = DEFAULT_HEAD) -> dict[str, Any]:
        """Settings by name for so many training ``photos``; the number of images does not depend on the batch size."""
        batch_size = batch_size or self.reference_batch
        fewest, most = self.images
        steps = max(1, round(min(max(COCO_EPOCHS * photos, fewest), most) / batch_size))
        return {"batch_size": batch_size, "steps": steps, "base_lr": 0.001} | paper_settings(head)


_COCO = ((VOC_IMAGES, COCO_IMAGES), 8, (240 / 320,), 1e-4)
_VOC = ((VOC_IMAGES, VOC_IMAGES), 1, (60 / 80,), 5e-4)
PROTOCOLS: dict[BenchmarkName, Protocol] = {
    "coco": Protocol("coco", *_COCO),
    "det": Protocol("det", *_COCO),
    "voc2007": Protocol("voc2007", *_VOC),
    "voc2012": Protocol("voc2012", *_VOC),
}
