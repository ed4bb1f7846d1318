"""Anchors and box coding against the formulas written out."""

import numpy as np

from keras_resnet.detection.anchors import decode, encode, make_anchors


def test_every_cell_has_the_papers_nine_anchors():
    anchors = make_anchors(3, 5)
    assert (anchors.shape, anchors.dtype) == ((3, 5, 9, 4), np.float32)
    for row, column in np.ndindex(3, 5):
        expected = []
        for side in (128, 256, 512):
            for ratio in (0.5, 1, 2):
                width, height = side / ratio**0.5, side * ratio**0.5
                x, y = 16 * column + 8, 16 * row + 8
                expected.append([x - width / 2, y - height / 2, x + width / 2, y + height / 2])
        order = np.lexsort(np.round(expected, 2).T)
        np.testing.assert_allclose(
            anchors[row, column][np.lexsort(np.round(anchors[row, column], 2).T)], np.array(expected)[order], atol=1e-3
        )


def test_anchors_of_a_smaller_map_are_the_upper_left_part():
    np.testing.assert_array_equal(make_anchors(4, 6)[:2, :3], make_anchors(2, 3))


def test_coding_is_the_papers_equation_and_decoding_its_inverse(rng):
    corner = rng.uniform(0, 100, (2, 50, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 80, (2, 50, 2))], axis=2).astype("float32")
    deltas = encode(boxes[0], boxes[1]).numpy()
    for (x1, y1, x2, y2), (a1, b1, a2, b2), encoded in zip(*boxes, deltas, strict=True):
        width, height = a2 - a1, b2 - b1
        expected = [
            ((x1 + x2) / 2 - (a1 + a2) / 2) / width,
            ((y1 + y2) / 2 - (b1 + b2) / 2) / height,
            np.log((x2 - x1) / width),
            np.log((y2 - y1) / height),
        ]
        np.testing.assert_allclose(encoded, expected, atol=1e-4)
    np.testing.assert_allclose(decode(deltas, boxes[1]), boxes[0], atol=1e-3)
    extreme = decode(np.full((1, 4), 50, "float32"), boxes[1][:1]).numpy()
    assert np.isfinite(extreme).all()
