"""Training and inference of whole networks against other systems, each in a separate process, in turns."""

import contextlib
import importlib.util
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from benchmark_contestant import SYSTEMS
from benchmark_turns import Benchmark, Rounds, Seconds

import keras_resnet
from keras_resnet.bounds import Count, Length
from keras_resnet.command_line import PngFile
from keras_resnet.errors import InputError
from keras_resnet.specs import NetSpec, find_spec
from keras_resnet.tables import Table, write_tables

BATCHES = {"imagenet": 16, "cifar": 128}
IN_APPLICATIONS = ("ResNet50", "ResNet101", "ResNet152")
PEAK, OURS = "matrix peak", next(iter(SYSTEMS))
START = "import sys; from benchmark_contestant import main; main(*sys.argv[1:5], int(sys.argv[5]))"
Other = Literal["keras_resnet, unfolded", "stock normalization", "keras.applications", "PyTorch", "PyTorch, compiled"]
COLUMNS = ("network", "precision", "system", "images/s", "least", "most", "GFLOP/s", "of the peak", "ours to it")


@dataclass(frozen=True, kw_only=True)
class Networks(Benchmark):
    """The flags of both comparisons; the peak is the rate of a large matrix product, measured in the same turns."""

    models: tuple[str, ...] = ("ResNet50", "ResNet20")
    """Names of networks."""
    precisions: tuple[Literal["float32", "mixed_bfloat16"], ...] = ("float32", "mixed_bfloat16")
    """Number formats of the layers."""
    peer: Literal["torch"] | None = None
    """Compare with PyTorch too, eager and compiled (`make peers` installs it)."""
    against: Annotated[tuple[Other, ...], Length(1, 5)] | None = None
    """Compare this package only with these, as where not all fit into a GPU's memory; default: with all."""
    batch_size: Count | None = None
    """Default: 16, or 128 for CIFAR networks."""
    rounds: Rounds = 5
    """How often each contestant takes a turn."""
    seconds: Seconds = 6.0
    """The approximate length of a turn."""
    plot: PngFile | None = None
    """A PNG file for a bar chart of the rates."""

    def __post_init__(self):
        if self.peer and importlib.util.find_spec(self.peer) is None:
            raise InputError(f"--peer {self.peer} needs PyTorch, which is not installed: make peers installs it.")

    def compare(self, work: Literal["train", "inference"], systems: dict[str, tuple[str, ...]], passes: int) -> None:
        """Print the table, and write it.

        Args:
            work: the work of a turn.
            systems: names in ``SYSTEMS``, each with the networks that it has; () means all networks.
            passes: the multiply-adds of a turn as a multiple of those of the forward pass.
        """
        specs = [find_spec(name) for name in self.models]
        systems = systems | ({"PyTorch": (), "PyTorch, compiled": ()} if self.peer else {})
        wanted = {OURS, *(self.against or systems)}
        systems = {name: networks for name, networks in systems.items() if name in wanted}
        table, bars = Table(work, COLUMNS), {}
        table.print_header()
        for spec in specs:
            with keras_resnet.analysis.shapes_alone():
                network = keras_resnet.build(spec)
            operations = 2e-9 * passes * keras_resnet.analysis.multiply_adds(network)
            chosen = [name for name, networks in systems.items() if not networks or spec.name in networks]
            for precision in self.precisions:
                rates = self._rates(work, [PEAK, *chosen], spec, precision)
                peak, of_this_package = (statistics.median(rates[name]) for name in (PEAK, OURS))
                group = bars.setdefault(f"{spec.name}, {precision}", {})
                for name in chosen:
                    group[name] = rate = statistics.median(rates[name])
                    least, most = (f"{end(rates[name]):.1f}" for end in (min, max))
                    achieved, ratio = operations * rate, "" if name == OURS else f"{of_this_package / rate:.2f}"
                    table.add(spec.name, precision, name, f"{rate:.1f}", least, most, f"{achieved:.0f}",
                              f"{achieved / peak:.0%}", ratio)  # fmt: skip
                table.add(spec.name, precision, PEAK, "", "", "", f"{peak:.0f}", "", "")
        write_tables(self.json, [table])
        if self.plot:
            from keras_resnet import plots

            plots.rates(bars, "images/s", self.plot)

    def _rates(self, work: str, systems: list[str], spec: NetSpec, precision: str) -> dict[str, list[float]]:
        """The images/s of each system in each round, and the GFLOP/s of the peak."""
        rates, batch = {name: [] for name in systems}, self.batch_size or BATCHES[spec.stem]
        with contextlib.ExitStack() as stack:
            contestants = [stack.enter_context(Contestant(name, work, spec.name, precision, batch)) for name in systems]
            for contestant in contestants:  # which compile at the same time
                contestant.wait()
            for _ in range(self.rounds):
                for contestant in contestants:
                    rates[contestant.system].append(contestant.rate(self.seconds))
        return rates


class Contestant:
    """A process that runs its first steps and then waits for its turns; the end of the ``with`` block kills it.

    Raises:
        InputError: the process ended early; the message has its last line.
    """

    def __init__(self, system: str, *words: object):
        self.system, self._errors = system, tempfile.TemporaryFile("w+")  # noqa: SIM115 - a pipe would fill unread
        self._process = subprocess.Popen(
            [sys.executable, "-c", START, system, *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=Path(__file__).parent,
        )

    def __enter__(self) -> "Contestant":
        return self

    def __exit__(self, *_) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def wait(self) -> None:
        """Wait for its first steps."""
        while self._answer() != "ready":
            pass

    def rate(self, seconds: float) -> float:
        """Its rate, in a turn of this many seconds."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{seconds}\n")
            self._process.stdin.flush()
        return float(self._answer())

    def _answer(self) -> str:
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            last = (self._errors.read().strip().splitlines() or ["no message"])[-1]
            raise InputError(f"{self.system} ended early: {last}.")
        return line.strip()


@dataclass(frozen=True, kw_only=True)
class Train(Networks):
    """Training images/s of whole steps (forward, backward, update) on one fixed batch."""

    def measure(self) -> None:
        self.compare("train", {OURS: (), "stock normalization": (), "keras.applications": IN_APPLICATIONS}, 3)


@dataclass(frozen=True, kw_only=True)
class Inference(Networks):
    """Images/s of inference with normalization folded into the convolutions, against unfolded and other systems."""

    def measure(self) -> None:
        self.compare("inference", {OURS: (), f"{OURS}, unfolded": (), "keras.applications": IN_APPLICATIONS}, 1)
