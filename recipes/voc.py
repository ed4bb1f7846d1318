"""Train Faster R-CNN on PASCAL VOC, with Faster R-CNN's own schedule, as Sec. 4.3 does.

    python recipes/voc.py --model ResNet101:imagenet --data VOCdevkit
    python recipes/voc.py --model ResNet101:imagenet --data VOCdevkit --train 07++12train --test 12
    python recipes/voc.py --model ResNet101:imagenet --data VOCdevkit --train 07++12 --test none
    python recipes/voc.py --model ResNet101:imagenet --data voc --data-dir TFDS

trains on the trainval parts of VOC 2007 and 2012 and scores on VOC 2007 test by its 11-point rule: 80,000 steps of one
image at rate 0.001, divided by 10 after 60,000, decay 5e-4; --scheme alternating takes two images for regions. Other
batches take their share of the rate, and as many images. Paper (Table 7, mAP): VOC 07 VGG-16 73.2, ResNet-101 76.4;
VOC 12 (trained on 07++12) 70.4, 73.8: the server scores VOC 2012 test, for which tools/evaluate_detection.py --model
last.keras --benchmark voc2012 --data VOCdevkit --split test --out FOLDER writes the files.
"""

from dataclasses import dataclass
from typing import Literal

from keras_resnet import detection, training


@dataclass(frozen=True)
class Settings(detection.DetectionSettings):
    """What detector to train on which parts of VOC, and how."""

    data: str = "VOCdevkit"
    """The folder that holds VOC2007 and VOC2012, or voc for TFDS."""
    train: Literal["07", "07+12", "07++12", "07+12train", "07++12train"] = "07+12"
    """The training set: 2007's trainval; 2012's too; 2007's test too. With 12train, 2012's val part is left out."""
    test: Literal["07", "12", "none"] = "07"
    """What it is scored on: VOC 2007 test, or VOC 2012 val, for want of its test part's objects; a part trained on is
    refused. none: trained without a validation part, as 07++12 for the server; last.keras is the network then."""


def main(settings: Settings) -> None:
    found = detection.open_voc_sets(settings.data, settings.data_dir, settings.train, settings.test)
    protocol = detection.PROTOCOLS["voc2007" if settings.test == "07" else "voc2012"]
    settings = training.resolve(settings, protocol.preset(settings.batch_size, len(found.train)), "voc")
    detection.train(settings, found.train, found.validation, protocol)


if __name__ == "__main__":
    training.command_line(main, Settings(), __doc__, {"VOC": detection.PROTOCOLS["voc2007"].preset(None, 1)})
