"""Train Faster R-CNN on COCO, or on photos of your own in COCO's format, as Sec. 4.3 and appendix A do.

    python recipes/coco.py --model CLASSIFIER                               the built-in demo set: shapes among clutter
    python recipes/coco.py --model ResNet101:imagenet --data DIR            COCO as its archives unpack, or your photos
    python recipes/coco.py --model ResNet101:imagenet --data coco/2014 --data-dir TFDS --scheme alternating

CLASSIFIER is a trained network, such as the last.keras of recipes/imagenet.py. All regions share its conv1 to conv4_x,
and each goes through conv5_x; batch normalization, conv1 and conv2_x are fixed. Your photos are train.json with train/
and val.json with val/.

COCO takes 320,000 steps of 8 images, 31 epochs, at a learning rate of 0.001 that is divided by 10 after 240,000. Other
photos take 31 epochs too, but at least the 80,000 images of VOC 2007, the paper's smallest training set, and at most as
many as COCO; the rate falls after three quarters. --scheme alternating trains proposals (8 images per step) and regions
(16) in turn. With another batch size the rate changes in proportion, and the number of images stays the same.

Paper (Tables 8 and 9; COCO val, trained on train): VGG-16 41.5 AP50, 21.2 AP; ResNet-101 48.4, 27.2; with --context and
tools/evaluate_detection.py's refinement and multi-scale testing 53.8, 32.5.
"""

from keras_resnet import detection, training
from keras_resnet.errors import InputError

DEMO = {  # for a few small pictures, which train in minutes on a CPU
    "batch_size": 4, "base_lr": 0.02, "epochs": 5, "regions": 16, "shorter_side": 160, "longer_side": 256,
    "smallest": 8.0,
}  # fmt: skip
DEMO_ANCHORS = {"c4": (2.0, 4.0, 8.0), "fpn": (1.0, 2.0, 4.0, 8.0, 16.0)}  # sides in units of 16 pixels
COCO_PHOTOS = 82_783  # of train2014


def main(settings: detection.DetectionSettings) -> None:
    data = detection.open_coco_sets(settings.data, settings.data_dir)
    protocol, train = detection.PROTOCOLS["coco"], data.part("train")
    if data.validation is None and settings.overfit is None:
        raise InputError(f"{data.name} has no photos to validate on: add a val part, or give --overfit N.")
    settings = detection.like_finished(settings)
    preset = protocol.preset(settings.batch_size, settings.overfit or len(train), settings.head)
    if data.name == "demo":
        del preset["steps"]
        preset |= DEMO | {"anchor_scales": DEMO_ANCHORS[settings.head]}
    settings = training.resolve(settings, preset, "coco")
    detection.train(settings, train, data.validation, protocol)


if __name__ == "__main__":
    preset = detection.PROTOCOLS["coco"].preset(None, COCO_PHOTOS)
    demo = {name: value for name, value in preset.items() if name != "steps"}
    demo |= DEMO | {"anchor_scales": DEMO_ANCHORS["c4"]}
    training.command_line(main, detection.DetectionSettings(), __doc__, {"demo": demo, "COCO": preset})
