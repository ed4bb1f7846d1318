"""A SavedModel of a detector gives the detector's boxes, and is not kept if it does not."""

import numpy as np
import pytest
from PIL import Image
from programs import run

from keras_resnet.detection import (
    Detections,
    Detector,
    FasterRCNN,
    ImageSize,
    Proposals,
    RegionHead,
    difference,
    open_coco,
    read_photos,
    run_detector,
    save_detector,
)
from keras_resnet.detection.serving import folded

PARTS = {
    "c4": (Proposals((2.0, 4.0), smallest=4.0), RegionHead(context=True), ImageSize(80, 133)),
    "fpn": (Proposals((1.0, 2.0, 4.0, 6.0, 8.0), smallest=4.0), RegionHead(), ImageSize(80, 133)),
}


@pytest.fixture(scope="module")
def photo(rectangles):
    """A photo's bytes and pixels."""
    photos = open_coco(rectangles / "train.json", rectangles / "train")
    _, image = next(read_photos(photos))
    return photos.reader.fetch(0), image


def make_model(classifier, head):
    model = FasterRCNN(classifier, ["red", "blue"], *PARTS[head], head=head)
    rng = np.random.default_rng(0)
    for layer in (model.rpn.get_layer("rpn_scores"), *model.box_predictor.layers[1:]):  # so that scores differ
        layer.kernel.assign(rng.normal(0, 0.15, layer.kernel.shape))
    return model


@pytest.mark.long
@pytest.mark.parametrize("head", ["c4", "fpn"])
def test_the_saved_model_gives_the_detector_s_boxes(head, classifier, photo, tmp_path):
    encoded, image = photo
    model = make_model(classifier, head)
    assert not any("_bn" in v.path for part in (folded(model).shared, folded(model).head) for v in part.weights)
    save_detector(model, tmp_path / "saved")
    expected, detections = Detector([model])(image), run_detector(tmp_path / "saved")(encoded)
    assert len(expected.boxes) > 5
    sure = [one.select(one.scores >= 0.02) for one in (expected, detections)]
    boxes, scores = difference(*sure)
    assert boxes < 0.1
    assert scores < 1e-3


def test_differences_are_of_equal_classes_in_order_of_score():
    first = Detections([[0, 0, 4, 4], [1, 1, 5, 5]], [0, 1], [0.5, 0.9])
    second = Detections([[1, 1, 5, 5.5], [0, 0, 4, 4]], [1, 0], [0.9, 0.25])
    assert difference(first, second) == (0.5, 0.25)
    assert difference(first, first.select([0])) == (np.inf, np.inf)
    assert difference(first.select([]), first.select([])) == (0.0, 0.0)


@pytest.mark.long
def test_the_tool_compares_before_it_keeps(classifier, photo, tmp_path):
    Image.fromarray(photo[1]).save(tmp_path / "photo.png")
    make_model(classifier, "fpn").save(tmp_path / "detector.keras")
    arguments = ["--model", tmp_path / "detector.keras", "--out", tmp_path / "exported"]
    done = run("tools/export_detector.py", tmp_path / "photo.png", *arguments)
    assert done.returncode == 0, done.stderr
    assert "in 1 photo agree" in done.stdout
    assert (tmp_path / "exported" / "saved_model.pb").exists()
    again = run("tools/export_detector.py", tmp_path / "photo.png", *arguments)
    assert again.returncode == 2
    assert "exists already" in again.stderr
    assert not list(tmp_path.glob("part-*"))
