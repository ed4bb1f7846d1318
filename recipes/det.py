"""Train Faster R-CNN on ImageNet DET (appendix B, Table 12).

    python recipes/det.py --model ResNet101:imagenet --data ILSVRC_DIR

ILSVRC_DIR holds Data/DET and Annotations/DET as the archives unpack, and beside them val1.txt and val2.txt, lists of
validation photos (R-CNN's halves), classes.txt with a class on each line, ``n02672831 accordion``, and optionally
train.txt, a list of more photos to train on. The recipe trains on val1 and train and scores on val2 by DET's rule, for
as many steps as recipes/coco.py takes for the same number of photos.
Paper (mAP, with all of Table 9): ResNet-101 60.5 on val2, 58.8 on test.
"""

from dataclasses import dataclass

from keras_resnet import detection, training


@dataclass(frozen=True)
class Settings(detection.DetectionSettings):
    """The detector to train on ImageNet DET, and how."""

    data: str = "ILSVRC"
    """The folder with Data/DET, Annotations/DET and the lists."""


def main(settings: Settings) -> None:
    data, protocol = detection.open_det_sets(settings.data), detection.PROTOCOLS["det"]
    settings = detection.like_finished(settings)
    train = data.part("train")
    preset = protocol.preset(settings.batch_size, settings.overfit or len(train), settings.head)
    settings = training.resolve(settings, detection.follow_photos(settings, preset, train, "det"), "det")
    detection.train(settings, train, data.validation, protocol)


if __name__ == "__main__":
    preset = detection.PROTOCOLS["det"].preset(None, photos=1)
    del preset["steps"]  # they follow from the number of photos
    training.command_line(main, Settings(), __doc__, {"DET": preset})
