"""The fast mean AP equals COCO's, and paired intervals tell better detectors from equal ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from keras_resnet.detection import Detections, Matches, Photo, Truths, coco_scores, interval, open_coco
from keras_resnet.detection.data.coco_data import coco_content
from keras_resnet.detection.data.photos import DetectionData
from keras_resnet.detection.scoring.bootstrap import RECALLS, ClassMatches, Ranking


@pytest.fixture(scope="module")
def photos(real_data) -> DetectionData:
    return open_coco(real_data("coco128") / "instances.json", real_data("coco128") / "images")


def guesses(photos, noise, seed=0):
    """True boxes, moved and scored at random, some of another class, some missing."""
    rng = np.random.default_rng(seed)
    detections = {}
    for photo in photos.photos:
        objects = photo.objects
        kept = rng.random(len(objects.boxes)) < 0.8
        sides = np.tile(objects.boxes[:, 2:] - objects.boxes[:, :2], 2)
        moved = objects.boxes + noise * rng.normal(size=objects.boxes.shape) * sides
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
        classes = np.where(rng.random(len(kept)) < 0.1, rng.integers(0, 80, len(kept)), objects.classes)
        detections[photo.id] = Detections(moved[kept], classes[kept], rng.random(kept.sum()))
    return detections


def hard_set(seed):
    """Random photos of two classes, with crowds that contain other objects, 150 detections per photo, and equal scores.

    A seventh of the objects are crowds; detections lie on objects, within crowds, and anywhere.
    """
    rng = np.random.default_rng(seed)
    images, annotations, detections = [], [], {}

    def boxes(count, least, most):
        corner, side = rng.uniform(0, 150, (count, 2)), rng.uniform(least, most, (count, 2))
        return np.concatenate([corner, corner + side], axis=1)

    for image in range(12):
        images.append({"id": image + 5, "width": 256, "height": 256})
        true, crowd = boxes(7, 10, 60), np.arange(7) == 0
        true[0] = [20, 20, 200, 200]
        for box, flag in zip(true.tolist(), crowd, strict=True):
            side = [box[2] - box[0], box[3] - box[1]]
            entry = {"image_id": image + 5, "category_id": int(rng.choice([3, 8])), "bbox": box[:2] + side}
            annotations.append(entry | {"id": len(annotations), "area": side[0] * side[1], "iscrowd": int(flag)})
        near = true[rng.integers(0, 7, 90)] + rng.normal(0, 4, (90, 4))
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        detected = np.concatenate([near, boxes(60, 10, 40)])
        detections[image + 5] = Detections(detected, np.full(150, image % 2), rng.integers(0, 40, 150) / 40)
    categories = [{"id": 3, "name": "a"}, {"id": 8, "name": "b"}]
    dataset = {"images": images, "annotations": annotations, "categories": categories}
    return DetectionData("hard", ("a", "b"), (), (3, 8), dataset), detections


@pytest.mark.parametrize("noise", [0.02, 0.1])
@pytest.mark.long
def test_mean_ap_equals_that_of_pycocotools(photos, noise):
    detections = guesses(photos, noise)
    scores = coco_scores(photos.dataset, detections, list(photos.categories))
    assert Matches(photos, detections).mean_ap() == pytest.approx(scores["AP"], abs=1e-12)
    assert Matches(photos, detections, (0.5,)).mean_ap() == pytest.approx(scores["AP50"], abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_crowds_and_more_than_100_detections_count_as_in_pycocotools(seed):
    data, detections = hard_set(seed)
    scores = coco_scores(data.dataset, detections, [3, 8])
    assert 0.02 < scores["AP"] < scores["AP50"] < 0.9
    assert Matches(data, detections).mean_ap() == pytest.approx(scores["AP"], abs=1e-12)
    assert Matches(data, detections, (0.5,)).mean_ap() == pytest.approx(scores["AP50"], abs=1e-12)


@pytest.mark.parametrize("height", [50, 55, 60, 65, 70, 75, 80, 85, 90, 95])
def test_an_overlap_that_equals_a_threshold_counts_as_in_pycocotools(height):
    truth = Truths([[0, 0, 100, 100]], [0], [False])
    photo = Photo(0, Path("0.jpg"), 100, 100, truth)
    data = DetectionData("one", ("dog",), (photo,), (1,), coco_content([photo], ["dog"], ["0.jpg"]))
    detections = {0: Detections([[0, 0, 100, height]], [0], [0.9])}
    expected = coco_scores(data.dataset, detections, [1])["AP"]
    assert Matches(data, detections).mean_ap() == pytest.approx(expected, abs=1e-12)


def test_photos_that_are_called_by_names_are_drawn_as_those_with_numbers():
    """As TFDS' VOC calls them."""
    data, detections = hard_set(0)
    expected = Matches(data, detections, (0.5,))
    images = [image | {"id": f"{image['id']:06d}"} for image in data.dataset["images"]]
    entries = [entry | {"image_id": f"{entry['image_id']:06d}"} for entry in data.dataset["annotations"]]
    named = replace(data, dataset=data.dataset | {"images": images, "annotations": entries})
    matches = Matches(named, {f"{image:06d}": part for image, part in detections.items()}, (0.5,))
    assert matches.mean_ap() == expected.mean_ap()
    np.testing.assert_array_equal(matches.draws(), expected.draws())


def test_a_sample_of_photos_is_scored_like_a_set_of_them():
    """Photos are drawn not at all, once or three times, and pycocotools scores a set with as many copies of them.

    The scores differ slightly: copies of one photo are neighbors there, which orders equal scores differently.
    """
    data, detections = hard_set(0)
    rng = np.random.default_rng(0)
    detections = {i: Detections(part.boxes, part.classes, rng.random(150)) for i, part in detections.items()}
    times = np.array([0, 1, 3] * 4)
    images, annotations, copies = [], [], {}
    for image, count in zip(data.dataset["images"], times, strict=True):
        for copy in range(count):
            number = 100 * image["id"] + copy
            images.append({**image, "id": number})
            entries = [entry for entry in data.dataset["annotations"] if entry["image_id"] == image["id"]]
            copied = enumerate(entries, start=len(annotations))
            annotations += [{**entry, "image_id": number, "id": identifier} for identifier, entry in copied]
            copies[number] = detections[image["id"]]
    dataset = {**data.dataset, "images": images, "annotations": annotations}
    drawn = coco_scores(dataset, copies, [3, 8])["AP50"]
    assert Matches(data, detections, (0.5,)).mean_ap(times) == pytest.approx(drawn, abs=5e-3)
    once = np.minimum(times, 1)
    chosen = [image["id"] for image, count in zip(data.dataset["images"], once, strict=True) if count]
    part = {key: [e for e in data.dataset[key] if e[by] in chosen] for key, by in
            (("images", "id"), ("annotations", "image_id"))}  # fmt: skip
    expected = coco_scores({**data.dataset, **part}, {i: detections[i] for i in chosen}, [3, 8])["AP50"]
    assert Matches(data, detections, (0.5,)).mean_ap(once) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("objects", [7, 29, 50, 100, 123, 300])
def test_recalls_count_as_reached_where_the_scorer_s_quotients_reach_them(objects):
    """pycocotools' own rule, ``searchsorted(hits / objects, recalls)``, for samples of several sizes in one call."""
    times = np.array([[1], [2], [3], [10], [0]], np.int32)
    hits = 3 * np.arange(objects)
    ranking = Ranking(np.zeros(3 * objects, int), -np.arange(3.0 * objects), hits)
    expected = []
    for (copies,) in times[:-1]:
        recalls = copies * np.arange(1, objects + 1) / (copies * objects)
        precisions = np.arange(1, objects + 1) / (hits + 1)
        precisions = [precisions[place:].max() for place in range(objects)]
        expected.append(np.mean(np.array(precisions)[np.searchsorted(recalls, RECALLS, side="left")]))
    aps = ClassMatches(0, np.array([objects], np.int32), [ranking]).aps(times)
    np.testing.assert_allclose(aps[:-1], expected, rtol=1e-12)
    assert np.isnan(aps[-1])


def test_ignored_objects_of_data_without_a_coco_file_count_as_crowds():
    """VOC's ids are strings; two detections match the difficult object, and the third finds the other one."""
    objects = Truths([[0, 0, 90, 90], [10, 10, 50, 50]], [0, 0], [True, False])
    data = DetectionData("voc", ("dog",), (Photo("000001", None, 100, 100, objects),))
    detections = Detections([[60, 60, 80, 80], [60, 10, 80, 30], [10, 10, 50, 50]], [0, 0, 0], [0.9, 0.8, 0.7])
    assert Matches(data, {"000001": detections}).mean_ap() == pytest.approx(1.0)


def test_samples_without_objects_do_not_count_in_an_interval():
    """One photo in twenty has an object, which is detected: a third of the samples have no AP, the others one of 1."""
    photos = tuple(
        Photo(place, Path(f"{place}.jpg"), 100, 100, Truths([[0, 0, 9, 9]] * (place == 0), [0] * (place == 0)))
        for place in range(20)
    )
    matches = Matches(DetectionData("part", ("dog",), photos), {0: Detections([[0, 0, 9, 9]], [0], [0.9])}, (0.5,))
    draws = matches.draws()
    assert 0.3 < np.isnan(draws).mean() < 0.4
    assert interval(draws) == (1.0, 1.0)
    assert interval(draws - draws) == (0.0, 0.0)
    assert matches.mean_ap(np.arange(20)) == 0.0  # without the photo with the object


@pytest.mark.slow
@pytest.mark.long
def test_intervals_contain_the_value_and_tell_better_from_equal(photos):
    good, bad = (Matches(photos, guesses(photos, noise), (0.5,)) for noise in (0.03, 0.25))
    low, high = interval(good.draws())
    assert low < good.mean_ap() < high
    assert interval(good.draws() - good.draws()) == (0.0, 0.0)
    assert interval(good.draws() - bad.draws())[0] > 0
