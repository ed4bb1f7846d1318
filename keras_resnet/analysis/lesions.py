"""Lesions: errors after blocks are deleted or reordered (Veit, Wilber, Belongie 2016)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import keras
import numpy as np
from scipy.stats import kendalltau

from keras_resnet.analysis.parts import Part, split
from keras_resnet.errors import InputError
from keras_resnet.evaluation import Scores
from keras_resnet.typing import Tensor


@dataclass(frozen=True)
class Deletion:
    """The ``error``, in percent, without ``block``."""

    block: str
    error: float


@dataclass(frozen=True)
class Permutation:
    """The ``error``, in percent, with the blocks reordered; ``tau`` is Kendall's rank correlation with their order."""

    tau: float
    error: float


class Lesions:
    """A network's error on fixed images with blocks missing or in another order, in inference.

    Deleting a residual block removes its branch and keeps its shortcut. Deleting a block of a plain network replaces it
    by the identity, which requires that its input and output have the same shape.

    Args:
        model: a network of this package with its classifier, looped or not.
        images: preprocessed images ``[count, height, width, channels]``.
        labels: int ``[count]``.
        batch_size: images in one pass.
    """

    def __init__(
        self, model: keras.Model, images: np.ndarray | Tensor, labels: np.ndarray | Tensor, batch_size: int = 256
    ):
        self.parts = split(model)
        self.labels = np.asarray(labels)
        self.batches = [images[i : i + batch_size] for i in range(0, len(images), batch_size)]
        self.residual = model.spec.residual
        self._models = {part.name: part.model for part in self.parts}
        self._without: dict[str, keras.Model | None] = {}
        self._inputs = [self._run(batch) for batch in self.batches]

    @property
    def blocks(self) -> list[str]:
        """The names of the blocks that can be deleted."""
        return [part.name for part in self.parts if part.is_block and (self.residual or part.keeps_shape)]

    def error(self) -> float:
        """The error of the whole network, in percent."""
        return self._error([values[-1] for values in self._inputs])

    def delete(self, *blocks: str) -> float:
        """The error in percent without ``blocks``."""
        unknown = [name for name in blocks if name not in self.blocks]
        if unknown:
            raise InputError(f"{unknown[0]} cannot be deleted: choose from {', '.join(self.blocks)}.")
        models = dict(self._models)
        for name in blocks:
            models[name] = self._lesioned(name)
        first = min((i for i, part in enumerate(self.parts) if part.name in blocks), default=len(self.parts))
        return self._error(self._finish(first, [models[part.name] for part in self.parts[first:]]))

    def deletions(self) -> list[Deletion]:
        """The errors without each single block."""
        return [Deletion(name, self.delete(name)) for name in self.blocks]

    def delete_random(self, counts: Iterable[int], draws: int = 5, seed: int = 0) -> dict[int, list[float]]:
        """For each number of blocks in ``counts``, the errors without that many blocks, drawn ``draws`` times."""
        rng = np.random.default_rng(seed)
        return {
            count: [self.delete(*rng.choice(self.blocks, count, replace=False)) for _ in range(draws)]
            for count in counts
        }

    def permute(self, swaps: int, seed: int = 0) -> Permutation:
        """The error after ``swaps`` swaps of two blocks of the same stage and shape, drawn at random."""
        rng = np.random.default_rng(seed)
        order = list(range(len(self.parts)))
        places: dict[str, list[int]] = {}
        for i, part in enumerate(self.parts):
            if part.is_block and part.keeps_shape:
                places.setdefault(part.stage, []).append(i)
        groups = [group for group in places.values() if len(group) > 1]
        if not groups:
            raise InputError("No stage has two blocks of the same shape: there is nothing to permute.")
        for _ in range(swaps):
            a, b = rng.choice(groups[rng.integers(len(groups))], 2, replace=False)
            order[a], order[b] = order[b], order[a]
        movable = [i for group in groups for i in group]
        tau = kendalltau(movable, [order[i] for i in movable]).statistic
        changed = [i for i in movable if order[i] != i]
        if not changed:
            return Permutation(1.0, self.error())
        chain = [self._models[self.parts[i].name] for i in order[min(changed) :]]
        return Permutation(float(tau), self._error(self._finish(min(changed), chain)))

    def _run(self, x) -> list:
        """The inputs of all parts, followed by the network's output."""
        values = [x]
        for part in self.parts:
            values.append(part.model(values[-1], training=False))
        return values

    def _finish(self, first: int, chain) -> list:
        """The output for each batch if the models in ``chain`` replace the parts from ``first`` on; None is a gap."""
        outputs = []
        for values in self._inputs:
            x = values[first]
            for model in chain:
                x = x if model is None else model(x, training=False)
            outputs.append(x)
        return outputs

    def _error(self, outputs) -> float:
        scores = np.concatenate([keras.ops.convert_to_numpy(output) for output in outputs])
        return Scores(scores, self.labels).error().percent

    def _lesioned(self, name):
        if name not in self._without:
            part = next(part for part in self.parts if part.name == name)
            self._without[name] = without_branch(part) if self.residual else None
        return self._without[name]


def rejoined(part: Part, join: Callable[[Tensor, Tensor], Tensor]) -> keras.Model:
    """A block's model with ``join(shortcut, branch)`` instead of its addition."""

    def call(layer, *args, **kwargs):
        return join(*args[0]) if isinstance(layer, keras.layers.Add) else layer(*args, **kwargs)

    return keras.models.clone_model(part.model, clone_function=lambda layer: layer, call_function=call)


def without_branch(part: Part) -> keras.Model:
    """A residual block without its branch; the layers after the addition are kept."""
    return rejoined(part, lambda shortcut, branch: shortcut)
