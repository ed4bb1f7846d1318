"""The instrument for cost: parameters, multiply-adds and memory, estimated and measured."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from analyze_common import Instrument

import keras_resnet
from keras_resnet import analysis, plots
from keras_resnet.bounds import Between, Count, Pixels
from keras_resnet.errors import InputError
from keras_resnet.files import write_json
from keras_resnet.specs import change_spec, find_spec, parse_changes
from keras_resnet.tables import Table
from keras_resnet.training.files.run_result import hardware
from keras_resnet.training.settings import Precision

MIB = 2**20
EPOCH = {"imagenet": 1_281_167, "cifar": 45_000}  # training images


@dataclass(frozen=True)
class Cost(Instrument):
    """The cost of networks by layer and as a whole, estimated, and with --measure the measured cost of a step."""

    model: tuple[str, ...] = ("ResNet18", "ResNet34", "ResNet50", "ResNet101", "ResNet152")
    """Names of networks."""
    shortcuts: tuple[Literal["A", "B", "C"], ...] | None = None
    """Shortcuts to compare for each network; default: each network's own."""
    change: tuple[str, ...] = ()
    """Fields of their NetSpec, such as remat=true; for shortcut=, use --shortcuts."""
    batch_size: Count = 32
    """Images per step."""
    image_size: Pixels | None = None
    """Side of the images; default: 224, or 32 for CIFAR networks."""
    precision: Precision = "float32"
    """Number format of the layers."""
    memory_gib: Annotated[float, Between(0.001, 1_000_000)] = 16.0
    """The memory into which the largest batch must fit."""
    measure: bool = False
    """Train for a few steps in a separate process, and measure peak memory and seconds."""
    layers: bool = False
    """Print a table of each network's layers too."""

    def run(self) -> None:
        changes = parse_changes(self.change)
        if self.shortcuts and "shortcut" in changes:
            raise InputError("--shortcuts and --change shortcut= both choose the shortcut: give only one of them.")
        variants = [(n, changes | s) for n in self.model for s in self._shortcuts(n)]
        result, rows, parts, kept = {}, {}, {}, {}
        print(f"batch {self.batch_size}, {self.precision}; {hardware()}")
        measured = ("measured, MiB", "estimate/measured", "s/step", "h/epoch") if self.measure else ()
        estimated = ("kept/image, MiB", "optimizer, MiB", "peak, MiB", f"batch in {self.memory_gib:g} GiB")
        table = Table("cost", ("network", "parameters", "multiply-adds", *estimated, *measured))
        table.print_header()
        for name, change in variants:
            label = name + "".join(f" {key}={value}" for key, value in change.items())
            row, layers = self._row(name, change)
            result[label], rows[label] = row, [vars(layer) for layer in layers]
            table.add(label, *self._cells(row))
            if self.layers:
                self._print_layers(layers)
            parts[label] = row["estimate"]
            kept[label] = [layer.kept / MIB for layer in layers]
        folder = self.out or Path("runs/analysis/cost")
        self.keep(folder, "cost", self._about() | {"cost": result}, [table])
        write_json(folder / "layers.json", rows, indent=None)
        names = list(parts)
        terms = {term: [parts[n][term] / MIB for n in names] for term in parts[names[0]] if term != "total"}
        drawn = [
            plots.Panel(f"peak of a step of {self.batch_size}", "", "MiB", terms, log=True, style="o-", ticks=names),
            plots.Panel("kept for the backward pass", "layer", "MiB/image", kept),
        ]
        plots.panels(drawn, folder / "figure.png")
        print(f"result.json, layers.json and figure.png in {folder}")

    def _shortcuts(self, name) -> list[dict]:
        find_spec(name)
        return [{"shortcut": option} for option in self.shortcuts or ()] or [{}]

    def _about(self) -> dict:
        return {"batch_size": self.batch_size, "precision": self.precision, "memory_gib": self.memory_gib}

    def _row(self, name, change) -> tuple[dict, list]:
        import keras

        keras.config.set_dtype_policy(self.precision)
        spec = change_spec(find_spec(name), **change)
        size = self.image_size or (224 if spec.stem == "imagenet" else 32)
        with analysis.shapes_alone():
            network = keras_resnet.build(spec, input_shape=(size, size, 3))
        layers, peak = analysis.layer_costs(network), analysis.peak(network, self.batch_size)
        row = {
            "image_size": size,
            "parameters": sum(layer.parameters for layer in layers),
            "multiply_adds": analysis.multiply_adds(network),
            "kept_per_image": sum(layer.kept for layer in layers),
            "estimate": vars(peak) | {"total": peak.total},
            "largest_batch": analysis.largest_batch(network, int(self.memory_gib * 2**30)),
        }
        if self.measure:
            row["measured"] = vars(analysis.measure(name, change, self.batch_size, size, self.precision))
            row["hours_per_epoch"] = row["measured"]["seconds"] * EPOCH[spec.stem] / self.batch_size / 3600
        return row, layers

    def _cells(self, row) -> list[str]:
        estimate, measured = row["estimate"], row.get("measured")
        cells = [f"{row['parameters']:,}", f"{row['multiply_adds']:,}", f"{row['kept_per_image'] / MIB:.2f}"]
        cells += [f"{estimate[term] / MIB:,.0f}" for term in ("optimizer", "total")] + [f"{row['largest_batch']:,}"]
        if measured is None:
            return cells
        ratio = estimate["total"] / measured["peak"]
        cells += [f"{measured['peak'] / MIB:,.0f}", f"{ratio:.2f}", f"{measured['seconds']:.3g}"]
        return [*cells, f"{row['hours_per_epoch']:.3g}"]

    def _print_layers(self, layers) -> None:
        columns = ("layer", "output", "parameters", "multiply-adds", "output, bytes/image", "kept, bytes/image")
        table = Table("layers", columns)
        print()
        table.print_header()
        for layer in layers:
            counts = (layer.parameters, layer.multiply_adds, layer.output, layer.kept)
            table.add(layer.name, "x".join(map(str, layer.shape)), *(f"{count:,}" for count in counts))
        print()
