"""The positions of normalization and ReLU in a block (Sec. 3.4; He et al. 2016, Identity Mappings, Fig. 4).

python recipes/studies/placements.py --data-dir DIR
"""

from keras_resnet.specs import PLACEMENTS
from keras_resnet.studies import Arm, Study, command_line

DEPTHS = (20, 56, 110)

STUDY = Study(
    "placements",
    "Does any placement of normalization and ReLU lower the error of the original one?",
    arms=tuple(
        Arm(f"ResNet{n}-{place}", f"ResNet{n}", (f"placement={place}",)) for n in DEPTHS for place in PLACEMENTS
    ),
    pairs=tuple((f"ResNet{n}-{place}", f"ResNet{n}-original") for n in DEPTHS for place in PLACEMENTS[1:]),
)


if __name__ == "__main__":
    command_line(STUDY, __doc__)
