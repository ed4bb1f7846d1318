"""Table 1 for all networks and VGG: output sizes, parameters and multiply-adds, with the paper's values.

python tools/table1.py
python tools/table1.py --format csv > table1.csv
"""

import csv
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import tqdm

import keras_resnet
from keras_resnet.command_line import run_tool
from keras_resnet.tables import Table

COLUMNS = ("network", "layers", "conv1", "conv2", "conv3", "conv4", "conv5", "parameters", "multiply-adds", "paper")
PAPER = {  # multiply-adds (Table 1, Sec. 3.3; VGG's without the fully connected layers), or parameters (Table 6)
    **{"ResNet18": "1.8e9", "ResNet34": "3.6e9", "ResNet50": "3.8e9", "ResNet101": "7.6e9", "ResNet152": "11.3e9"},
    **{"PlainNet18": "1.8e9", "PlainNet34": "3.6e9", "VGG16": "15.3e9", "VGG19": "19.6e9"},
    **{"ResNet20": "0.27M", "ResNet32": "0.46M", "ResNet44": "0.66M", "ResNet56": "0.85M"},
    **{"ResNet110": "1.7M", "ResNet1202": "19.4M"},
}


def network_row(name: str) -> tuple:
    spec = keras_resnet.SPECS[name]
    model = keras_resnet.build(replace(spec, unroll=False))  # a loop is counted from one of its blocks
    convolved = next(layer.output for layer in model.layers if layer.weights)
    maps = [convolved, *(stage.output for stage in model.stages)]
    return _row(name, spec.depth, [feature_map.shape[1] for feature_map in maps], model)


def vgg_row(name: str) -> tuple:
    import keras

    model = getattr(keras.applications, name)(weights=None)
    pools = [model.get_layer(f"block{i}_pool").input.shape[1] for i in range(1, 6)]
    return _row(name, int(name.removeprefix("VGG")), pools, model)


def _row(name, depth, sizes, model) -> tuple:
    sizes = [f"{size}x{size}" for size in sizes] + [""] * (5 - len(sizes))
    parameters = sum(math.prod(v.shape) for v in model.trainable_variables)
    return name, depth, *sizes, parameters, keras_resnet.analysis.multiply_adds(model), PAPER.get(name, "")


ROWS: dict[str, Callable[[str], tuple]] = {
    **dict.fromkeys(keras_resnet.SPECS, network_row),
    "VGG16": vgg_row,
    "VGG19": vgg_row,
}


@dataclass(frozen=True)
class Table1:
    """The format of the table."""

    format: Literal["terminal", "markdown", "csv"] = "terminal"
    """Aligned columns, a Markdown table, or comma-separated values."""

    def run(self) -> None:
        with keras_resnet.analysis.shapes_alone():
            rows = [make(name) for name, make in tqdm.tqdm(ROWS.items(), disable=None, leave=False)]
        if self.format == "csv":
            csv.writer(sys.stdout, lineterminator="\n").writerows([COLUMNS, *rows])
            return
        rows = [tuple(f"{cell:,}" if isinstance(cell, int) else cell for cell in row) for row in rows]
        table = Table("table1", COLUMNS, rows)
        print(table.markdown() if self.format == "markdown" else table.aligned())


if __name__ == "__main__":
    run_tool(Table1, __doc__)
