"""The quick mean AP is COCO's, and the paired interval knows better from equal."""

import numpy as np
import pytest

from keras_resnet.detection import Detections, Matches, coco_scores, interval, open_coco, paired_interval
from keras_resnet.detection.photos import DetectionData


@pytest.fixture(scope="module")
def photos(real_data) -> DetectionData:
    return open_coco(real_data("coco128") / "instances.json", real_data("coco128") / "images")


def guesses(photos, noise, seed=0):
    """True boxes, moved and scored at random, some of another class, some missing."""
    rng = np.random.default_rng(seed)
    found = {}
    for photo in photos.photos:
        objects = photo.objects
        kept = rng.random(len(objects.boxes)) < 0.8
        sides = np.tile(objects.boxes[:, 2:] - objects.boxes[:, :2], 2)
        moved = objects.boxes + noise * rng.normal(size=objects.boxes.shape) * sides
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
        classes = np.where(rng.random(len(kept)) < 0.1, rng.integers(0, 80, len(kept)), objects.classes)
        found[photo.id] = Detections(moved[kept], classes[kept], rng.random(kept.sum()))
    return found


@pytest.mark.parametrize("noise", [0.02, 0.1])
def test_mean_ap_is_pycocotools_own(photos, noise):
    found = guesses(photos, noise)
    scores = coco_scores(photos.dataset, found, list(photos.categories))
    truths = {photo.id: photo.objects for photo in photos.photos}
    assert Matches(truths, found).mean_ap() == pytest.approx(scores["AP"], abs=2e-3)
    assert Matches(truths, found, (0.5,)).mean_ap() == pytest.approx(scores["AP50"], abs=2e-3)


def test_a_sample_of_photos_is_scored_like_a_set_of_them(photos):
    """Photos drawn once or not at all: the same as the scorer on those photos alone."""
    found, truths = guesses(photos, 0.1), {photo.id: photo.objects for photo in photos.photos}
    chosen = [photo.id for photo in photos.photos[::2]]
    times = np.isin(list(truths), chosen).astype(int)
    alone = Matches({i: truths[i] for i in chosen}, {i: found[i] for i in chosen})
    assert Matches(truths, found).mean_ap(times) == pytest.approx(alone.mean_ap(), abs=1e-12)


def test_intervals_hold_the_value_and_tell_better_from_equal(photos):
    truths = {photo.id: photo.objects for photo in photos.photos}
    good, bad = (Matches(truths, guesses(photos, noise), (0.5,)) for noise in (0.03, 0.25))
    low, high = interval(good)
    assert low < good.mean_ap() < high
    assert paired_interval(good, good) == (0.0, 0.0)
    assert paired_interval(bad, good)[0] > 0
