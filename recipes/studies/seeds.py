"""How much runs differ: best, mean and standard deviation of five runs, as Table 6 gives them for ResNet-110.

python recipes/studies/seeds.py --data-dir DIR
"""

from keras_resnet.studies import Arm, Study, command_line

STUDY = Study(
    "seeds",
    "How far apart are five runs of one network, and are networks of different depth further apart?",
    arms=(
        Arm("ResNet20", "ResNet20", paper=8.75),
        Arm("ResNet56", "ResNet56", paper=6.97),
        Arm("ResNet110", "ResNet110", paper=6.43),  # 6.61 +- 0.16 over five runs
    ),
    pairs=(("ResNet56", "ResNet20"), ("ResNet110", "ResNet56")),
    seeds=5,
)


if __name__ == "__main__":
    command_line(STUDY, __doc__)
