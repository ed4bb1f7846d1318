"""A SavedModel and an ONNX file of a detector give the detector's boxes, and are not kept if they do not."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from programs import run

from keras_resnet.data.viewing import ORIENTATION
from keras_resnet.detection import (
    Detections,
    Detector,
    FasterRCNN,
    ImageSize,
    Proposals,
    RegionHead,
    above_a_gap,
    difference,
    open_coco,
    read_photos,
    roi_align,
    run_detector,
    run_onnx,
    save_detector,
    save_onnx,
)
from keras_resnet.detection.onnx_file import align_by_gathers
from keras_resnet.detection.serving import folded
from keras_resnet.errors import InputError

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


FORMATS = {"SavedModel": (save_detector, run_detector), "ONNX": (save_onnx, run_onnx)}


OTHERS = [("SavedModel", "fpn"), ("ONNX", "c4"), ("ONNX", "fpn")]


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "head"), [("SavedModel", "c4"), *(pytest.param(*pair, marks=pytest.mark.slow) for pair in OTHERS)]
)
def test_exported_detectors_give_the_detector_s_boxes(kind, head, classifier, photo, tmp_path):
    """The test of the tool below makes another SavedModel, of the pyramid, in a test run of every day."""
    encoded, image = photo
    model = make_model(classifier, head)
    assert not any("_bn" in v.path for part in (folded(model).shared, folded(model).head) for v in part.weights)
    save, run_exported = FORMATS[kind]
    save(model, tmp_path / "exported")
    expected, detections = Detector([model])(image), run_exported(tmp_path / "exported")(encoded)
    assert len(expected.boxes) > 5
    sure = [one.select(one.scores >= 0.02) for one in (expected, detections)]
    boxes, scores = difference(*sure)
    assert boxes < 0.1
    assert scores < 1e-3


@pytest.mark.long
def test_exported_detectors_compute_in_float32(classifier):
    """ONNX's runtime has no convolutions in bfloat16."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = make_model(classifier, "c4")
    copy = folded(model)
    layers = [layer for part in (copy.shared, copy.rpn, copy.head, copy.box_predictor) for layer in part.layers]
    assert {layer.compute_dtype for layer in layers} == {"float32"}
    assert (model.shared.output.dtype, keras.config.dtype_policy().name) == ("bfloat16", "mixed_bfloat16")


@pytest.mark.parametrize("size", [3, 7])
def test_pooling_by_gathers_is_roi_align(size, rng):
    """Also of regions that reach beyond the map, and of empty ones."""
    features = rng.normal(size=(1, 9, 13, 4)).astype(np.float32)
    boxes = rng.uniform(-30, 130, (1, 40, 4)).astype(np.float32)
    boxes[..., 2:] = np.maximum(boxes[..., 2:], boxes[..., :2])
    expected = roi_align(tf.constant(features), tf.constant(boxes), 8, size)
    pooled = align_by_gathers(tf.constant(features), tf.constant(boxes), 8, size)
    np.testing.assert_allclose(pooled, expected, atol=1e-5)
    assert np.abs(expected).max() > 1


def test_pooling_by_maxima_has_no_onnx_file(classifier, tmp_path):
    model = FasterRCNN(classifier, 2, Proposals((2.0,)), RegionHead("max"))
    with pytest.raises(InputError, match="--pooling max has no ONNX file"):
        save_onnx(model, tmp_path / "model.onnx")


def test_differences_are_of_boxes_of_one_class_wherever_they_rank():
    boxes = [[0, 0, 4, 4], [60, 0, 70, 9], [0, 0.25, 4, 4]]
    first, second = (Detections(boxes, [0, 0, 1], scores) for scores in ([1, 0.9999999, 0.5], [0.9999999, 1, 0.5]))
    distance, score = difference(first, second)
    assert (distance, score) == (0.0, pytest.approx(1e-7))
    swapped = Detections(boxes, [0, 0, 1], [0.5, 1, 0.5])
    assert difference(first, swapped) == (0.0, 0.5)
    moved = Detections([boxes[1], boxes[1], boxes[2]], [0, 0, 1], [1, 1, 0.5])
    assert difference(first, moved)[0] == difference(moved, first)[0] == 66.0


def test_differences_are_of_equal_classes():
    first = Detections([[0, 0, 4, 4], [1, 1, 5, 5]], [0, 1], [0.5, 0.9])
    second = Detections([[1, 1, 5, 5.5], [0, 0, 4, 4]], [1, 0], [0.9, 0.25])
    assert difference(first, second) == (0.5, 0.25)
    assert difference(first, first.select([0])) == (np.inf, np.inf)
    assert difference(first.select([]), first.select([])) == (0.0, 0.0)


def test_a_score_beside_the_threshold_counts_in_both_results_or_in_none():
    boxes = np.tile([[0, 0, 4, 4]], (5, 1))
    first = Detections(boxes, [0, 0, 0, 0, 0], [0.9, 0.10001, 0.0995, 0.0992, 0.05])
    second = Detections(boxes, [0, 0, 0, 0, 0], [0.9, 0.09999, 0.0995, 0.0992, 0.05])
    assert difference(*(one.select(one.scores >= 0.1) for one in (first, second))) == (np.inf, np.inf)
    sure = above_a_gap(first, second, 0.1, 1e-3)
    assert [len(one.scores) for one in sure] == [4, 4]
    assert difference(*sure)[1] == pytest.approx(2e-5)
    lost = second.select([0, 1, 2, 4])
    assert difference(*above_a_gap(first, lost, 0.1, 1e-3)) == (np.inf, np.inf)
    assert [len(one.scores) for one in above_a_gap(first, second, 0.5, 1e-3)] == [1, 1]


@pytest.mark.long
@pytest.mark.parametrize(
    ("format", "name"),
    [("saved-model", "saved_model.pb"), pytest.param("onnx", "model.onnx", marks=pytest.mark.slow)],
)
def test_the_tool_compares_before_it_keeps(format, name, classifier, photo, tmp_path):
    """With a photo that is turned by its EXIF orientation and half transparent."""
    exif, image = Image.Exif(), Image.fromarray(photo[1])
    exif[ORIENTATION] = 6
    clear = Image.linear_gradient("L").resize(image.size)
    Image.merge("RGBA", (*image.split(), clear)).save(tmp_path / "photo.png", exif=exif)
    make_model(classifier, "fpn").save(tmp_path / "detector.keras")
    arguments = ["--model", tmp_path / "detector.keras", "--out", tmp_path / "exported", "--formats", format]
    done = run("tools/export_detector.py", tmp_path / "photo.png", *arguments)
    assert done.returncode == 0, done.stderr
    assert "in 1 photo agree" in done.stdout
    assert list((tmp_path / "exported").rglob(name))
    again = run("tools/export_detector.py", tmp_path / "photo.png", *arguments)
    assert again.returncode == 2
    assert "exists already" in again.stderr
    assert not list(tmp_path.glob("part-*"))
