"""Proposals, suppression and voting against loops."""

import numpy as np
import pytest

from keras_resnet.detection import Detections, iou
from keras_resnet.detection.anchors import decode, make_anchors
from keras_resnet.detection.suppression import Level, propose, suppress, vote


def greedy(boxes, scores, overlap):
    """Places of the boxes that stay, best first."""
    kept = []
    for place in np.argsort(-scores, kind="stable"):
        if not kept or iou(boxes[place][None], boxes[kept]).max() <= overlap:
            kept.append(int(place))
    return kept


@pytest.mark.long
@pytest.mark.parametrize(("before", "after"), [(10_000, 300), (100, 20)])
def test_proposals_are_the_best_inside_each_image(before, after, rng):
    anchors = make_anchors(8, 12, scales=(2, 4, 8)).reshape(-1, 4)
    extents = np.array([[180, 120], [90, 100]], "float32")
    deltas = rng.normal(0, 0.3, (2, len(anchors), 4)).astype("float32")
    scores = rng.normal(size=(2, len(anchors))).astype("float32")
    boxes, logits, valid = (x.numpy() for x in propose([Level(anchors, scores, deltas)], extents, (before, after)))
    assert boxes.shape == (2, after, 4)
    for image in range(2):
        cells = [(16 * i < extents[image, 1]) and (16 * j < extents[image, 0]) for i in range(8) for j in range(12)]
        within = np.where(np.repeat(cells, 9), scores[image], -np.inf)  # cells in the padding take no part
        best = np.argsort(-within, kind="stable")[: min(before, np.isfinite(within).sum())]
        moved = decode(deltas[image], anchors).numpy()[best]
        moved = np.clip(moved, 0, np.tile(extents[image], 2))
        large = (moved[:, 2:] - moved[:, :2] >= 16).all(axis=1)
        moved, ranked = moved[large].astype(np.float64), scores[image][best][large]
        expected = greedy(moved, ranked, 0.7)[:after]
        assert valid[image].tolist() == [True] * len(expected) + [False] * (after - len(expected))
        np.testing.assert_allclose(boxes[image, : len(expected)], moved[expected], atol=1e-3)
        np.testing.assert_allclose(logits[image, : len(expected)], ranked[expected], atol=1e-6)


def test_the_best_proposals_of_all_levels_are_merged(rng):
    """Each level is cut, moved, and suppressed by itself, by a loop; then all remaining boxes are sorted by score."""
    extents, levels = np.array([[120, 90]], "float32"), []
    for stride, scale in ((4, 1.0), (16, 4.0), (64, 16.0)):
        anchors = make_anchors(-(-96 // stride), -(-128 // stride), stride, (scale,)).reshape(-1, 4)
        deltas = rng.normal(0, 0.2, (1, len(anchors), 4)).astype("float32")
        levels.append(Level(anchors, rng.normal(size=(1, len(anchors))).astype("float32"), deltas, stride))
    boxes, logits, valid = (part.numpy()[0] for part in propose(levels, extents, (300, 150), 5.0))
    expected = []
    for number, (anchors, scores, deltas, stride) in enumerate(levels):
        center = (anchors[:, :2] + anchors[:, 2:]) / 2
        inside = (center - stride / 2 < extents[0]).all(axis=1)  # cells that begin inside the image
        best = np.argsort(-np.where(inside, scores[0], -np.inf), kind="stable")[: min(100, inside.sum())]
        moved = np.clip(decode(deltas[0], anchors).numpy()[best], 0, np.tile(extents[0], 2)).astype(float)
        large = (moved[:, 2:] - moved[:, :2] >= 5).all(axis=1)
        moved, ranked = moved[large], scores[0][best][large]
        expected += [(ranked[place], *moved[place], number) for place in greedy(moved, ranked, 0.7)[:150]]
    expected = np.array(sorted(expected, reverse=True))[:150]
    assert valid.sum() == len(expected)
    assert set(expected[:, 5]) == {0, 1, 2}
    np.testing.assert_allclose(logits[valid], expected[:, 0], atol=1e-6)
    np.testing.assert_allclose(boxes[valid], expected[:, 1:5], atol=1e-3)


def some_detections(rng, count=80):
    corner = rng.uniform(0, 60, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(20, 60, (count, 2))], axis=1)
    return Detections(boxes, rng.integers(0, 3, count), rng.random(count))


def test_suppression_is_greedy_class_by_class(rng):
    detections = some_detections(rng)
    kept = suppress(detections)
    expected = []
    for number in range(3):
        places = np.flatnonzero(detections.classes == number)
        expected += [places[k] for k in greedy(detections.boxes[places], detections.scores[places], 0.3)]
    expected = sorted(expected, key=lambda place: -detections.scores[place])
    np.testing.assert_array_equal(kept.boxes, detections.boxes[expected])
    np.testing.assert_array_equal(kept.classes, detections.classes[expected])
    np.testing.assert_array_equal(suppress(detections, count=4).scores, kept.scores[:4])
    assert len(suppress(Detections([], [], [])).boxes) == 0


def test_voting_moves_boxes_to_the_weighted_mean_of_their_class(rng):
    detections = some_detections(rng)
    kept = suppress(detections)
    voted = vote(kept, detections)
    for box, number, score, before in zip(voted.boxes, voted.classes, voted.scores, kept.boxes, strict=True):
        total, weight = np.zeros(4), 0.0
        for other, other_class, other_score in zip(
            detections.boxes, detections.classes, detections.scores, strict=True
        ):
            if other_class == number and iou(before[None], other[None])[0, 0] >= 0.5:
                total += other_score * other
                weight += other_score
        np.testing.assert_allclose(box, total / weight)
        assert score in kept.scores
    assert np.abs(voted.boxes - kept.boxes).max() > 0.1
