"""Train the per-class RPN and the R-CNN of appendix C, on ILSVRC's localization data or photos with one class each.

    python recipes/localization.py --model CLASSIFIER                        the built-in demo set: one shape a scene
    python recipes/localization.py --model ResNet101:imagenet --data DIR     ILSVRC's Annotations/CLS-LOC, Data/CLS-LOC
    python recipes/localization.py --model CLASSIFIER --data DIR             photos in COCO's layout

CLASSIFIER is a trained network, such as the last.keras of recipes/imagenet.py. Of photos with objects of several
classes, that of the largest one counts. There are four stages, each in its own part of the workdir: rpn trains one
logit and four offsets for each class and anchor, on random crops, with 8 anchors an image, of the image's class alone;
extract keeps the 200 best boxes of each training photo; rcnn trains another network on these, warped to squares; test
prints the rows of Table 13. The same command continues where it was stopped, and does not repeat what is finished;
--stages does some of them.
The appendix gives batches of 256, crops of 224 pixels and 200 boxes, but no rates and no lengths: here the RPN learns
for 30 epochs at rate 0.01, divided by 10 after half and three quarters, and the R-CNN for 120,000 steps. Other batches
take their share of the rate.
Paper (Table 13, ResNet-101, ILSVRC's validation photos, error in %): with the true class 13.3, dense 11.7; with five
predicted classes 14.4, with the R-CNN 10.6, an ensemble 8.9.
"""

from keras_resnet import localization, training
from keras_resnet.localization.defaults import PROPOSALS, RATIOS, SHARES, SIZE

PRESET = {
    "batch_size": 256, "base_lr": 0.01, "epochs": 30, "image_size": SIZE, "region_size": SIZE, "proposals": PROPOSALS,
    "rcnn_steps": 120_000, "anchor_shares": SHARES, "anchor_ratios": RATIOS, "schedule": "steps",
}  # fmt: skip
DEMO = PRESET | {  # small pictures, few of them, on processors: minutes instead of days
    "batch_size": 32, "base_lr": 0.4, "epochs": 12, "image_size": 96, "region_size": 64, "proposals": 16,
    "rcnn_steps": 500, "schedule": "cosine",
}  # fmt: skip


def main(settings: localization.LocalizationSettings) -> None:
    sets = localization.open_localization_sets(settings.data, settings.data_dir)
    settings = training.resolve(settings, DEMO if settings.data == "demo" else PRESET, "localization")
    localization.run_stages(settings, sets)


if __name__ == "__main__":
    training.command_line(main, localization.LocalizationSettings(), __doc__, {"demo": DEMO, "other data": PRESET})
