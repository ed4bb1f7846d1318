"""Depth against width: networks of 1202, 110, 56 and 20 layers with equal parameters, and of 110 and 20 layers.

python recipes/studies/depth_for_width.py --data-dir DIR

``--protocol pocket`` trains on 2,000 images. The large networks then have 864 parameters per image and the small ones
135; the paper's ResNet-1202, which overfits (Sec. 4.2), has 388.
"""

from keras_resnet.studies import Arm, Study, command_line

STUDY = Study(
    "depth_for_width",
    "At equal parameters, is it better to have more layers or wider ones?",
    arms=(
        Arm("ResNet110", "ResNet110", paper=6.43),
        Arm("ResNet1202-thin", "ResNet1202", ("filters=[5,9,19]",)),
        Arm("ResNet56-wide", "ResNet56", ("width=1.42",)),
        Arm("ResNet20-wide", "ResNet20", ("width=2.53",)),
        Arm("ResNet20", "ResNet20", paper=8.75),
        Arm("ResNet110-thin", "ResNet110", ("filters=[6,13,25]",)),
    ),
    pairs=(
        ("ResNet1202-thin", "ResNet110"),
        ("ResNet56-wide", "ResNet110"),
        ("ResNet20-wide", "ResNet110"),
        ("ResNet110-thin", "ResNet20"),
        ("ResNet20", "ResNet20-wide"),
    ),
    pocket={"train_images": 2000, "scale": 0.05},
)


if __name__ == "__main__":
    command_line(STUDY, __doc__)
