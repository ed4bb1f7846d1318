"""Bottleneck blocks against basic blocks (Fig. 5), with multiply-adds or parameters matched to within 1.5 %.

python recipes/studies/bottleneck.py --data-dir DIR
"""

from keras_resnet.studies import Arm, Study, command_line


def bottleneck(blocks: int, filters: tuple[int, int, int]) -> tuple[str, ...]:
    """Changes for a network with this many bottlenecks per stage, whose 3x3 convolutions have these widths."""
    return ("block=bottleneck", f"blocks={[blocks] * 3}", f"filters={list(filters)}")


STUDY = Study(
    "bottleneck",
    "Is a bottleneck better than a basic block of the same cost?",
    arms=(
        Arm("basic20", "ResNet20"),
        Arm("bottleneck29-multiply-adds", "ResNet20", bottleneck(3, (17, 32, 64))),
        Arm("bottleneck29-parameters", "ResNet20", bottleneck(3, (16, 32, 64))),
        Arm("basic56", "ResNet56"),
        Arm("bottleneck83-multiply-adds", "ResNet56", bottleneck(9, (17, 32, 65))),
        Arm("bottleneck56-parameters", "ResNet56", bottleneck(6, (20, 40, 80))),
    ),
    pairs=(
        ("bottleneck29-multiply-adds", "basic20"),
        ("bottleneck29-parameters", "basic20"),
        ("bottleneck83-multiply-adds", "basic56"),
        ("bottleneck56-parameters", "basic56"),
    ),
)


if __name__ == "__main__":
    command_line(STUDY, __doc__)
