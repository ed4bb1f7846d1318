"""The warm-up of ResNet-110, at a tenth of the rate until the training error is below 80 % (Sec. 4.2).

python recipes/studies/warm_up.py --data-dir DIR
"""

from keras_resnet.studies import Arm, Study, command_line

STUDY = Study(
    "warm_up",
    "Does ResNet-110 need the warm-up?",
    arms=(
        Arm("warm-up", "ResNet110", settings={"warm_up": True}, paper=6.43),
        Arm("no-warm-up", "ResNet110", settings={"warm_up": False}),
    ),
    pairs=(("no-warm-up", "warm-up"),),
)


if __name__ == "__main__":
    command_line(STUDY, __doc__)
