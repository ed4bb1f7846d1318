"""Labels are ranked by what other photos say of them, as cleanlab ranks them, and changed ones are found.

The features are the pixels of handwritten digits, which scikit-learn brings.
"""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits

from keras_resnet import InputError
from keras_resnet.evaluation import Embeddings, check_ranking, out_of_fold, rank_labels

pytest.importorskip("cleanlab", reason="needs the extra: labels")


def of(features, labels):
    """Embeddings of photos that all differ."""
    count = len(labels)
    hashes = np.array([f"{number:064x}"[::-1] for number in range(count)])
    photos, parts = np.array([f"{number}.jpg" for number in range(count)]), np.array(["train"] * count)
    classes = np.array([str(label) for label in range(labels.max() + 1)])
    return Embeddings(features.astype(np.float16), labels.astype(np.int32), parts, photos, hashes, classes, "m")


@pytest.fixture(scope="module")
def digits():
    """The first half of them."""
    features, labels = load_digits(return_X_y=True)
    return of(features[:900], labels[:900])


@pytest.fixture(scope="module")
def changed(digits):
    """The digits with 5 % of the labels changed, and which they are."""
    labels, places = digits.labels.copy(), np.random.default_rng(1).choice(len(digits), 45, replace=False)
    labels[places] = (labels[places] + np.random.default_rng(2).integers(1, 10, 45)) % 10
    return replace(digits, labels=labels), places


@pytest.fixture(scope="module")
def ranking(changed):
    """The changed digits, ranked."""
    return rank_labels(changed[0])


@pytest.mark.long
def test_changed_labels_are_at_the_beginning_of_the_list(changed, ranking):
    embeddings, places = changed
    assert np.isin(ranking.order[: round(0.07 * len(embeddings))], places).sum() >= 0.8 * len(places)
    assert sorted(ranking.order) == list(range(len(embeddings)))
    assert (np.diff(ranking.label_probabilities[ranking.order]) >= 0).all()
    assert (ranking.answers[ranking.order[: ranking.suspects]] != embeddings.labels[ranking.order][: ranking.suspects]
            ).all()  # fmt: skip


@pytest.mark.long
def test_suspects_are_those_of_cleanlab(changed, ranking):
    from cleanlab.filter import find_label_issues

    embeddings, _ = changed
    probabilities = out_of_fold(embeddings)
    kept = {"filter_by": "low_self_confidence", "return_indices_ranked_by": "self_confidence", "n_jobs": 1}
    expected = find_label_issues(embeddings.labels, probabilities, **kept)
    assert ranking.order[: len(expected)].tolist() == expected.tolist()
    assert ranking.suspects == len(expected) > 25


def test_what_a_copy_of_a_photo_is_called_does_not_count(digits):
    """Both are judged by photos of other content alone."""
    few = of(digits.features[:200].astype(np.float32), digits.labels[:200])
    hashes = few.hashes.copy()
    hashes[7] = hashes[40]
    labels = few.labels.copy()
    labels[[7, 40]] = 3
    renamed = labels.copy()
    renamed[40] = 5  # the division takes the first one's
    rows = [out_of_fold(replace(few, hashes=hashes, labels=these)) for these in (labels, renamed)]
    np.testing.assert_array_equal(rows[0][[7, 40]], rows[1][[7, 40]])
    np.testing.assert_allclose(rows[0].sum(axis=1), 1, atol=1e-6)
    assert not np.array_equal(rows[0], rows[1])


def test_photos_alone_in_their_class_are_not_judged(digits):
    labels = digits.labels[:300].copy()
    labels[11] = 10
    ranking = rank_labels(of(digits.features[:300].astype(np.float32), labels))
    assert np.isnan(ranking.label_probabilities[11])
    assert ranking.answers[11] == -1
    assert set(range(300)) - set(ranking.order.tolist()) == {11}


@pytest.mark.long
def test_the_check_changes_labels_and_counts_them(digits):
    check = check_ranking(digits)
    assert (check.changed, check.first) == (45, 63)
    assert 0.8 * 45 <= check.in_first <= 45
    assert check.in_first <= check.suspected or check.suspects < check.first
    assert check == check_ranking(digits) != check_ranking(digits, seed=1)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 0], "--folds 5 needs as many different photos, and this data set has 3"),
        ([0, 1, 2, 3, 4, 5], "No label can be judged"),
        ([0, 0, 0, 0, 0, 0], "No label can be judged"),
        ([0, 0, 0, 0, 0, 1], "Only one class has two different photos"),
    ],
)
def test_too_few_photos_are_refused(labels, message):
    with pytest.raises(InputError, match=message):
        rank_labels(of(np.eye(len(labels)), np.array(labels)))
