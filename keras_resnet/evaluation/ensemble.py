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

    One member at a time is in memory, and its scores are kept on disk: a second question costs nothing.

    Args:
        members: names, in order; they may be anything ``load`` takes.
        load: from a name to the model; :func:`keras_resnet.load_model` for the names of the command line.
        view: how each photo is shown.
        batch_size: images in a forward pass.

    Raises:
        InputError: there are no members, or one is named twice.
    """

    def __init__(
        self,
        members: Sequence[str],
        load: Callable[[str], keras.Model],
        view: View = CENTER,
        batch_size: int = 32,
    ):
        if not members:
            raise InputError("An ensemble needs one member at least.")
        if len(set(members)) < len(members):
            raise InputError(f"An ensemble takes each member once, not {', '.join(members)}.")
        self.members, self.load = tuple(members), load
        self.view, self.batch_size = view, batch_size

    def member_scores(self, data: Data, split: Split) -> dict[str, Scores]:
        """Each member's scores of ``split``, a part of ``data``; each is loaded, used and let go."""
        scores = {}
        for member in self.members:
            model = self.load(member)
            check_model(model, data)
            scores[member] = cached_scores(model, split, self.view, self.batch_size)
            del model
            gc.collect()
        return scores


def joint(scores: Sequence[Scores]) -> Scores:
    """The members' average."""
    return Scores(np.mean([each.probabilities for each in scores], axis=0), scores[0].labels)


def greedy(scores: dict[str, Scores], count: int, k: int = 5) -> list[str]:
    """``count`` members, each time the one that makes the joint top-``k`` error lowest; ties by top-1, then by order.

    Choose on validation scores: on the ones it is chosen for, an ensemble looks better than it is.

    Raises:
        InputError: there are not as many members.
    """
    if not 1 <= count <= len(scores):
        raise InputError(f"{count} members cannot be chosen from {len(scores)}.")
    chosen: list[str] = []
    for _ in range(count):
        left = [name for name in scores if name not in chosen]
        together = [joint([scores[member] for member in (*chosen, name)]) for name in left]
        errors = [(each.error(k).wrong, each.error().wrong) for each in together]
        chosen.append(left[errors.index(min(errors))])
    return chosen
