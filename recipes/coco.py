"""Train Faster R-CNN on COCO, or on photos of your own in COCO's format, as Sec. 4.3 and appendix A do.

    python recipes/coco.py --model CLASSIFIER                               the built-in demo set: shapes among clutter
    python recipes/coco.py --model ResNet50:imagenet --data FOLDER          your photos: YOLO, COCO's format, CSV
    python recipes/coco.py --model ResNet101:imagenet --data DIR            COCO as its archives unpack

CLASSIFIER is a trained network, such as the last.keras of recipes/imagenet.py. All regions share its conv1 to conv4_x,
and each goes through conv5_x; batch normalization, conv1 and conv2_x are fixed.

Your photos are a folder with data.yaml, an export in COCO's format, train.json with train/ and val.json with val/, or
a CSV file. 15 % of photos without a validation part are held out. Up to 20,000 photos, image size, anchors, smallest
proposal, regions and length follow the photos: 16 epochs, and at least 1,200 images. The run first prints what was
chosen, and what will go wrong.

COCO takes 320,000 steps of 8 images, 31 epochs, at a learning rate of 0.001 that is divided by 10 after 240,000. Other
large sets take 31 epochs too; the rate falls after three quarters. --scheme alternating trains proposals (8 images per
step) and regions (16) in turn. The rate changes in proportion to the batch size.

Paper (Tables 8 and 9; COCO val, trained on train): VGG-16 41.5 AP50, 21.2 AP; ResNet-101 48.4, 27.2; with --context and
tools/evaluate_detection.py's refinement and multi-scale testing 53.8, 32.5.
"""

from keras_resnet import detection, training

DEMO = {  # for a few small pictures, which train in minutes on a CPU
    "batch_size": 4, "base_lr": 0.02, "epochs": 5, "regions": 16, "shorter_side": 160, "longer_side": 256,
    "smallest": 8.0,
}  # fmt: skip
PYRAMID = (1.0, 2.0, 4.0, 8.0, 16.0)  # sides of anchors in units of 16 pixels
DEMO_ANCHORS = {
    "demo": {"c4": (2.0, 4.0, 8.0), "fpn": PYRAMID},
    "demo-small": {"c4": (1.0, 2.0, 4.0, 8.0), "fpn": PYRAMID},
}
COCO_PHOTOS = 82_783  # of train2014


def main(settings: detection.DetectionSettings) -> None:
    data = detection.open_coco_sets(settings.data, settings.data_dir)
    data = data if settings.overfit else detection.with_validation(data)
    protocol, train = detection.PROTOCOLS["coco"], data.part("train")
    settings = detection.like_finished(settings)
    demo = settings.data in DEMO_ANCHORS
    if demo:
        anchors = {"anchor_scales": DEMO_ANCHORS[settings.data][settings.head]}
        preset = detection.paper_settings(settings.head) | DEMO | anchors
    else:
        preset = protocol.preset(settings.batch_size, settings.overfit or len(train), settings.head)
    preset = detection.follow_photos(settings, preset, train, "coco", fit_all=not demo)
    settings = training.resolve(settings, preset, "coco")
    detection.train(settings, train, data.validation, protocol)


if __name__ == "__main__":
    preset = detection.PROTOCOLS["coco"].preset(None, COCO_PHOTOS)
    demo = {name: value for name, value in preset.items() if name != "steps"}
    demo |= DEMO | {"anchor_scales": DEMO_ANCHORS["demo"]["c4"]}
    training.command_line(main, detection.DetectionSettings(), __doc__, {"demo": demo, "COCO": preset})
