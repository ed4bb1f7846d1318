"""Ensembles: the average of several models' probabilities (Table 5)."""

import gc
from collections.abc import Callable, Sequence

import keras
import numpy as np

from keras_resnet.data.splits import Data, Split
from keras_resnet.errors import InputError
from keras_resnet.evaluation.scoring import Scores, cached_scores, check_model
from keras_resnet.evaluation.views import CENTER, View


class Ensemble:
    """Models of any depth, preprocessing and input size whose probabilities are averaged.

    Only one member at a time is in memory. Scores are kept on disk, so they are computed once.

    Args:
        members: the names of the models, as ``load`` takes them.
        load: function from a name to the model; :func:`keras_resnet.load_model` takes the names of the command line.
        view: the views of each photo.
        batch_size: images in a forward pass.

    Raises:
        InputError: there are no members, or a member is given twice.
    """

    def __init__(
        self,
        members: Sequence[str],
        load: Callable[[str], keras.Model],
        view: View = CENTER,
        batch_size: int = 32,
    ):
        if not members:
            raise InputError("An ensemble needs at least one member.")
        if len(set(members)) < len(members):
            raise InputError(f"An ensemble takes each member once, not {', '.join(members)}.")
        self.members, self.load = tuple(members), load
        self.view, self.batch_size = view, batch_size

    def member_scores(self, data: Data, split: Split) -> dict[str, Scores]:
        """The scores of each member for ``split``, a part of ``data``."""
        scores = {}
        for member in self.members:
            model = self.load(member)
            check_model(model, data)
            scores[member] = cached_scores(model, split, self.view, self.batch_size)
            del model
            gc.collect()
        return scores


def joint(scores: Sequence[Scores]) -> Scores:
    """The average of the members' scores."""
    return Scores(np.mean([member.probabilities for member in scores], axis=0), scores[0].labels)


def greedy(scores: dict[str, Scores], count: int, k: int = 5) -> list[str]:
    """Choose ``count`` members one by one, each time the one that makes the joint top-``k`` error lowest.

    Ties are resolved by the top-1 error, then by order. Choose on validation scores: the error of an ensemble on the
    photos for which it was chosen is too low.

    Raises:
        InputError: there are fewer than ``count`` members.
    """
    if not 1 <= count <= len(scores):
        raise InputError(f"{count} members cannot be chosen from {len(scores)}.")
    chosen: list[str] = []
    for _ in range(count):
        remaining = [name for name in scores if name not in chosen]
        candidates = [joint([scores[member] for member in (*chosen, name)]) for name in remaining]
        errors = [(candidate.error(k).wrong, candidate.error().wrong) for candidate in candidates]
        chosen.append(remaining[errors.index(min(errors))])
    return chosen
