"""Tables as Markdown and in columns for a terminal."""

from keras_resnet.tables import Table

TABLE = Table("sizes", ("network", "parameters"), [("ResNet20", "0.27M"), ("VGG", "")])


def test_markdown_aligns_numbers_to_the_right():
    assert TABLE.markdown() == "| network | parameters |\n|---|--:|\n| ResNet20 | 0.27M |\n| VGG |  |"


def test_a_bar_in_a_cell_is_no_edge_of_it():
    table = Table("classes", ("class", "photos"), [("cat | dog", "3")])
    assert table.markdown().splitlines()[-1] == "| cat \\| dog | 3 |"


def test_columns_of_a_terminal_are_of_equal_width():
    assert TABLE.aligned().splitlines() == [
        "network   parameters",
        "-" * 20,
        "ResNet20       0.27M",
        "VGG",
    ]
