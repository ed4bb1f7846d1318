"""Instruments that differentiate the loss of networks: gradients and curvature."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from analyze_common import OnImages

from keras_resnet import analysis, plots
from keras_resnet.bounds import Between, Count
from keras_resnet.structure import weight_of
from keras_resnet.tables import Table
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
