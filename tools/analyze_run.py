"""Instruments on the checkpoints of a CIFAR run: its gradients over time, and its network at a given loss."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from analyze_common import Instrument, sample

from keras_resnet import analysis, plots
from keras_resnet.bounds import Count, Length, Positive
from keras_resnet.command_line import Folder
from keras_resnet.errors import InputError
from keras_resnet.files import write_whole
from keras_resnet.tables import Table
from keras_resnet.training.cifar import CifarSettings, cifar_task

if TYPE_CHECKING:
    from keras_resnet.training import Classification
    from keras_resnet.training.state import State
    from keras_resnet.training.stepping.training_model import TrainingModel


class Run:
    """The task and the model of the run in ``workdir``.

    Raises:
        InputError: it is not the folder of a CIFAR run.
    """

    def __init__(self, workdir: Path):
        from keras_resnet.training.files.workdir import read_settings
        from keras_resnet.training.strategy import choose_strategy

        self.workdir = workdir
        values = read_settings(workdir)
        if "augmentation" not in values or values.keys() - {field.name for field in fields(CifarSettings)}:
            raise InputError(f"{workdir} is not a run of recipes/cifar10.py: use gradients on its last.keras.")
        values |= {key: Path(values[key]) for key in ("data_dir", "workdir") if values[key] is not None}
        settings = CifarSettings(**values)
        self.task: Classification = cifar_task(settings)
        self.model: TrainingModel = self.task.build_model(choose_strategy(), settings.steps or 1)

    def at_checkpoints(self) -> "Iterator[State]":
        """The state at each valid checkpoint, in the order of the steps; ``model`` then has its variables.

        Raises:
            InputError: there is no valid checkpoint.
        """
        from keras_resnet.training.files.checkpoints import CheckpointFolder, assign_model
        from keras_resnet.training.files.workdir import CHECKPOINTS
        from keras_resnet.training.state import State

        checkpoints, any_valid = CheckpointFolder(self.workdir / CHECKPOINTS), False
        for arrays, state in checkpoints.read_whole(checkpoints.steps()):
            any_valid = True
            assign_model(self.model, arrays)
            yield State(**state)
        if not any_valid:
            raise InputError(f"{self.workdir} has no valid checkpoint: continue the run, or use gradients on a model.")


@dataclass(frozen=True)
class AtLoss:
    """Save the network of a CIFAR run when its training loss was first below given values.

    The loss at a checkpoint is that of metrics.csv for the steps around it, at most 50; the recipe's --keep-every 50
    keeps checkpoints. Networks can thus be compared at equal loss. Normalization gets the statistics of the weights, as
    at the end of a run.
    """

    workdir: Path
    """The folder of a run of recipes/cifar10.py or of a study."""
    below: Annotated[tuple[Positive, ...], Length(1, 20)]
    """The values; each network is saved as <run>-loss<value>.keras."""
    out: Folder = Path("runs/analysis/at-loss")
    """The folder for the networks."""

    def run(self) -> None:
        from keras_resnet.training.files.metrics_file import read_metrics
        from keras_resnet.training.files.workdir import METRICS

        run, left = Run(self.workdir), sorted(self.below, reverse=True)
        rows = [row for row in read_metrics(self.workdir / METRICS) if row["split"] == "train" and "loss" in row]
        ends = [row["step"] for row in rows]
        table = Table("at-loss", ("below", "step", "training loss", "network"))
        table.print_header()
        for state in run.at_checkpoints():
            window = np.searchsorted(ends, state.step)
            loss = rows[window]["loss"] if state.step and window < len(rows) else np.inf
            if not left or loss >= left[0]:
                continue
            run.task.recalibrate(run.model, state)
            while left and loss < left[0]:
                path = self.out / f"{self.workdir.name}-loss{left[0]:g}.keras"
                self.out.mkdir(parents=True, exist_ok=True)
                write_whole(path, run.model.saved().save)
                table.add(f"{left.pop(0):g}", state.step, f"{loss:.4f}", path)
        if left:
            raise InputError(
                f"No checkpoint of {self.workdir} has a training loss below {left[0]:g}: train longer, or give higher "
                "values to --below."
            )


@dataclass(frozen=True)
class Training(Instrument):
    """Gradient norms and update/weight ratios of a CIFAR run at the checkpoints in its folder.

    The default of --out is <workdir>/analysis.
    """

    workdir: Path
    """The folder of a run of recipes/cifar10.py or of a study."""
    images: Count = 256
    """How many training images to use, evenly spaced, without augmentation."""

    def run(self) -> None:
        run = Run(self.workdir)
        model, train = run.model, run.task.train
        chosen = sample(len(train), self.images)
        images = np.asarray(run.task.preprocessing(train.images[chosen]))
        loss = analysis.Loss(model.network, images, train.labels[chosen], "batch", batch_size=32)
        records, table = [], Table("training", ("step", *(f"gradient norm, {stage}" for stage in model.stages)))
        table.print_header()
        for state in run.at_checkpoints():
            loss.take_weights()
            norms = analysis.by_stage(analysis.gradient_norms(loss))
            ratios = analysis.update_ratios(model.network, model.optimizer)
            records.append({"step": state.step, "norms": norms, "ratios": ratios})
            table.add(state.step, *(f"{values.mean():.4g}" for values in norms.values()))
        folder = self.out or self.workdir / "analysis"
        last = {stage: norms.mean() for stage, norms in records[-1]["norms"].items()}
        result = {"run": self.workdir.name, "normalization": "batch", "last": last, "records": records}
        self.keep(folder, "training", result, [table])
        steps = [record["step"] for record in records]
        stages = {s: (steps, [r["norms"][s].mean() for r in records]) for s in records[0]["norms"]}
        ratios = {f"step {r['step']}": list(r["ratios"].values()) for r in records if any(r["ratios"].values())}
        drawn = [
            plots.Panel("stages, mean over batches", "step", "gradient norm", stages, log=True, style="o-"),
            plots.Panel("kernels", "layer", "update / weight", ratios, log=True),
        ]
        plots.panels(drawn, folder / "figure.png")
        print(f"result.json and figure.png in {folder}")
