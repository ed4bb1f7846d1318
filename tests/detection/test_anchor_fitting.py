"""Anchors fitted to boxes: the clusters that were put in, and more objects reached than by any others tried."""

import numpy as np
import pytest

from keras_resnet.detection.anchor_fitting import fit_anchors, reached_share
from keras_resnet.detection.anchors import BASE_SIDE, anchor_sides
from keras_resnet.detection.data.box_statistics import SeenBoxes, anchor_overlaps
from keras_resnet.detection.detector_specs import DEFAULT_PROPOSALS, Proposals


def rows_of(sides, rng):
    """Boxes of these widths and heights at random places."""
    sides = np.asarray(sides, float)
    corner = rng.uniform(0, 300, sides.shape)
    places = np.zeros(len(sides), int)
    return SeenBoxes(
        np.concatenate([corner, corner + sides], axis=1), sides.prod(axis=1), places, places, np.ones(len(sides), bool)
    )


def test_clusters_of_size_and_ratio_are_found_again(rng):
    """Sizes 40, 90 and 220 with ratios 0.4, 1 and 1.8 of width to height, each in a few percent."""
    sizes, ratios = (values.ravel() for values in np.meshgrid([40, 90, 220], [0.4, 1, 1.8]))
    noise = np.exp(rng.normal(0, 0.03, (2, 30, 9)))
    sizes, ratios = (sizes * noise[0]).ravel(), (ratios * noise[1]).ravel()
    proposals = fit_anchors(rows_of(np.stack([sizes * np.sqrt(ratios), sizes / np.sqrt(ratios)], axis=1), rng))
    np.testing.assert_allclose(np.array(proposals.scales) * BASE_SIDE, [40, 90, 220], rtol=0.05)
    np.testing.assert_allclose(proposals.ratios, [0.4, 1, 1.8], rtol=0.06)


@pytest.mark.long
def test_small_objects_get_small_anchors_and_proposals(rng):
    """Where the paper's anchors reach nothing, most is reached."""
    rows = rows_of(np.exp(rng.uniform(np.log(20), np.log(90), (300, 2))), rng)
    proposals = fit_anchors(rows)
    reached = [(anchor_overlaps(rows.boxes, anchor_sides(p)) >= 0.5).mean() for p in (Proposals(), proposals)]
    assert reached[0] < 0.15
    assert reached[1] > 0.85
    assert 8 < proposals.smallest < 16  # half of the shortest sides
    assert proposals == fit_anchors(rows)


def test_boxes_that_are_few_or_alike_give_as_many_anchors_as_there_are(rng):
    assert fit_anchors(rows_of([[32, 64]], rng)).ratios == (0.5,)
    assert fit_anchors(rows_of([[50, 50]] * 20, rng)).scales == (pytest.approx(50 / 16, rel=0.05),)
    nothing = rows_of(np.zeros((0, 2)), rng)
    assert fit_anchors(nothing) == Proposals()


def test_a_pyramid_keeps_a_scale_for_each_level_and_is_moved_to_the_objects(rng):
    """Objects of 6 to 24 pixels lie below the usual anchors of 32 to 512, and on cells of 4 pixels."""
    rows = rows_of(np.exp(rng.uniform(np.log(6), np.log(24), (300, 2))), rng)
    proposals = fit_anchors(rows, "fpn")
    assert np.allclose(np.diff(np.log2(proposals.scales)), 1, atol=0.01)
    assert len(proposals.scales) == 5
    usual, moved = (reached_share(rows.boxes, p, "fpn") for p in (DEFAULT_PROPOSALS["fpn"], proposals))
    assert usual < 0.1
    assert moved > 0.6
    assert fit_anchors(rows_of(np.full((50, 2), 128.0), rng), "fpn").scales == DEFAULT_PROPOSALS["fpn"].scales
