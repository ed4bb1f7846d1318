"""Results by class: recall and precision with intervals, and the classes that a model confuses."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_resnet.evaluation.scoring import CONFIDENCE, Scores
from keras_resnet.tables import write_csv


@dataclass(frozen=True)
class Share:
    """``count`` of ``total`` in percent, with Wilson's 95 % interval (Wilson 1927); both are None if ``total`` is 0."""

    count: int
    total: int

    @property
    def percent(self) -> float | None:
        return 100 * self.count / self.total if self.total else None

    @property
    def interval(self) -> tuple[float, float] | None:
        from scipy.stats import binomtest

        if not self.total:
            return None
        interval = binomtest(self.count, self.total).proportion_ci(CONFIDENCE, "wilson")
        return 100 * interval.low, 100 * interval.high

    @property
    def values(self) -> list[float | None]:
        """The percentage and the bounds of its interval, as result files have them."""
        return [self.percent, *(self.interval or (None, None))]

    def __str__(self):
        if self.interval is None:
            return ""
        return "{:.1f} % ({:.1f} to {:.1f})".format(self.percent, *self.interval)


@dataclass(frozen=True)
class ClassResult:
    """The result of one class.

    Fields:
        name: the name of the class.
        recall: the photos of the class for which the answer is right, of all its photos.
        precision: the right ones of the answers that name the class.
    """

    name: str
    recall: Share
    precision: Share


@dataclass(frozen=True)
class Confusion:
    """``count`` photos of class ``label`` whose answer is class ``answer``; both are numbers of classes.

    ``positions`` are the photos' positions in the split, in descending order of the answer's probability.
    """

    label: int
    answer: int
    positions: tuple[int, ...]

    @property
    def count(self) -> int:
        return len(self.positions)


@dataclass(frozen=True)
class ByClass:
    """The answers of a model to the photos of a split; an answer is the class of the highest probability.

    Args:
        scores: the scores of the split.
        classes: class names, in the order of the labels.
    """

    scores: Scores
    classes: tuple[str, ...]

    @property
    def answers(self) -> np.ndarray:
        """int ``[examples]``; of equal probabilities, the first class is the answer."""
        return self.scores.probabilities.argmax(axis=1)

    @property
    def matrix(self) -> np.ndarray:
        """The confusion matrix, int64 ``[classes, classes]``: a row a true class, a column an answer."""
        from sklearn.metrics import confusion_matrix

        return confusion_matrix(self.scores.labels, self.answers, labels=range(len(self.classes)))

    @property
    def results(self) -> list[ClassResult]:
        """The results of all classes, in order."""
        matrix = self.matrix
        right, photos, answers = (values.tolist() for values in (matrix.diagonal(), matrix.sum(1), matrix.sum(0)))
        rows = zip(self.classes, right, photos, answers, strict=True)
        return [ClassResult(name, Share(hit, count), Share(hit, called)) for name, hit, count, called in rows]

    @property
    def balanced_error(self) -> float:
        """The mean of the errors of the classes that have photos, in percent; every class has the same weight."""
        recalls = [result.recall.percent for result in self.results]
        return 100 - float(np.mean([recall for recall in recalls if recall is not None]))

    def confusions(self, count: int) -> list[Confusion]:
        """The ``count`` pairs of true class and wrong answer with the most photos, the largest first."""
        wrong = self.matrix
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:count]
        pairs = (divmod(int(place), len(self.classes)) for place in order)
        return [Confusion(*pair, self._positions(*pair)) for pair in pairs if wrong[pair]]

    def _positions(self, label: int, answer: int) -> tuple[int, ...]:
        (positions,) = np.nonzero((self.scores.labels == label) & (self.answers == answer))
        surest = np.argsort(-self.scores.probabilities[positions, answer], kind="stable")
        return tuple(positions[surest].tolist())


def similar_order(matrix: np.ndarray) -> np.ndarray:
    """An order in which classes that are confused are neighbours, int ``[classes]``.

    Average linkage of the shares of photos that are confused either way, leaves ordered (Bar-Joseph et al. 2001).
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    if len(matrix) < 3:
        return np.arange(len(matrix))
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    distances = 1 - (shares + shares.T) / 2
    np.fill_diagonal(distances, 0)
    return leaves_list(linkage(squareform(distances, checks=False), "average", optimal_ordering=True))


def write_matrix(path: Path, matrix: np.ndarray, classes: Sequence[str]) -> None:
    """Write a confusion matrix as CSV: a row a true class, a column an answer, both named."""
    rows = ([name, *counts] for name, counts in zip(classes, matrix.tolist(), strict=True))
    write_csv(path, [["true class \\ answer", *classes], *rows])
