"""Depth for width at the parameters of ResNet-110: 1202 thin layers, 110, and fewer, wider ones (Sec. 4.2).

python recipes/studies/depth_for_width.py --data-dir DIR
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from keras_resnet.studies import Arm, Study, command_line

PARAMETERS = 1_727_962  # of ResNet-110; every arm has them within 1.5 %

STUDY = Study(
    "depth_for_width",
    "At equal parameters, is it better to have more layers or wider ones?",
    arms=(
        Arm("ResNet110", "ResNet110", paper=6.43),
        Arm("ResNet1202-thin", "ResNet1202", ("filters=[5,9,19]",)),
        Arm("ResNet56-wide", "ResNet56", ("width=1.42",)),
        Arm("ResNet20-wide", "ResNet20", ("width=2.53",)),
    ),
    pairs=(("ResNet1202-thin", "ResNet110"), ("ResNet56-wide", "ResNet110"), ("ResNet20-wide", "ResNet110")),
)


if __name__ == "__main__":
    command_line(STUDY, __doc__)
