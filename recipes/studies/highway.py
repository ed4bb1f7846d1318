"""Learned highway gates (Srivastava et al. 2015) instead of identity shortcuts (Sec. 2, Table 6).

python recipes/studies/highway.py --data-dir DIR
"""

from keras_resnet.studies import Arm, Study, command_line

DEPTHS = (20, 32, 110)

STUDY = Study(
    "highway",
    "Do highway gates change the error of identity shortcuts?",
    arms=tuple(
        arm
        for n in DEPTHS
        for arm in (Arm(f"ResNet{n}", f"ResNet{n}"), Arm(f"ResNet{n}-highway", f"ResNet{n}", ("shortcut=highway",)))
    ),
    pairs=tuple((f"ResNet{n}-highway", f"ResNet{n}") for n in DEPTHS),
)


if __name__ == "__main__":
    command_line(STUDY, __doc__)
