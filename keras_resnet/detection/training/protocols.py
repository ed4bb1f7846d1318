"""How the paper trains a detector for each benchmark: how long, at which rates."""

from dataclasses import dataclass

from keras_resnet.detection.training.detection_settings import LAYERS


@dataclass(frozen=True)
class Protocol:
    """A benchmark's training (Sec. 4.3); every one begins at rate 0.001.

    Fields:
        benchmark: how it is scored, a name of ``BENCHMARKS``.
        images: the least and the most images it learns from, counted each time; in between COCO's epochs.
        reference_batch: images a step that the rate is meant for.
        milestones: where the rate falls, as fractions of the length.
        decay: of the weights.
    """

    benchmark: str
    images: tuple[int, int]
    reference_batch: int
    milestones: tuple[float, ...]
    decay: float

    def preset(self, batch_size: int | None, photos: int) -> dict:
        """Settings by name for so many training ``photos``: as many images as follow from these, whatever the batch."""
        batch_size = batch_size or self.reference_batch
        least, most = self.images
        steps = max(1, round(min(max(COCO_EPOCHS * photos, least), most) / batch_size))
        return {"batch_size": batch_size, "steps": steps, "base_lr": 0.001} | LAYERS


VOC_IMAGES, COCO_IMAGES = 80_000, 8 * 320_000  # 60,000 and 20,000 steps of one; 240,000 and 80,000 of 8
COCO_EPOCHS = COCO_IMAGES / 82_783  # photos of train2014
_COCO = ((VOC_IMAGES, COCO_IMAGES), 8, (240 / 320,), 1e-4)
_VOC = ((VOC_IMAGES, VOC_IMAGES), 1, (60 / 80,), 5e-4)
PROTOCOLS = {
    "coco": Protocol("coco", *_COCO),
    "det": Protocol("det", *_COCO),
    "voc2007": Protocol("voc2007", *_VOC),
    "voc2012": Protocol("voc2012", *_VOC),
}
