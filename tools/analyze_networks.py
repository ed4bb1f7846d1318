"""Instruments for networks in inference: responses, Lipschitz constants, conditioning, lesions."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from analyze_common import OnImages

from keras_resnet import analysis, plots
from keras_resnet.bounds import Between, Count
from keras_resnet.tables import Table

MAX_LENGTHS = 20  # of paths, spread evenly


@dataclass(frozen=True)
class Responses(OnImages):
    """Standard deviation of each 3x3 layer's output (Fig. 7)."""

    def run(self) -> None:
        results = {name: analysis.responses(model, x) for name, (model, x, _) in self.load().items()}
        stds = {name: [response.std for response in responses] for name, responses in results.items()}
        table = Table("responses", ("network", "3x3 layers", "mean std", "median", "largest"))
        table.print_header()
        for name, values in stds.items():
            table.add(name, len(values), *(f"{f(values):.3f}" for f in (np.mean, np.median, np.max)))
        layers = {name: {response.layer: response.std for response in rows} for name, rows in results.items()}
        means = {name: np.mean(values) for name, values in stds.items()}
        folder = self.write("responses", {"mean": means, "responses": layers}, [table])
        sizes = {name: sorted(values, reverse=True) for name, values in stds.items()}
        drawn = [
            plots.Panel("in layer order", "3x3 layer", "std", stds),
            plots.Panel("sorted by size", "3x3 layer, sorted", "std", sizes),
        ]
        plots.panels(drawn, folder / "figure.png")


@dataclass(frozen=True)
class LipschitzConstants(OnImages):
    """Spectral norms of layers, bounds for blocks, and constants measured at images, in inference."""

    images: Count = 8

    def run(self) -> None:
        results = {name: analysis.lipschitz(model, x) for name, (model, x, _) in self.load().items()}
        table = Table("lipschitz", ("network", "part", "bound", "measured, mean", "measured, largest"))
        table.print_header()
        result, bounds, measured, layers, largest = {}, {}, {}, {}, {}
        for name, parts in results.items():
            for part in parts:
                table.add(name, part.name, *(f"{v:.3f}" for v in (part.bound, part.local.mean(), part.local.max())))
            result[name] = [vars(part) for part in parts]
            bounds[name] = [part.bound for part in parts]
            largest[name] = max(part.local.max() for part in parts[1:-1])
            measured[name] = [float(part.local.mean()) for part in parts]
            layers[name] = [norm for part in parts for norm in part.layers.values()]
        about = {"normalization": "moving", "largest": largest}
        folder = self.write("lipschitz", about | {"lipschitz": result}, [table])
        drawn = [
            plots.Panel("bound of each part", "part", "bound", bounds, log=True),
            plots.Panel("measured at images, mean", "part", "norm of the Jacobian", measured, log=True),
            plots.Panel("convolutions and classifier", "layer", "spectral norm", layers, log=True),
        ]
        plots.panels(drawn, folder / "figure.png")


@dataclass(frozen=True)
class Conditioning(OnImages):
    """Singular values of each block's Jacobian, and of their product over each stage, at all images together."""

    images: Count = 1
    steps: Annotated[int, Between(1, 10_000)] = 30
    """Steps of Lanczos' method."""
    probes: Annotated[int, Between(1, 10_000)] = 2
    """Random start vectors."""

    def run(self) -> None:
        result, spread, products = {}, {}, {}
        quantiles = ("5 %", "median", "largest")
        columns = ("network", "block", *quantiles, *(f"product: {quantile}" for quantile in quantiles))
        table = Table("conditioning", columns)
        table.print_header()
        for name, (model, x, _) in self.load().items():
            rows = analysis.conditioning(model, x, self.steps, self.probes)
            values = {r.name: [analysis.singular_values(s) for s in (r.block, r.product)] for r in rows}
            result[name] = {block: {"block": a, "product": b} for block, (a, b) in values.items()}
            for block, pair in values.items():
                table.add(name, block, *(f"{v[key]:.3g}" for v in pair for key in ("5%", "50%", "max")))
            spread |= {f"{name}, {key}": [a[key] for a, _ in values.values()] for key in ("5%", "50%", "max")}
            products |= {f"{name}, {key}": [b[key] for _, b in values.values()] for key in ("5%", "50%", "max")}
        last = {name: list(blocks.values())[-1]["product"] for name, blocks in result.items()}
        about = {"normalization": "moving", "last_product": last}
        folder = self.write("conditioning", about | {"conditioning": result}, [table])
        drawn = [
            plots.Panel("blocks", "block that keeps its shape", "singular value", spread, log=True),
            plots.Panel("product over each stage", "block that keeps its shape", "singular value", products, log=True),
        ]
        plots.panels(drawn, folder / "figure.png")


@dataclass(frozen=True)
class Lesions(OnImages):
    """Errors with blocks deleted or reordered, and the gradients along the paths of residual networks."""

    images: Count = 1000
    draws: Annotated[int, Between(1, 10_000)] = 10
    """How many deletions of each size, orders, and paths of each length to draw."""
    path_images: Count = 32
    """How many images to use for the gradients of paths."""

    def run(self) -> None:
        result, deletions, counts, orders, lengths = {}, {}, {}, {}, {}
        without = (f"without one block, {which}" for which in ("lowest", "median", "highest"))
        table = Table("lesions", ("network", "error, %", *without, "blocks", "blocks on an average path"))
        table.print_header()
        for name, (model, x, y) in self.load().items():
            lesions = analysis.Lesions(model, x, y)
            one = {deletion.block: deletion.error for deletion in lesions.deletions()}
            some = sorted({1, 2, 3, 5, 8, 12, 20} & set(range(1, len(one))))
            several = lesions.delete_random(some, self.draws)
            swapped = [lesions.permute(swaps, seed) for seed in range(self.draws) for swaps in (1, 2, 4, 8)]
            result[name] = {"error": lesions.error(), "without": one, "without_several": several}
            result[name]["permuted"] = [vars(permutation) for permutation in swapped]
            deletions[name], on_path = list(one.values()), ""
            counts[name] = (some, [np.mean(several[count]) for count in some])
            orders[name] = tuple(zip(*((permutation.tau, permutation.error) for permutation in swapped), strict=True))
            if model.spec.residual:
                few = x[: self.path_images], y[: self.path_images]
                some_lengths = np.unique(np.linspace(0, len(one), MAX_LENGTHS).round().astype(int))
                paths = analysis.paths(model, *few, some_lengths, self.draws)
                result[name]["paths"] = vars(paths) | {"effective_length": paths.effective_length}
                on_path = f"{paths.effective_length:.1f}"
                lengths[name] = (paths.lengths, paths.contributions)
            errors = (lesions.error(), *(f(deletions[name]) for f in (np.min, np.median, np.max)))
            table.add(name, *(f"{error:.2f}" for error in errors), len(one), on_path)
        median = {name: np.median(errors) for name, errors in deletions.items()}
        folder = self.write("lesions", {"median": median, "lesions": result}, [table])
        drawn = [
            plots.Panel("without one block", "block", "error (%)", deletions, style="o-"),
            plots.Panel("without several, mean", "blocks deleted", "error (%)", counts, style="o-"),
            plots.Panel("reordered", "Kendall's tau with the original order", "error (%)", orders, style="o"),
        ]
        if lengths:
            drawn.append(plots.Panel("paths", "branches on the path", "share of the gradient", lengths, style="o-"))
        plots.panels(drawn, folder / "figure.png")
