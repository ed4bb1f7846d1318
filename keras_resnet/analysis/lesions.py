"""Lesions: errors after blocks are deleted or their order is changed (Veit, Wilber, Belongie 2016)."""

from dataclasses import dataclass

import keras
import numpy as np
from scipy.stats import kendalltau

from keras_resnet.analysis.parts import Part, split
from keras_resnet.errors import InputError
from keras_resnet.evaluation import Scores


@dataclass(frozen=True)
class Deletion:
    """``error`` in percent without ``block``."""

    block: str
    error: float


@dataclass(frozen=True)
class Permutation:
    """``error`` in percent with the blocks in another order; ``tau`` is Kendall's rank correlation with their own."""

    tau: float
    error: float


class Lesions:
    """A network's error on fixed images with blocks missing or in another order, in inference.

    A residual block is deleted by leaving out its branch, so that its shortcut stays; a block of a plain net by
    passing its input on, which needs input and output of one shape.

    Args:
        model: a network of this package with its classifier, looped or not.
        images: preprocessed, ``[count, height, width, channels]``.
        labels: int ``[count]``.
        batch_size: images in one pass.
    """

    def __init__(self, model: keras.Model, images, labels, batch_size: int = 256):
        self.parts = split(model)
        self.labels = np.asarray(labels)
        self.batches = [images[i : i + batch_size] for i in range(0, len(images), batch_size)]
        self.residual = model.spec.residual
        self._models = {part.name: part.model for part in self.parts}
        self._without: dict[str, keras.Model | None] = {}
        self._inputs = [self._run(batch) for batch in self.batches]

    @property
    def blocks(self) -> list[str]:
        """Names of the blocks that can be deleted."""
        return [part.name for part in self.parts if part.is_block and (self.residual or part.keeps_shape)]

    def error(self) -> float:
        """The whole network's, in percent."""
        return self._error([kept[-1] for kept in self._inputs])

    def delete(self, *blocks: str) -> float:
        """The error in percent without ``blocks``."""
        unknown = [name for name in blocks if name not in self.blocks]
        if unknown:
            raise InputError(f"{unknown[0]} is no block that can be deleted: choose from {', '.join(self.blocks)}.")
        models = dict(self._models)
        for name in blocks:
            models[name] = self._lesioned(name)
        first = min((i for i, part in enumerate(self.parts) if part.name in blocks), default=len(self.parts))
        return self._error(self._finish(first, [models[part.name] for part in self.parts[first:]]))

    def deletions(self) -> list[Deletion]:
        """The error without each block, one at a time."""
        return [Deletion(name, self.delete(name)) for name in self.blocks]

    def delete_random(self, counts, draws: int = 5, seed: int = 0) -> dict[int, list[float]]:
        """The errors without so many blocks, chosen at random ``draws`` times for each of ``counts``."""
        rng = np.random.default_rng(seed)
        return {
            count: [self.delete(*rng.choice(self.blocks, count, replace=False)) for _ in range(draws)]
            for count in counts
        }

    def permute(self, swaps: int, seed: int = 0) -> Permutation:
        """Swap pairs of blocks of one stage and shape, drawn at random, so many times."""
        rng = np.random.default_rng(seed)
        order = list(range(len(self.parts)))
        places: dict[str, list[int]] = {}
        for i, part in enumerate(self.parts):
            if part.is_block and part.keeps_shape:
                places.setdefault(part.stage, []).append(i)
        groups = [group for group in places.values() if len(group) > 1]
        if not groups:
            raise InputError("No stage has two blocks of one shape: there is nothing to permute.")
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
        """The input of each part, then the network's output."""
        kept = [x]
        for part in self.parts:
            kept.append(part.model(kept[-1], training=False))
        return kept

    def _finish(self, first: int, chain) -> list:
        """Outputs of each batch from part ``first`` on, through ``chain``, models, None for nothing."""
        outputs = []
        for kept in self._inputs:
            x = kept[first]
            for model in chain:
                x = x if model is None else model(x, training=False)
            outputs.append(x)
        return outputs

    def _error(self, outputs) -> float:
        scores = np.concatenate([keras.ops.convert_to_numpy(each) for each in outputs])
        return Scores(scores, self.labels).error().percent

    def _lesioned(self, name):
        if name not in self._without:
            part = next(part for part in self.parts if part.name == name)
            self._without[name] = without_branch(part) if self.residual else None
        return self._without[name]


def rejoined(part: Part, join) -> keras.Model:
    """A block's model with ``join(shortcut, branch)`` in the place of its addition."""

    def call(layer, *args, **kwargs):
        return join(*args[0]) if isinstance(layer, keras.layers.Add) else layer(*args, **kwargs)

    return keras.models.clone_model(part.model, clone_function=lambda layer: layer, call_function=call)


def without_branch(part: Part) -> keras.Model:
    """A residual block with its shortcut alone; what follows the addition stays."""
    return rejoined(part, lambda shortcut, branch: shortcut)
