"""Regularization of very deep networks, which Sec. 4.2 leaves open for ResNet-1202 (7.93 % error against 6.43 %).

python recipes/studies/regularization.py --data-dir DIR

The paper's ResNet-1202, which overfits, has 388 parameters per training image. ``--protocol pocket`` trains on 2,000
images: ResNet-110 then has 864 parameters per image, and sees each image 205 times.
"""

from keras_resnet.studies import Arm, Study, command_line

NETWORKS = {"ResNet110": 6.43, "ResNet1202": 7.93}  # Table 6
WAYS = {
    "dropout": {"change": ("dropout=0.2",)},
    "maxout": {"change": ("activation=maxout",)},
    "stochastic-depth": {"change": ("stochastic_depth=0.5",)},
    "decay-x5": {"settings": {"weight_decay": 5e-4}},
    "mixed": {"settings": {"augmentation": "mixed"}},  # mixup, CutMix and label smoothing
}

STUDY = Study(
    "regularization",
    "Does dropout, maxout, stochastic depth, more decay or augmentation lower the error of very deep networks?",
    arms=tuple(
        arm
        for name, error in NETWORKS.items()
        for arm in (Arm(name, name, paper=error), *(Arm(f"{name}-{way}", name, **how) for way, how in WAYS.items()))
    ),
    pairs=tuple((f"{name}-{way}", name) for name in NETWORKS for way in WAYS),
    pocket={"train_images": 2000, "scale": 0.05},
)


if __name__ == "__main__":
    command_line(STUDY, __doc__)
