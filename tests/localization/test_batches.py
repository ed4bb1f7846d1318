"""Crops keep boxes on their objects, warping is bilinear interpolation, and both are functions of the step."""

import numpy as np
import pytest

from keras_resnet.data.pipelines import Shard
from keras_resnet.localization import Proposals, crop_batches, region_batches, warp
from keras_resnet.weights import Preprocessing

PLAIN = Preprocessing(mean=[0, 0, 0])
COLOURED = 130  # level from which a pixel of one channel is a rectangle's, half on its border


def extent(image, number):
    """The box of what has the colour of class ``number``, red or blue."""
    rows, columns = (np.flatnonzero((image[..., 2 * number] > COLOURED).any(axis=axis)) for axis in (1, 0))
    return [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


def test_boxes_are_clipped_to_the_crop_and_stay_on_their_object(photos):
    seen = 0
    for batch in crop_batches(photos, PLAIN, 4, 96).take(12):
        for image, boxes, status, number, _ in zip(*(part.numpy() for part in batch), strict=True):
            assert image.shape == (96, 96, 3)
            assert boxes.min() >= 0
            assert boxes.max() <= 96
            real = boxes[(status == 1) & ((boxes[:, 2:] - boxes[:, :2]).min(axis=1) > 4)]
            if len(real) == 1 and (status == 1).sum() == 1:
                np.testing.assert_allclose(real[0], extent(image, number), atol=2.6)
                seen += 1
    assert seen > 10


def test_warping_is_bilinear_interpolation_at_the_centers_of_pixels(rng):
    picture = rng.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    regions = np.array([[3, 4, 13, 14], [5.5, 2.25, 25, 19], [0, 0, 30, 20]], np.float32)
    warped = warp(picture, regions, 10).numpy()
    np.testing.assert_allclose(warped[0], picture[4:14, 3:13], atol=1e-3)  # pixel by pixel
    x1, y1, x2, y2 = regions[1]
    for row, column in ((0, 0), (4, 7), (9, 9)):
        x, y = x1 + (column + 0.5) * (x2 - x1) / 10 - 0.5, y1 + (row + 0.5) * (y2 - y1) / 10 - 0.5
        left, top = int(np.floor(x)), int(np.floor(y))
        square = picture[top : top + 2, left : left + 2].astype(float)
        weights = np.outer([top + 1 - y, y - top], [left + 1 - x, x - left])
        np.testing.assert_allclose(warped[1, row, column], (square * weights[..., None]).sum(axis=(0, 1)), atol=0.05)
    assert warped[2].min() > 0 or picture.min() == 0  # nothing from outside


def test_a_region_is_the_object_that_it_frames(photos):
    boxes = np.stack([[photo.objects.boxes[0], [0, 0, 96, 96]] for photo in photos.photos]).astype(np.float32)
    framed = 0
    for images, regions, _, status, classes in region_batches(Proposals(photos, boxes), PLAIN, 4, 32).take(6):
        assert status.shape[0] == 4
        for image, region, number in zip(images.numpy(), regions.numpy(), classes.numpy(), strict=True):
            if region[3] - region[1] < 96:
                assert (image[..., 2 * number] > COLOURED).all()
                assert (image[..., 2 - 2 * number] < COLOURED).all()
                framed += 1
    assert framed > 6


@pytest.mark.long
@pytest.mark.parametrize("kind", ["crops", "regions"])
def test_batches_are_a_function_of_the_step_and_shards_make_one(photos, kind):
    proposals = Proposals(photos, np.tile(np.float32([[[5, 5, 60, 60], [20, 20, 90, 80]]]), (len(photos), 1, 1)))
    make, source = (crop_batches, photos) if kind == "crops" else (region_batches, proposals)

    def batches(start=0, shard=Shard()):  # noqa: B008
        return list(make(source, PLAIN, 4, 32, 7, start, shard).take(4 - start))

    whole = batches()
    for a, b in zip(whole[2:], batches(2), strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)
    halves = [batches(shard=Shard(index, 2, 2)) for index in (0, 1)]
    for step, batch in enumerate(whole):
        for x, first, second in zip(batch, halves[0][step], halves[1][step], strict=True):
            np.testing.assert_array_equal(x, np.concatenate([first, second]))
