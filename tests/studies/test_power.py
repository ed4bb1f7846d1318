"""The spread that a study's plan goes by is that of the arms which it can compare."""

import numpy as np
import pytest

from keras_resnet.studies import Arm, Study
from keras_resnet.studies.power import plan

STUDY = Study(
    "shortcuts",
    "Which?",
    arms=tuple(Arm(name, "ResNet20") for name in ("A", "B", "deep A", "deep B")),
    pairs=(("B", "A"), ("deep B", "deep A")),
)


def runs(*errors):
    return {seed: {"val_error": error, "seconds": 1800.0} for seed, error in enumerate(errors)}


def test_arms_without_a_partner_do_not_count():
    done = {"A": runs(8.0, 8.4), "B": runs(8.1, 8.2, 8.6), "deep A": runs(1.0, 50.0), "deep B": {}}
    planned = plan(STUDY, done)
    sums = np.var([8.0, 8.4], ddof=1) + 2 * np.var([8.1, 8.2, 8.6], ddof=1)
    assert (planned["std"], planned["freedom"]) == (pytest.approx(np.sqrt(sums / 3)), 3)
    assert planned["hours"] == pytest.approx(planned["seeds"] * 2 * 0.5)


def test_all_arms_count_where_none_has_a_partner():
    planned = plan(STUDY, {"A": runs(8.0, 8.4), "B": {}, "deep A": runs(5.0, 5.2), "deep B": {}})
    assert planned["std"] == pytest.approx(np.sqrt((np.var([8.0, 8.4], ddof=1) + np.var([5.0, 5.2], ddof=1)) / 2))
    assert planned["freedom"] == 2


def test_equal_runs_have_no_plan():
    """Also where rounding makes their mean differ from them: two seeds would not be enough to find half a point."""
    equal = runs(12.3, 12.3, 12.3)
    assert plan(STUDY, {"A": equal, "B": equal, "deep A": {}, "deep B": {}}) is None
