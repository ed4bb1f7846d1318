"""Labels that look wrong: what a classifier that never saw a photo makes of it, and confident learning of that.

Each photo is judged by a logistic regression on the features of the other folds' photos. The order is that of the
probability of the photo's own label, and how many labels are wrong is estimated by confident learning (Northcutt et al.
2021), both as the package cleanlab has them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from keras_resnet.data.dividing import Division
from keras_resnet.errors import InputError
from keras_resnet.evaluation.embeddings import Embeddings, linear_probe
from keras_resnet.extras import needed

FOLDS = 5
CHANGED, FIRST = 0.05, 0.07  # shares of the labels that the check changes, and of the list in which it looks for them


@dataclass(frozen=True)
class LabelRanking:
    """Labels in the order in which to look at them.

    Fields:
        order: positions of the photos that could be judged, int ``[ranked]``; the label that looks most wrong is first.
        label_probabilities: of each photo's own label, float64 ``[photos]``; NaN for photos that were not judged.
        answers: the class of the highest probability of each photo, int ``[photos]``; -1 for those not judged.
        answer_probabilities: its probability, float64 ``[photos]``.
        suspects: how many labels are wrong, as confident learning estimates it.
    """

    order: np.ndarray
    label_probabilities: np.ndarray
    answers: np.ndarray
    answer_probabilities: np.ndarray
    suspects: int


@dataclass(frozen=True)
class LabelCheck:
    """What a ranking is worth: labels that were changed on purpose, and where they are in the list.

    Fields:
        changed: how many labels were changed.
        suspects: how many labels are suspected then.
        suspected: the changed labels among these.
        first: how many photos 7 % of the list are.
        in_first: the changed labels among these.
    """

    changed: int
    suspects: int
    suspected: int
    first: int
    in_first: int


def rank_labels(embeddings: Embeddings, folds: int = FOLDS) -> LabelRanking:
    """Rank the labels of all photos of ``embeddings``.

    A photo is not judged if no photo of other content has its label, or its fold leaves a single class to learn from.

    Raises:
        InputError: there are fewer different photos than folds, no photo can be judged, or cleanlab is missing.
    """
    rank, count = needed("cleanlab.rank", "labels"), needed("cleanlab.count", "labels")
    labels, probabilities = embeddings.labels, out_of_fold(embeddings, folds)
    ranked = np.flatnonzero(~np.isnan(probabilities[:, 0]))
    if not len(ranked):
        raise InputError("No label can be judged: give each of two classes at least two different photos.")
    present, given = np.unique(labels[ranked], return_inverse=True)
    of_present = probabilities[np.ix_(ranked, present)]
    of_present /= of_present.sum(axis=1, keepdims=True)
    if len(present) < 2:
        raise InputError("Only one class has two different photos: give at least two classes as many.")
    confidence = np.full(len(labels), np.nan)
    confidence[ranked] = rank.get_self_confidence_for_each_label(given, of_present)
    answers, best = np.full(len(labels), -1), np.full(len(labels), np.nan)
    answers[ranked], best[ranked] = present[of_present.argmax(axis=1)], of_present.max(axis=1)
    order = ranked[np.argsort(confidence[ranked], kind="stable")]
    suspects = min(int(count.num_label_issues(given, of_present)), int((answers[ranked] != labels[ranked]).sum()))
    return LabelRanking(order, confidence, answers, best, suspects)


def out_of_fold(embeddings: Embeddings, folds: int = FOLDS) -> np.ndarray:
    """Probabilities of the classes of each photo by the linear probe of the other folds, float64 ``[photos, classes]``.

    The folds are those of ``Division``: copies of a photo are in one fold. Photos that cannot be judged have NaN.

    Raises:
        InputError: there are fewer different photos than folds.
    """
    features, labels = embeddings.features.astype(np.float32), embeddings.labels
    keys = np.array([int(digest[:16], 16) for digest in embeddings.hashes], np.uint64)
    probabilities = np.full((len(labels), len(embeddings.classes)), np.nan)
    for fold in range(1, folds + 1):
        held_out = Division(folds=folds, fold=fold).held_out(labels, keys, "this data set")
        known = np.unique(labels[~held_out])
        places = np.flatnonzero(held_out & np.isin(labels, known))
        if len(known) < 2 or not len(places):
            continue
        probe = linear_probe().fit(features[~held_out], labels[~held_out])
        rows = np.zeros((len(places), len(embeddings.classes)))
        rows[:, known] = probe.predict_proba(features[places])
        probabilities[places] = rows
    return probabilities


def check_ranking(embeddings: Embeddings, folds: int = FOLDS, seed: int = 0) -> LabelCheck:
    """Change 5 % of the labels at random, rank them again, and look where the changed ones are in the list."""
    rng, labels = np.random.default_rng(seed), embeddings.labels.copy()
    present = np.unique(labels)
    changed = rng.choice(len(labels), max(1, round(CHANGED * len(labels))), replace=False)
    for place in changed:
        labels[place] = rng.choice(present[present != labels[place]])
    ranking = rank_labels(replace(embeddings, labels=labels), folds)
    is_changed = np.isin(ranking.order, changed)
    first = max(1, round(FIRST * len(labels)))
    suspected, in_first = (int(is_changed[:count].sum()) for count in (ranking.suspects, first))
    return LabelCheck(len(changed), ranking.suspects, suspected, first, in_first)
