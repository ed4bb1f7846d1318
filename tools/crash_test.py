"""Kill a training run again and again, and check that it ends exactly like one that was never interrupted.

    python tools/crash_test.py --kills 20 --while-saving 6 -- --data-dir TFDS_DIR

trains ResNet-20 on CIFAR-10 once without interruption, then again with SIGKILL at random moments, some of them while a
checkpoint is being written. After each kill the same command runs again, and the first checkpoint it writes is compared
bit for bit with that of the uninterrupted run at the same step; at the end the curves are compared as well. The exit
status is 1 unless all are equal and all requested kills took place. Arguments after ``--`` are passed to
recipes/cifar10.py, such as other data, another model, precision or batch.
"""

import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from keras_resnet.bounds import Between, Steps
from keras_resnet.command_line import Folder, run_tool
from keras_resnet.errors import InputError
from keras_resnet.programs import find
from keras_resnet.tables import Table
from keras_resnet.training.files.metrics_file import read_metrics

EQUAL_COLUMNS = ("split", "step", "loss", "error", "learning_rate")


@dataclass(frozen=True)
class CrashTest:
    """A run that is killed and continued."""

    recipe: Positional[tuple[str, ...]] = ()
    """Arguments of recipes/cifar10.py."""
    workdir: Folder = Path("runs/crash-test")
    """Folder for the two runs and ``table.md``."""
    kills: Annotated[int, Between(1, 10_000)] = 20
    while_saving: Annotated[int, Between(0, 10_000)] = 6
    """Number of kills that take place while a checkpoint is being written."""
    steps: Steps = 600
    save_every: Steps = 10
    longest: Annotated[float, Between(0, 100_000)] = 8.0
    """Maximum seconds of training between two kills."""
    seed: Annotated[int, Between(0, 2**31 - 1)] = 0
    """Seed of the random moments."""

    def command(self, name: str) -> list[str]:
        """The training command of the run ``name``."""
        return [
            sys.executable, str(find("cifar10")), *self.recipe, "--steps", str(self.steps),
            "--save-every", str(self.save_every), "--workdir", str(self.workdir / name),
        ]  # fmt: skip

    def run(self) -> None:
        if self.while_saving > self.kills:
            raise InputError(f"--while-saving {self.while_saving} is more than all --kills {self.kills}: give fewer.")
        print(shlex.join(self.command("whole")), flush=True)
        whole = Run(self, "whole")
        whole.wait()
        draw = random.Random(self.seed)
        saving = set(draw.sample(range(self.kills), self.while_saving))
        table = Table("kills", ("kill", "after step", "while", "continued at", "next checkpoint", "equal"))
        table.print_header()
        broken = Run(self, "broken")
        for number in range(self.kills):
            row = broken.kill(number in saving, draw.uniform(0, self.longest), draw.uniform(0, 0.004))
            if row is None:
                print(f"the run ended after {number} kills: give more --steps or a shorter --longest", flush=True)
                break
            killed_at, writing = row
            broken = Run(self, "broken")
            step, digest = broken.first_new_checkpoint()
            equal = "yes" if whole.hashes.get(step) == digest else "NO"
            activity = "a checkpoint was written" if writing else "training"
            table.add(number + 1, killed_at, activity, broken.continued_at, step, equal)
        broken.wait()
        differing = [step for step, digest in broken.hashes.items() if whole.hashes.get(step) != digest]
        words = f"\ncheckpoints of the last process that differ: {differing or 'none'} of {len(broken.hashes)}\n"
        curves = [self._curves(name) for name in ("whole", "broken")]
        words += f"curves ({', '.join(EQUAL_COLUMNS)}): {'equal' if curves[0] == curves[1] else 'DIFFERENT'}, "
        words += f"{len(curves[0])} points"
        (self.workdir / "table.md").write_text(f"{table.markdown()}\n{words}\n")
        print(words)
        unequal = differing or curves[0] != curves[1] or any(row[-1] == "NO" for row in table.rows)
        if unequal or len(table.rows) < self.kills:
            raise SystemExit("The killed run differs from the whole one, or there were fewer kills than requested.")

    def _curves(self, name):
        rows = read_metrics(self.workdir / name / "metrics.csv")
        return [tuple(row.get(column) for column in EQUAL_COLUMNS) for row in rows]


class Run:
    """One process of a run, and the hashes of the checkpoints that it has written so far."""

    def __init__(self, test: CrashTest, name: str):
        self.folder = test.workdir / name / "checkpoints"
        self.before = set(self._steps())
        self.continued_at = max(self.before, default=0)
        self.hashes: dict[int, str] = {}
        self.process = subprocess.Popen(test.command(name), stdout=subprocess.DEVNULL)

    def _steps(self) -> list[int]:
        return sorted(int(path.name.removeprefix("step-")) for path in self.folder.glob("step-*"))

    def collect(self) -> bool:
        """Hash new checkpoints; return whether the process is still running."""
        for step in self._steps():
            if step not in self.hashes and step not in self.before:
                try:
                    content = json.loads((self.folder / f"step-{step:09d}" / "state.json").read_text())
                except FileNotFoundError:  # removed meanwhile
                    continue
                state = {key: value for key, value in content["state"].items() if key != "seconds"}
                self.hashes[step] = content["variables_sha256"] + json.dumps(state)
        return self.process.poll() is None

    def wait(self) -> None:
        """Wait until the process ends."""
        while self.collect():
            time.sleep(0.05)
        if self.process.returncode:
            raise SystemExit(f"the run ended with status {self.process.returncode}")

    def first_new_checkpoint(self) -> tuple[int, str]:
        """Step and hash of the first checkpoint that this process writes."""
        while not self.hashes and self.collect():
            time.sleep(0.02)
        return min(self.hashes.items(), default=(-1, ""))

    def kill(self, while_saving: bool, after: float, delay: float) -> tuple[int, bool] | None:
        """Kill the process after ``after`` seconds, or ``delay`` seconds into the next writing of a checkpoint.

        Returns:
            The step of the last checkpoint, and whether another one was half written; None if the run had ended.
        """
        self.first_new_checkpoint()
        until = time.monotonic() + after
        while time.monotonic() < until and self.collect():
            time.sleep(0.02)
        while while_saving and self.process.poll() is None:
            if any(self.folder.glob("part-*")):
                time.sleep(delay)
                self.process.send_signal(signal.SIGSTOP)
                os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
                if any(self.folder.glob("part-*")):  # it is stopped in the middle of writing
                    break
                self.process.send_signal(signal.SIGCONT)
        if self.process.poll() is not None:
            return None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        return max(self._steps()), any(self.folder.glob("part-*"))


if __name__ == "__main__":
    run_tool(CrashTest, __doc__)
