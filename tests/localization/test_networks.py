"""The RPN and the R-CNN: what they learn from and decode, against NumPy; no map of all classes; saving."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_resnet
from keras_resnet import InputError, training
from keras_resnet.detection import iou
from keras_resnet.detection.anchors import make_anchors
from keras_resnet.detection.sampling import OBJECT, PADDING, sample_anchors
from keras_resnet.localization import LocalizationRPN, crop_batches, load_localizer

SHARES, RATIOS = (0.25, 0.5, 1.0), (0.5, 1.0, 2.0)


def entropy(label, score):
    return np.log1p(np.exp(-score if label else score))


def smooth_l1(x, turn=1 / 9):
    x = np.abs(x)
    return np.where(x < turn, x**2 / (2 * turn), x - turn / 2).sum()


def encoded(box, anchor):
    center, side = (box[:2] + box[2:]) / 2, box[2:] - box[:2]
    own_center, own_side = (anchor[:2] + anchor[2:]) / 2, anchor[2:] - anchor[:2]
    return np.concatenate([(center - own_center) / own_side, np.log(side / own_side)])


def chosen_anchors(anchors, boxes, draws, count=8):
    """Which anchors are positive and negative, by the rules as they read, anchors across the border among them."""
    overlaps = iou(anchors, boxes)
    best_of_box = overlaps.max(axis=0, initial=0)
    positive = {
        i
        for i in range(len(anchors))
        if (overlaps[i] >= 0.7).any() or ((overlaps[i] >= best_of_box - 1e-5) & (overlaps[i] > 0)).any()
    }
    negative = {i for i in range(len(anchors)) if overlaps[i].max(initial=0) < 0.3} - positive
    nearest = overlaps.argmax(axis=1) if len(boxes) else None
    taken = sorted(positive, key=lambda i: draws[i])[: count // 2]
    return taken, sorted(negative, key=lambda i: draws[i])[: count - len(taken)], nearest


def test_anchors_across_the_border_learn_too(rng):
    anchors = make_anchors(3, 3, 32, [6 * share for share in SHARES], RATIOS).reshape(-1, 4)
    corner = rng.uniform(0, 60, (5, 2, 2))
    boxes = np.clip(np.concatenate([corner, corner + rng.uniform(10, 90, (5, 2, 2))], axis=2), 0, 96).astype("float32")
    status = np.array([[OBJECT, OBJECT], [OBJECT, PADDING]] + [[OBJECT, OBJECT]] * 3, "int32")
    draws = rng.random((5, len(anchors))).astype("float32")
    labels, match = (tensor.numpy() for tensor in sample_anchors(anchors, boxes, status, None, draws, 8))
    outside = (anchors[:, :2] < 0).any(axis=1) | (anchors[:, 2:] > 96).any(axis=1)
    assert outside.mean() > 0.5
    assert ((labels >= 0) & outside).any()
    for image in range(5):
        objects = boxes[image][status[image] == OBJECT]
        positive, negative, nearest = chosen_anchors(anchors, objects, draws[image])
        assert set(np.flatnonzero(labels[image] == 1)) == set(positive)
        assert set(np.flatnonzero(labels[image] == 0)) == set(negative)
        assert all(match[image, i] == nearest[i] for i in positive)


@pytest.mark.long
def test_the_rpn_s_loss_is_numpy_s_over_eight_anchors_of_its_class(rpn, photos):
    batch = next(iter(crop_batches(photos, rpn.preprocessing, 6, 96, seed=3)))
    losses, parts = rpn.forward(*batch)
    features, anchors = rpn.flat_features(batch[0], training=True)
    scores, deltas = (output.numpy().astype(np.float64) for output in rpn.outputs_of(features, batch[3]))
    for image in range(6):
        draws = tf.random.stateless_uniform([len(anchors)], batch[4][image]).numpy()
        boxes = batch[1][image].numpy()[batch[2][image].numpy() == OBJECT]
        positive, negative, nearest = chosen_anchors(anchors.numpy(), boxes, draws)
        count = len(positive) + len(negative)
        objectness = sum(entropy(1, scores[image, i]) for i in positive) + sum(
            entropy(0, scores[image, i]) for i in negative
        )
        moved = sum(smooth_l1(encoded(boxes[nearest[i]], anchors.numpy()[i]) - deltas[image, i]) for i in positive)
        np.testing.assert_allclose(parts[image], [objectness / count, moved / count], rtol=1e-4)
        np.testing.assert_allclose(losses[image], parts[image].numpy().sum(), rtol=1e-6)


@pytest.mark.long
def test_only_the_image_s_class_learns(rpn, photos):
    images, boxes, status, classes, seeds = next(iter(crop_batches(photos, rpn.preprocessing, 4, 96)))
    with tf.GradientTape() as tape:
        losses, _ = rpn.forward(images, boxes, status, tf.ones_like(classes), seeds)
    for gradient in map(tf.convert_to_tensor, tape.gradient(losses, rpn.outputs_of.trainable_variables)):
        assert np.abs(gradient[1]).max() > 0
        assert not np.any(gradient[0])


@pytest.mark.long
def test_nothing_of_a_thousand_classes_but_their_weights_is_made(classifier):
    names = tuple(map(str, range(1013)))
    model = LocalizationRPN(classifier, names, 96)
    batch = [
        tf.TensorSpec([8, 96, 96, 3]), tf.TensorSpec([8, 2, 4]), tf.TensorSpec([8, 2], tf.int32),
        tf.TensorSpec([8], tf.int32), tf.TensorSpec([8, 2], tf.int64),
    ]  # fmt: skip
    graph = tf.function(model.forward).get_concrete_function(*batch).graph
    with_classes = {op.type for op in graph.get_operations() for tensor in op.outputs if 1013 in (tensor.shape or ())}
    assert with_classes <= {"ReadVariableOp"}


def test_candidates_are_decoded_class_by_class(rpn, rng):
    images = rng.normal(size=(1, 96, 128, 3)).astype("float32")
    features, anchors = rpn.flat_features(images)
    scores, deltas = (output.numpy() for output in rpn.outputs_of(features, np.array([0, 1], np.int32)))
    boxes, probabilities = rpn.candidates(images, np.array([0, 1], np.int32), 10)
    assert anchors.shape == (3 * 4 * 9, 4)
    for number in (0, 1):
        best = np.argsort(-scores[number], kind="stable")[:10]
        np.testing.assert_allclose(probabilities[number], 1 / (1 + np.exp(-scores[number][best])), rtol=1e-5)
        for place, i in enumerate(best):
            anchor, delta = anchors[i].numpy(), deltas[number, i]
            side = anchor[2:] - anchor[:2]
            center, half = (anchor[:2] + anchor[2:]) / 2 + delta[:2] * side, side * np.exp(delta[2:]) / 2
            wanted = np.clip(np.concatenate([center - half, center + half]), 0, [128, 96, 128, 96])
            np.testing.assert_allclose(boxes[number, place], wanted, atol=1e-3)


def test_a_region_is_positive_from_half_an_overlap(rcnn, rng):
    images = rng.normal(size=(3, 64, 64, 3)).astype("float32")
    boxes = np.array([[[10, 10, 50, 50]]] * 3, "float32")
    regions = np.array([[12, 10, 52, 50], [10, 10, 50, 29], [10, 10, 50, 31]], "float32")  # overlaps .90, .475, .525
    classes, status = np.array([0, 1, 1], np.int32), np.full((3, 1), OBJECT, np.int32)
    _, parts = rcnn.forward(images, regions, boxes, status, classes)
    scores, deltas = rcnn.outputs_of(rcnn.pooled(images, training=True), classes)
    for i, label in enumerate((1, 0, 1)):
        np.testing.assert_allclose(parts[i, 0], entropy(label, scores[i, 0].numpy()), rtol=1e-5)
        moved = smooth_l1(encoded(boxes[i, 0], regions[i]) - deltas[i, 0].numpy()) if label else 0
        np.testing.assert_allclose(parts[i, 1], moved, rtol=1e-4)


@pytest.mark.long
def test_a_saved_network_is_the_same_and_no_other_kind(rpn, rcnn, rng, tmp_path):
    images = rng.normal(size=(1, 96, 96, 3)).astype("float32")
    rpn.trained_on = np.array([3, 2**64 - 1], np.uint64)
    rpn.save(tmp_path / "rpn.keras")
    rcnn.save(tmp_path / "rcnn.keras")
    again = load_localizer(tmp_path / "rpn.keras", LocalizationRPN)
    for a, b in zip(rpn.candidates(images, np.array([1]), 5), again.candidates(images, np.array([1]), 5), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (again.trained_on.tolist(), again.class_names, again.size) == ([3, 2**64 - 1], ("red", "blue"), 96)
    np.testing.assert_array_equal(again.cell_anchors, rpn.cell_anchors)
    with pytest.raises(InputError, match=r"rcnn\.keras holds no LocalizationRPN"):
        load_localizer(tmp_path / "rcnn.keras", LocalizationRPN)


def test_a_cifar_network_is_refused():
    with pytest.raises(InputError, match="is a CIFAR network, of stride 4"):
        LocalizationRPN(keras_resnet.ResNet20(blocks=(1, 1, 1)), ("a", "b"))


@pytest.mark.long
def test_fit_brings_the_losses_down(classifier, photos):
    keras.utils.set_random_seed(0)
    model = LocalizationRPN(classifier, photos.classes, 96)
    model.compile(training.SGD(0.02))
    batches = crop_batches(photos, model.preprocessing, 6, 96)
    history = model.fit(batches, steps_per_epoch=15, epochs=4, verbose=0, shuffle=False).history
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    assert np.isfinite(history["box_loss"]).all()
