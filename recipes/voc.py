"""Train Faster R-CNN on PASCAL VOC, with Faster R-CNN's own schedule, as Sec. 4.3 does.

    python recipes/voc.py --model ResNet101:imagenet --data VOCdevkit
    python recipes/voc.py --model ResNet101:imagenet --data VOCdevkit --train 07++12train --test 12
    python recipes/voc.py --model ResNet101:imagenet --data voc --data-dir TFDS

The default trains on the trainval parts of VOC 2007 and 2012 and scores on VOC 2007 test by its 11-point rule. It takes
80,000 steps of one image at a learning rate of 0.001, divided by 10 after 60,000, with weight decay 5e-4; --scheme
alternating takes two images per step for regions. The rate changes in proportion to the batch size.

Paper (Table 7, mAP): VOC 07 VGG-16 73.2, ResNet-101 76.4; VOC 12 (trained on 07++12) 70.4, 73.8. The server scores VOC
2012 test, from the files of tools/evaluate_detection.py --benchmark voc2012 --split test --out FOLDER.
"""

from dataclasses import dataclass

from keras_resnet import detection, training
from keras_resnet.detection.data.voc_sets import TestSet, TrainingSet


@dataclass(frozen=True)
class Settings(detection.DetectionSettings):
    """The detector to train on parts of VOC, and how."""

    data: str = "VOCdevkit"
    """The folder that holds VOC2007 and VOC2012, or voc for TFDS."""
    train: TrainingSet = "07+12"
    """07 is 2007's trainval, 07+12 adds 2012's trainval, 07++12 also 2007's test; 12train is 2012's train alone, which
    leaves its val part for scoring."""
    test: TestSet = "07"
    """Validation: 07 is 2007's test, 12 is 2012's val, as its test part's objects are not public; none, as for 07++12
    and the server: the result is last.keras."""


def main(settings: Settings) -> None:
    data = detection.open_voc_sets(settings.data, settings.data_dir, settings.train, settings.test)
    protocol = detection.PROTOCOLS["voc2007" if settings.test == "07" else "voc2012"]
    settings = detection.like_finished(settings)
    train = data.part("train")
    preset = protocol.preset(settings.batch_size, len(train), settings.head)
    preset = detection.follow_photos(settings, preset, train, "voc")
    settings = training.resolve(settings, preset, "voc")
    detection.train(settings, train, data.validation, protocol)


if __name__ == "__main__":
    training.command_line(main, Settings(), __doc__, {"VOC": detection.PROTOCOLS["voc2007"].preset(None, 1)})
