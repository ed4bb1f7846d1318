"""Do deeper plain networks train worse, and deeper residual ones better? (Sec. 1 and 4.2, Figs. 1 and 6, Table 6)

python recipes/studies/degradation.py --data-dir DIR
python recipes/studies/degradation.py --data-dir DIR --scale 0.02 --seeds 2 --arms ResNet20 PlainNet20
"""

from keras_resnet.studies import Arm, Study, command_line

PAPER = {20: 8.75, 32: 7.51, 44: 7.17, 56: 6.97, 110: 6.43}  # test error of ResNets (Table 6)

STUDY = Study(
    "degradation",
    "Does the training error rise with depth in plain networks, and fall in residual ones?",
    arms=(
        *(Arm(f"PlainNet{depth}", f"PlainNet{depth}") for depth in PAPER),
        *(Arm(f"ResNet{depth}", f"ResNet{depth}", paper=error) for depth, error in PAPER.items()),
    ),
    pairs=(
        ("PlainNet56", "PlainNet20"),
        ("ResNet56", "ResNet20"),
        ("ResNet20", "PlainNet20"),
        ("ResNet56", "PlainNet56"),
        ("ResNet110", "PlainNet110"),
    ),
    measure="train_error",
)

if __name__ == "__main__":
    command_line(STUDY, __doc__)
