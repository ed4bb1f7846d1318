"""Shortcuts A, B and C at several depths: the benefit and the cost of projections (Table 3, on CIFAR-10).

python recipes/studies/shortcuts.py --data-dir DIR
"""

from keras_resnet.studies import Arm, Study, command_line

DEPTHS = (20, 56, 110)
OPTIONS = ("A", "B", "C")
IMAGENET = (34, 50, 101, 152)  # only their parameters and multiply-adds; recipes/imagenet.py trains them

STUDY = Study(
    "shortcuts",
    "Do projection shortcuts (B, C) lower the error of identity shortcuts (A), at each depth?",
    arms=tuple(Arm(f"ResNet{n}-{option}", f"ResNet{n}", (f"shortcut={option}",)) for n in DEPTHS for option in OPTIONS),
    pairs=tuple((f"ResNet{n}-{option}", f"ResNet{n}-A") for n in DEPTHS for option in ("B", "C")),
    costed=tuple(
        Arm(f"ResNet{n}-{option}", f"ResNet{n}", (f"shortcut={option}",)) for n in IMAGENET for option in OPTIONS
    ),
)


if __name__ == "__main__":
    command_line(STUDY, __doc__)
