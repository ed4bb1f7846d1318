"""Testing: what is seen maps back to the photo, boxes merge as NumPy merges them, ensembles of one are that one."""

import numpy as np
import pytest
import tensorflow as tf

from keras_resnet import InputError
from keras_resnet.detection import iou
from keras_resnet.evaluation import View
from keras_resnet.localization import Localizer, warp
from keras_resnet.localization.localizer import merged, views

SCENE = (70, 110, 3)  # height and width of a picture


@pytest.fixture
def picture(rng):
    """Smooth, so that any view of it can be told from any other."""
    grid = rng.uniform(0, 255, (1, 5, 7, 3)).astype("float32")
    return tf.cast(tf.image.resize(grid, SCENE[:2], "bicubic")[0], tf.uint8).numpy()


@pytest.mark.parametrize(
    "view", [View(flips=True), View("multi-scale", (96, 160), flips=True)], ids=["center", "dense"]
)
def test_a_box_of_a_view_frames_the_same_pixels_in_the_photo(rpn, picture, view):
    seen = list(views(picture, rpn, view))
    assert len(seen) == (2 if view.name == "center" else 4)
    for seen_view in seen:
        box = np.float32([[20, 30, 60, 70]])
        shown = np.asarray(rpn.preprocessing.undo(seen_view.pixels))[0]
        from_view = warp(shown, box, 16)[0]
        in_photo = seen_view.in_photo(box)
        from_photo = warp(picture, in_photo.astype("float32"), 16)[0]
        from_photo = from_photo[:, ::-1] if seen_view.mirrored else from_photo
        assert np.abs(from_view - from_photo).mean() < 4
        assert (in_photo >= 0).all()
        assert (in_photo[0, 2:] <= [110, 70]).all()


def by_hand(boxes, scores):
    near = iou(boxes, boxes) >= 0.5
    best = np.argmax([scores[indices].sum() for indices in near])
    near = near[best]
    return (boxes[near] * scores[near, None]).sum(axis=0) / scores[near].sum(), scores[best]


def test_boxes_are_merged_by_a_vote_around_the_one_that_most_support(rng):
    center = rng.choice([[30, 30], [80, 60]], 40) + rng.normal(0, 4, (40, 2))
    half = rng.uniform(8, 20, (40, 2))
    boxes, scores = np.concatenate([center - half, center + half], axis=1), rng.random(40)
    box, score = merged(boxes, scores)
    wanted = by_hand(boxes, scores)
    np.testing.assert_allclose(box[0], wanted[0])
    assert score[0] == wanted[1]
    nothing = np.tile([5.0, 5, 5, 9], (3, 1))
    assert merged(nothing, np.array([0.1, 0.3, 0.2]))[0].tolist() == [[5, 5, 5, 9]]
    assert merged(boxes, np.zeros(len(boxes)))[1].tolist() == [0.0]  # logits so low that no probability is left to vote


@pytest.mark.long
def test_proposals_are_the_best_of_all_views(rpn, picture):
    view = View("multi-scale", (96, 128), flips=True)
    (boxes, scores), _ = Localizer([rpn], view=view, proposals=12).proposals(picture, [1, 0])
    candidates = []
    for seen_view in views(picture, rpn, view):
        of_view, probabilities = rpn.candidates(seen_view.pixels, np.array([1]), 1000)
        candidates += zip(
            probabilities[0].numpy().tolist(), seen_view.in_photo(of_view[0].numpy()).tolist(), strict=True
        )
    best = sorted(candidates, key=lambda pair: -pair[0])[:12]
    np.testing.assert_allclose(scores, [score for score, _ in best], rtol=1e-5)
    np.testing.assert_allclose(boxes, np.clip([box for _, box in best], 0, [110, 70, 110, 70]), atol=0.05)


@pytest.mark.long
def test_the_r_cnn_moves_and_scores_the_proposals(rpn, rcnn, picture):
    alone, both = Localizer([rpn], proposals=8), Localizer([rpn], [rcnn], proposals=8)
    ((regions, _),) = alone.proposals(picture, [1])
    images = rcnn.preprocessing(warp(picture, regions.astype("float32"), 64))
    moved, scores = rcnn.rescored(images, regions.astype("float32"), np.full(len(regions), 1))
    box, score = merged(np.clip(moved, 0, [110, 70, 110, 70]), scores.numpy())
    detections = both(picture, [1])
    np.testing.assert_allclose(detections.boxes, box, atol=0.01)
    np.testing.assert_allclose(detections.scores, score, rtol=1e-4)
    assert detections.classes.tolist() == [1]


@pytest.mark.long
def test_an_ensemble_of_one_network_twice_is_that_network(rpn, rcnn, picture):
    once, twice = (Localizer([rpn], [rcnn] * count, proposals=6)(picture, [0, 1]) for count in (1, 2))
    np.testing.assert_allclose(once.boxes, twice.boxes, atol=1e-3)
    np.testing.assert_allclose(once.scores, twice.scores, rtol=1e-6)


def test_what_does_not_go_together_is_refused(rpn, rcnn, picture):
    with pytest.raises(InputError, match="one RPN or more"):
        Localizer([])
    with pytest.raises(InputError, match="center or multi-scale, not 10-crop"):
        Localizer([rpn], view=View("10-crop"))
    kernel = rpn.outputs_of.score_kernel
    before = kernel.numpy()
    try:
        kernel.assign(np.full(kernel.shape, np.nan))
        with pytest.raises(InputError, match=r"not finite for cat\.jpg"):
            Localizer([rpn])(picture, [0], "cat.jpg")
    finally:
        kernel.assign(before)
