"""Expected scaling of ImageNet training from 1 to 1,024 accelerators, by an analytical model (docs/scaling.md).

    python tools/scaling.py --plot docs/scaling.png

A step takes compute + all-reduce (which do not overlap: the gradient is sent in one piece after the backward pass), or
the time of the input if that is longer. Constants of the network are computed; those of the machine are flags, by
default those of a DGX A100.
"""

import functools
import math
from dataclasses import dataclass, field
from typing import Annotated

import keras_resnet
from keras_resnet import analysis, plots
from keras_resnet.bounds import Between, Count, Length
from keras_resnet.command_line import JsonFile, PngFile, run_tool
from keras_resnet.specs import find_spec
from keras_resnet.tables import Table, write_tables

TRAINING_PASSES = 3  # forward, and backward to inputs and to weights
COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
Rate, Share = Annotated[float, Between(1e-6, 1e9)], Annotated[float, Between(1e-6, 1)]
COLUMNS = ("accelerators", "images/s", "efficiency", "compute", "all-reduce", "decode cores each", "input")


@dataclass(frozen=True)
class Machine:
    """The constants of the model."""

    model: str = "ResNet50"
    peak_tflops: Rate = 312.0
    """Peak of one accelerator in bfloat16 (A100 data sheet), 10^12 operations per second."""
    utilization: Share = 0.2
    """Share of the peak that training reaches, an assumption; measure it with tools/benchmark.py train."""
    node_size: Count = 8
    """Accelerators per machine."""
    node_gigabytes: Rate = 300.0
    """One-way bandwidth between accelerators of a machine, GB/s (A100 data sheet: NVLink, 600 both ways)."""
    network_gigabytes: Rate = 200.0
    """One-way bandwidth of a machine to the others, GB/s (DGX A100 data sheet: 8 x 200 Gbit/s)."""
    link_efficiency: Share = 0.6
    """Share of a link's bandwidth that an all-reduce reaches, an assumption."""
    latency_us: Annotated[float, Between(0, 1e9)] = 15.0
    """Latency of a message between machines in microseconds, an assumption."""
    core_images: Rate = 470.0
    """Images per second that one core decodes and augments (tools/benchmark.py input, see docs/scaling.md)."""
    cores: Count = 16
    """Cores per accelerator (DGX A100: 128 for 8)."""
    image_kilobytes: Rate = 115.0
    """Mean size of an ImageNet training photo: 147.9 GB of 1,281,167."""

    @functools.cached_property
    def network(self) -> tuple[int, int]:
        """Operations to train on one image, and bytes of the float32 gradient."""
        with analysis.shapes_alone():
            network = keras_resnet.build(find_spec(self.model))
        size = sum(math.prod(variable.shape) for variable in network.trainable_variables)
        return 2 * TRAINING_PASSES * analysis.multiply_adds(network), 4 * size

    def step(self, count: int, batch: int) -> dict[str, float]:
        """Seconds of a step on ``count`` accelerators with ``batch`` images each, and the cores and input it needs."""
        operations, gradient_bytes = self.network
        compute = batch * operations / (self.peak_tflops * 1e12 * self.utilization)
        reduce = self.all_reduce(count, gradient_bytes)
        input_time = batch / (self.core_images * self.cores)
        step = max(compute + reduce, input_time)
        rate = count * batch / step
        return {
            "compute": compute,
            "reduce": reduce,
            "step": step,
            "images_per_second": rate,
            "cores": batch / step / self.core_images,
            "gigabytes": rate * self.image_kilobytes / 1e6,
        }

    def all_reduce(self, count: int, size: float) -> float:
        """Seconds of a ring all-reduce within machines, then between them: each sends 2 (n - 1) / n of the bytes."""
        local = min(count, self.node_size)
        nodes = -(-count // self.node_size)
        inside = 2 * (local - 1) / local * size / (self.node_gigabytes * 1e9 * self.link_efficiency)
        between = 2 * (nodes - 1) / nodes * size / (self.network_gigabytes * 1e9 * self.link_efficiency)
        return inside + between + 2 * (nodes - 1) * self.latency_us * 1e-6


@dataclass(frozen=True)
class Scaling:
    """The table, and a plot."""

    machine: Machine = field(default_factory=Machine)
    batches: Annotated[tuple[Count, ...], Length(1, 100)] = (32, 256)
    """Images per step on each accelerator; 32 is the paper's."""
    plot: PngFile | None = None
    """PNG file for the plot."""
    json: JsonFile | None = None
    """JSON file to which the tables are written as well."""

    def run(self) -> None:
        """Print the tables, and draw the plot."""
        curves, tables = {}, []
        for batch in self.batches:
            print(f"\n{self.machine.model}, {batch} images on each accelerator\n")
            table = Table(f"{batch} images each", COLUMNS)
            tables.append(table)
            table.print_header()
            one = self.machine.step(1, batch)["images_per_second"]
            curves[f"{batch} images each"] = []
            for count in COUNTS:
                values = self.machine.step(count, batch)
                efficiency = values["images_per_second"] / (count * one)
                curves[f"{batch} images each"].append((count, 100 * efficiency))
                table.add(
                    f"{count:,}", f"{values['images_per_second']:,.0f}", f"{efficiency:.0%}",
                    f"{1e3 * values['compute']:.1f} ms", f"{1e3 * values['reduce']:.1f} ms", f"{values['cores']:.1f}",
                    f"{values['gigabytes']:.2f} GB/s",
                )  # fmt: skip
        write_tables(self.json, tables)
        if self.plot:
            plots.scaling(curves, self.plot)


if __name__ == "__main__":
    run_tool(Scaling, __doc__)
