"""COCO's scores over all images, with crowds and true areas, and the benchmarks' result files."""

import json

import numpy as np
import pytest

from keras_resnet import InputError
from keras_resnet.detection import (
    DetectionData,
    Detections,
    Photo,
    Truths,
    coco_scores,
    write_coco,
    write_det,
    write_voc,
)
from keras_resnet.detection.scoring.coco_scoring import coco_evaluation, matched_by_class


def dataset(*annotations):
    """Three images of 100 x 100 with (image, box as x y w h, crowd) annotations of category 7."""
    return {
        "images": [{"id": i, "width": 100, "height": 100} for i in (1, 2, 3)],
        "categories": [{"id": 7, "name": "thing"}],
        "annotations": [
            {"id": i, "image_id": image, "category_id": 7, "bbox": box, "area": box[2] * box[3], "iscrowd": crowd}
            for i, (image, box, crowd) in enumerate(annotations, start=1)
        ],
    }


BOX = [10, 10, 40, 40]


def as_detections(*boxes):
    return Detections(boxes, [0] * len(boxes), [0.9 - 0.1 * i for i in range(len(boxes))])


def test_images_without_detections_count():
    """Found in one image of two: precision 1 up to recall 1/2, at 51 of the 101 recall points."""
    scores = coco_scores(dataset((1, BOX, 0), (2, BOX, 0)), {1: as_detections([10, 10, 50, 50])}, [7])
    assert scores["AP50"] == pytest.approx(51 / 101)
    assert scores["AR100"] == pytest.approx(0.5)
    assert coco_scores(dataset((1, BOX, 0)), {}, [7])["AP"] == 0.0


def test_overlap_decides_by_threshold():
    """Overlap 0.8 is right at the thresholds 0.5, 0.55 ... 0.75 and 0.8 only: 7 of 10."""
    scores = coco_scores(dataset((1, BOX, 0)), {1: as_detections([10, 10, 50, 42])}, [7])
    expected = {"AP": 0.7, "AP50": 1.0, "AP75": 1.0, "AP_medium": 0.7, "AP_large": -1}
    assert {name: scores[name] for name in expected} == pytest.approx(expected)


def test_a_crowd_matches_any_number_of_detections():
    truth = dataset((1, [0, 0, 90, 90], 1), (2, BOX, 0))
    inside = as_detections([0, 0, 20, 20], [30, 30, 60, 60])
    assert coco_scores(truth, {1: inside, 2: as_detections([10, 10, 50, 50])}, [7])["AP"] == pytest.approx(1.0)


@pytest.mark.parametrize(("box", "score"), [([np.nan, 10, 50, 50], 0.9), ([10, 10, 50, 50], np.nan)])
def test_detections_that_are_not_finite_are_refused(box, score):
    """COCO's scorer would count a box of NaN as correct: it asks whether the overlap is too small, which is false."""
    with pytest.raises(InputError, match=r"A detection has box \[.*\] and score .*: leave out those that are not"):
        Detections([box], [0], [score])


def test_an_annotation_with_the_id_0_can_be_found():
    """pycocotools takes a match with the id 0 for no match."""
    truth = dataset((1, BOX, 0))
    truth["annotations"][0]["id"] = 0
    assert coco_scores(truth, {1: as_detections([10, 10, 50, 50])}, [7])["AP"] == pytest.approx(1.0)


def test_names_as_ids_score_as_numbers_do(tmp_path):
    """COCO's scorer takes numbers alone; files of other tools, and TFDS' VOC, have names."""
    truth = dataset((1, BOX, 0), (2, BOX, 0), (2, [60, 60, 20, 20], 1))
    detections = {1: as_detections([10, 10, 50, 42], [0, 0, 9, 9]), 2: as_detections([60, 60, 70, 70])}
    expected = coco_scores(truth, detections, [7])
    named = {
        "images": [image | {"id": f"00000{image['id']}"} for image in truth["images"]],
        "categories": [{"id": "a thing", "name": "thing"}],
        "annotations": [
            entry | {"id": f"box {entry['id']}", "image_id": f"00000{entry['image_id']}", "category_id": "a thing"}
            for entry in truth["annotations"]
        ],
    }
    by_name = {f"00000{image}": detected for image, detected in detections.items()}
    assert coco_scores(named, by_name, ["a thing"]) == expected
    assert 0 < expected["AP"] < 1
    write_coco(tmp_path, DetectionData("part", ("thing",), (), ("a thing",)), "val", by_name)
    first = json.loads((tmp_path / "detections_part_results.json").read_text())[0]
    assert (first["image_id"], first["category_id"]) == ("000001", "a thing")


def test_a_class_is_matched_in_its_photos_alone():
    """The scorer takes 0.7 kB for each photo and class that it matches: 4 GiB for 1,200 classes and 5,000 photos."""
    truth = {
        "images": [{"id": i, "width": 100, "height": 100} for i in range(50)],
        "categories": [{"id": i, "name": str(i)} for i in range(30)],
        "annotations": [
            {"id": i, "image_id": i, "category_id": i % 20, "bbox": BOX, "area": 1600, "iscrowd": 0} for i in range(50)
        ],
    }
    detections = {i: Detections([[10, 10, 50, 50]], [i % 20], [0.9]) for i in range(40)}
    scorer = coco_evaluation(truth, detections, range(30))
    pairs = {number: len(scorer.ious) for number in matched_by_class(scorer)}
    assert list(pairs) == list(range(30))
    assert sum(pairs.values()) == 50 + 10  # ten classes have neither objects nor detections, and one photo
    assert coco_scores(truth, detections, range(30))["AR1"] == pytest.approx((10 * 2 / 3 + 10) / 20)


def test_unknown_images_are_refused():
    with pytest.raises(InputError, match="detections of image 9, which is not in the data set"):
        coco_scores(dataset((1, BOX, 0)), {9: as_detections(BOX)}, [7])


def test_files_have_the_servers_formats(tmp_path):
    detections = {1: Detections([[9, 19, 50, 60]], [0], [0.5]), 2: Detections([[0, 0, 5, 6]], [1], [0.25])}
    nothing = Truths([], [])
    write_coco(tmp_path, DetectionData("instances_val2014", ("cat", "dog"), (), (7, 90)), "val", detections)
    assert json.loads((tmp_path / "detections_val2014_results.json").read_text())[1] == {
        "image_id": 2, "category_id": 90, "bbox": [0.0, 0.0, 5.0, 6.0], "score": 0.25,
    }  # fmt: skip
    write_voc(tmp_path / "voc", DetectionData("voc", ("cat", "dog"), ()), "val", {"000001": detections[1]})
    assert (tmp_path / "voc" / "comp4_det_val_cat.txt").read_text() == "000001 0.500000 10.000 20.000 50.000 60.000\n"
    assert (tmp_path / "voc" / "comp4_det_val_dog.txt").read_text() == ""
    photos = (Photo("a", None, 9, 9, nothing, index=7), Photo("b", None, 9, 9, nothing, index=20121))
    write_det(tmp_path, DetectionData("val2", ("cat", "dog"), photos), "val2", {"b": detections[2], "a": detections[1]})
    assert (tmp_path / "detections_val2.txt").read_text().splitlines() == [
        "20121 2 0.250000 0.000 0.000 4.000 5.000",
        "7 1 0.500000 9.000 19.000 49.000 59.000",
    ]


@pytest.mark.long
def test_the_true_boxes_of_real_photos_are_perfect(real_data):
    truth = json.loads((real_data("coco128") / "instances.json").read_text())
    categories = [category["id"] for category in truth["categories"]]
    detections = {}
    for image in truth["images"]:
        objects = [entry for entry in truth["annotations"] if entry["image_id"] == image["id"] and not entry["iscrowd"]]
        corners = [[x, y, x + width, y + height] for x, y, width, height in (entry["bbox"] for entry in objects)]
        classes = [categories.index(entry["category_id"]) for entry in objects]
        detections[image["id"]] = Detections(corners, classes, [0.9] * len(objects))
    assert coco_scores(truth, detections, categories)["AP"] == pytest.approx(1.0)
