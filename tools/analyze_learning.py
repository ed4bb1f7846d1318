"""Instruments that differentiate the loss: gradients, gradients over a run, and curvature."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import numpy as np
from analyze_common import Instrument, OnImages

from keras_resnet import analysis, plots
from keras_resnet.bounds import Between, Count
from keras_resnet.errors import InputError
from keras_resnet.structure import weight_of
from keras_resnet.tables import Table
from keras_resnet.training.cifar import CifarSettings, cifar_task
from keras_resnet.typing import Normalization

DISTANCES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # as fractions of an image's norm
GRID = 25  # points along a line of the loss surface, and along each side of a plane
BINS = 200  # of the density's figure


@dataclass(frozen=True)
class Gradients(OnImages):
    """Gradient norms by layer and stage over batches, their flow over depth, and their correlation at nearby inputs."""

    normalization: Normalization = "moving"
    """Normalize by the moving statistics, or by those of each batch, as in training."""
    batch_size: Count = 32
    """Images per batch."""

    def run(self) -> None:
        result, flows, correlations, layers = {}, {}, {}, {}
        table = Table("gradients", ("network", "stage", "gradient norm, median", "smallest", "largest"))
        table.print_header()
        for name, (model, x, y) in self.load().items():
            loss = analysis.Loss(model, x, y, self.normalization, self.batch_size)
            norms = analysis.gradient_norms(loss)
            for stage, values in analysis.by_stage(norms).items():
                table.add(name, stage, *(f"{f(values):.4g}" for f in (np.median, np.min, np.max)))
            flow = analysis.flow(model, x[: self.batch_size], y[: self.batch_size], self.normalization)
            near = analysis.shattering(model, x[: self.batch_size], y[: self.batch_size], DISTANCES)
            result[name] = {"norms": {row.weight: row.norms for row in norms}, "flow": flow}
            result[name]["correlation"] = dict(zip(map(str, DISTANCES), near.mean(axis=1), strict=True))
            flows[name], correlations[name] = list(flow.values()), (DISTANCES, near.mean(axis=1))
            layers[name] = [float(np.median(row.norms)) for row in norms if weight_of(row.weight) == "kernel"]
        folder = self.write("gradients", {"normalization": self.normalization, "gradients": result}, [table])
        drawn = [
            plots.Panel("kernels, median over batches", "layer", "gradient norm", layers, log=True),
            plots.Panel("with respect to each part's output", "part", "gradient norm", flows, log=True),
            plots.Panel("nearby inputs", "distance / norm", "correlation of gradients", correlations, style="o-"),
        ]
        plots.panels(drawn, folder / "figure.png")


@dataclass(frozen=True)
class Training(Instrument):
    """Gradient norms and update/weight ratios of a CIFAR run at the checkpoints in its folder.

    The default of --out is <workdir>/analysis.
    """

    workdir: Path
    """The folder of a run of recipes/cifar10.py or of a study."""
    images: Count = 256
    """How many training images to use, without augmentation."""

    def run(self) -> None:
        from keras_resnet.training.files.checkpoints import CheckpointFolder, assign_model
        from keras_resnet.training.files.workdir import CHECKPOINTS, read_settings
        from keras_resnet.training.strategy import choose_strategy

        values = read_settings(self.workdir)
        if "augmentation" not in values or values.keys() - {field.name for field in fields(CifarSettings)}:
            raise InputError(f"{self.workdir} is not a run of recipes/cifar10.py: use gradients on its last.keras.")
        values |= {key: Path(values[key]) for key in ("data_dir", "workdir") if values[key] is not None}
        settings = CifarSettings(**values)
        task = cifar_task(settings)
        model = task.build_model(choose_strategy(), settings.steps)
        images = np.asarray(task.preprocessing(task.train.images[: self.images]))
        loss = analysis.Loss(model.network, images, task.train.labels[: self.images], "batch", batch_size=32)
        records, table = [], Table("training", ("step", *(f"gradient norm, {stage}" for stage in model.stages)))
        table.print_header()
        checkpoints = CheckpointFolder(self.workdir / CHECKPOINTS)
        for arrays, state in checkpoints.read_whole(checkpoints.steps()):
            step = state["step"]
            assign_model(model, arrays)
            loss.take_weights()
            norms = analysis.by_stage(analysis.gradient_norms(loss))
            ratios = analysis.update_ratios(model.network, model.optimizer)
            records.append({"step": step, "norms": norms, "ratios": ratios})
            table.add(step, *(f"{values.mean():.4g}" for values in norms.values()))
        if not records:
            raise InputError(f"{self.workdir} has no valid checkpoint: continue the run, or use gradients on a model.")
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


@dataclass(frozen=True)
class Curvature(OnImages):
    """Largest eigenvalues, trace and density of the Hessian of the loss, and the loss along random directions."""

    normalization: Normalization = "moving"
    """Normalize by the moving statistics, or by those of each batch, as in training."""
    eigenvalues: Annotated[int, Between(0, 1_000)] = 3
    """How many of the largest eigenvalues to compute."""
    probes: Annotated[int, Between(1, 10_000)] = 4
    """Random vectors for trace and density."""
    steps: Annotated[int, Between(1, 10_000)] = 30
    """Steps of Lanczos' method."""
    plane: bool = False
    """Draw the first model's loss over two directions too, in surface.png."""

    def run(self) -> None:
        result, densities, lines = {}, {}, {}
        distances = np.linspace(-1, 1, GRID)
        print(f"batch normalization: {self.normalization} statistics")
        table = Table("curvature", ("network", "loss", "largest eigenvalues", "smallest", "trace", "standard error"))
        table.print_header()
        plane = None
        for name, (model, x, y) in self.load().items():
            loss = analysis.Loss(model, x, y, self.normalization)
            top = analysis.top_eigenvalues(loss, self.eigenvalues)[0] if self.eigenvalues else np.zeros(0)
            trace, error = analysis.trace(loss, max(2, self.probes))
            spectrum = analysis.spectral_density(loss, self.steps, self.probes)
            line = analysis.surface(loss, distances, 1)
            cells = ", ".join(f"{value:.4g}" for value in top)
            table.add(name, f"{loss.value():.4f}", cells, f"{spectrum.nodes[0]:.4g}", f"{trace:.4g}", f"{error:.2g}")
            result[name] = {"loss": loss.value(), "top": top, "trace": trace, "trace_error": error}
            result[name] |= {"nodes": spectrum.nodes, "weights": spectrum.weights, "line": line}
            reach = np.linspace(spectrum.nodes[0], spectrum.nodes[-1], BINS)
            densities[name] = (reach, np.maximum(spectrum.density(reach, np.ptp(reach) / 60), 1e-9))
            lines[name] = (distances, line)
            if self.plane and plane is None:
                plane = analysis.surface(loss, distances, 2)
                result[name]["plane"] = plane
        top = {name: row["top"][0] for name, row in result.items() if len(row["top"])}
        about = {"normalization": self.normalization, "top": top}
        folder = self.write("curvature", about | {"curvature": result}, [table])
        words = f"{self.normalization} statistics"
        drawn = [
            plots.Panel(f"Hessian, {words}", "eigenvalue", "density", densities, log=True),
            plots.Panel(f"filter-normalized direction, {words}", "distance", "loss", lines, log=True),
        ]
        plots.panels(drawn, folder / "figure.png")
        if plane is not None:
            plots.contour(distances, plane, f"{self.model[0]}, {words}", folder / "surface.png")
