"""Matching and sampling against loops over anchors, regions and objects."""

import numpy as np
import pytest
import tensorflow as tf

from keras_resnet.detection import iou
from keras_resnet.detection.anchors import make_anchors
from keras_resnet.detection.sampling import IGNORED, OBJECT, PADDING, pairwise, sample_anchors, sample_regions


@pytest.fixture
def scene(rng):
    """Two images of other sizes: objects of every status, and none to find in the second."""
    corner = rng.uniform(0, 180, (2, 6, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(40, 140, (2, 6, 2))], axis=2).astype("float32")
    statuses = np.array([[OBJECT, OBJECT, IGNORED, OBJECT, PADDING, PADDING], [IGNORED] + [PADDING] * 5], "int32")
    return boxes, statuses, np.array([[320, 256], [200, 300]], "float32")


def covered_half(box, boxes, statuses):
    """Whether an ignored object covers half of ``box`` or more."""
    for (x1, y1, x2, y2), status in zip(boxes, statuses, strict=True):
        shared = max(min(box[2], x2) - max(box[0], x1), 0) * max(min(box[3], y2) - max(box[1], y1), 0)
        if status == IGNORED and shared >= 0.5 * (box[2] - box[0]) * (box[3] - box[1]):
            return True
    return False


def test_overlaps_equal_numpy_s(scene):
    boxes, _, _ = scene
    np.testing.assert_allclose(pairwise(boxes[0], boxes[1])[0], iou(boxes[0], boxes[1]), atol=1e-6)


def anchor_candidates(anchors, boxes, statuses, extent):
    """Which anchors may be positive, and which negative, by the rules as they read."""
    objects = boxes[statuses == OBJECT]
    low, high = anchors[:, :2], anchors[:, 2:]
    inside = np.flatnonzero((low >= 0).all(axis=1) & (high <= extent).all(axis=1))
    overlaps = {i: iou(anchors[i : i + 1], objects)[0] for i in inside}
    positive = {i for i in inside if len(objects) and overlaps[i].max() >= 0.7}
    for number in range(len(objects)):
        best = max(overlaps[i][number] for i in inside)
        positive |= {i for i in inside if best > 0 and overlaps[i][number] >= best - 1e-5}
    free = {i for i in inside if not len(objects) or overlaps[i].max() < 0.3}
    return positive, {i for i in free - positive if not covered_half(anchors[i], boxes, statuses)}


@pytest.mark.parametrize("count", [256, 8])
def test_anchors_are_chosen_by_the_rules(scene, count, rng):
    boxes, statuses, extents = scene
    anchors = make_anchors(20, 20, 16, scales=(2, 4, 8)).reshape(-1, 4)
    draws = rng.random((2, len(anchors))).astype("float32")
    labels, match = (x.numpy() for x in sample_anchors(anchors, boxes, statuses, extents, draws, count))
    for image in range(2):
        positive, negative = anchor_candidates(anchors, boxes[image], statuses[image], extents[image])
        chosen, refused = set(np.flatnonzero(labels[image] == 1)), set(np.flatnonzero(labels[image] == 0))
        lowest = sorted(positive, key=lambda i: draws[image, i])[: count // 2]
        assert chosen == set(lowest)
        assert refused == set(sorted(negative, key=lambda i: draws[image, i])[: count - len(lowest)])
        for i in chosen:
            overlaps = np.where(statuses[image] == OBJECT, iou(anchors[i : i + 1], boxes[image])[0], -1)
            assert match[image, i] == overlaps.argmax()
    assert (labels[0] == 1).any()
    assert not (labels[1] == 1).any()
    assert (labels == 0).sum(axis=1).min() > 0


@pytest.mark.parametrize("count", [128, 16])
def test_regions_are_chosen_by_the_rules(scene, count, rng):
    boxes, statuses, _ = scene
    near = np.repeat(boxes, 10, axis=1) + rng.uniform(-25, 25, (2, 60, 4)).astype("float32")
    valid = rng.random((2, 60)) < 0.8
    classes = np.array([[3, 1, 4, 1, 0, 0]] * 2, "int32")
    draws = rng.random((2, 66)).astype("float32")
    regions, labels, targets, weights = (
        x.numpy() for x in sample_regions(near, valid, boxes, statuses, classes, draws, count)
    )
    assert regions.shape == (2, count, 4)
    for image in range(2):
        objects = np.flatnonzero(statuses[image] == OBJECT)
        foreground, background, answers = [], [], {}
        for i, box in enumerate(np.concatenate([near[image], boxes[image]])):
            if not (valid[image, i] if i < 60 else statuses[image, i - 60] == OBJECT):
                continue
            overlaps = iou(box[None].astype(float), boxes[image, objects].astype(float))[0]
            if len(objects) and overlaps.max() >= 0.5:
                foreground.append(i)
                answers[i] = objects[overlaps.argmax()]
            elif not covered_half(box, boxes[image], statuses[image]):
                background.append(i)
        foreground = sorted(foreground, key=lambda i: draws[image, i])[: count // 4]
        background = sorted(background, key=lambda i: draws[image, i])[: count - len(foreground)]
        everything = np.concatenate([near[image], boxes[image]])
        used = len(foreground) + len(background)
        assert weights[image].tolist() == [1.0] * used + [0.0] * (count - used)
        np.testing.assert_array_equal(regions[image, :used], everything[foreground + background])
        expected = [classes[image, answers[i]] + 1 for i in foreground] + [0] * (count - len(foreground))
        assert labels[image].tolist() == expected
        for place, i in enumerate(foreground):
            np.testing.assert_array_equal(targets[image, place], boxes[image, answers[i]])


@pytest.mark.long
def test_both_run_in_a_graph_of_unknown_sizes(scene, rng):
    boxes, statuses, extents = scene
    anchors = make_anchors(20, 20, 16, scales=(2, 4, 8)).reshape(-1, 4)
    draws = rng.random((2, len(anchors))).astype("float32")
    graph = tf.function(sample_anchors, reduce_retracing=True)
    for some in (slice(None), slice(0, 1)):
        eager = sample_anchors(anchors, boxes[some], statuses[some], extents[some], draws[some])
        for a, b in zip(eager, graph(anchors, boxes[some], statuses[some], extents[some], draws[some]), strict=True):
            np.testing.assert_array_equal(a, b)
