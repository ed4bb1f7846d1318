"""KerasCV 0.9's own detectors train on our networks, and boxes survive the way there and back."""

import keras
import numpy as np
import pytest

import keras_resnet
from keras_resnet import InputError
from keras_resnet.detection import Detections, Truths, from_kerascv, iou, kerascv_backbone, to_kerascv

OBJECTS = [
    Truths([[10, 12, 60, 70], [20, 30, 100, 90], [0, 0, 9, 9]], [0, 1, 2], [False, False, True]),
    Truths([[10, 10, 60, 60]], [2]),
]


def test_objects_and_detections_survive_the_way_there_and_back():
    converted = to_kerascv(OBJECTS)
    np.testing.assert_array_equal(converted["classes"], [[0, 1], [2, -1]])  # an ignored object is left out
    np.testing.assert_array_equal(converted["boxes"][1], [[10, 10, 60, 60], [-1, -1, -1, -1]])
    for before, after in zip((OBJECTS[0].select([0, 1]), OBJECTS[1]), from_kerascv(converted), strict=True):
        np.testing.assert_array_equal(before.boxes, after.boxes)
        np.testing.assert_array_equal(before.classes, after.classes)
    detections = [Detections([], [], []), Detections([[1, 2, 3, 4]], [1], [0.5])]
    converted = to_kerascv(detections)
    np.testing.assert_array_equal(converted["confidence"], [[-1], [0.5]])
    first, second = from_kerascv(converted)
    assert len(first.boxes) == 0
    assert (second.boxes.tolist(), second.classes.tolist(), second.scores.tolist()) == ([[1, 2, 3, 4]], [1], [0.5])


def test_kerascv_reads_the_dictionary():
    import keras_cv

    converted = to_kerascv(OBJECTS)
    dense = keras_cv.bounding_box.to_dense(converted, max_boxes=2)
    np.testing.assert_array_equal(dense["boxes"], converted["boxes"])
    overlaps = np.asarray(keras_cv.bounding_box.compute_iou(*[converted["boxes"][0]] * 2, bounding_box_format="xyxy"))
    np.testing.assert_allclose(overlaps, iou(*[OBJECTS[0].boxes[:2]] * 2), rtol=1e-5)
    centers = keras_cv.bounding_box.convert_format(converted, source="xyxy", target="center_xywh")
    np.testing.assert_array_equal(np.asarray(centers["boxes"])[0, 0], [35, 41, 50, 58])


@pytest.mark.long
def test_the_levels_have_their_strides_and_other_networks_are_refused(classifier):
    backbone = kerascv_backbone(classifier)
    assert list(backbone.pyramid_level_inputs) == ["P2", "P3", "P4", "P5"]
    for level, name in backbone.pyramid_level_inputs.items():
        layer = keras.Model(backbone.input, backbone.get_layer(name).output)
        assert layer(np.zeros((1, 64, 96, 3), "float32")).shape[1:3] == (64 >> int(level[1]), 96 >> int(level[1]))
    assert {v.path.split("_")[0] for v in backbone.trainable_variables} == {"conv3", "conv4", "conv5"}
    with pytest.raises(InputError, match="CIFAR network"):
        kerascv_backbone(keras_resnet.ResNet20())


@pytest.mark.long
def test_retinanet_trains_a_step_and_its_file_predicts_the_same(classifier, rng, tmp_path):
    from keras_cv.models import RetinaNet
    from keras_cv.models.retinanet import PredictionHead

    heads = {  # as KerasCV makes them, with one convolution instead of three
        "classification_head": PredictionHead(9 * 3, keras.initializers.Constant(-4.6), num_conv_layers=1),
        "box_head": PredictionHead(9 * 4, keras.initializers.Zeros(), num_conv_layers=1),
    }
    model = RetinaNet(backbone=kerascv_backbone(classifier), num_classes=3, bounding_box_format="xyxy", **heads)
    losses = {"classification_loss": "focal", "box_loss": "smoothl1"}
    model.compile(**losses, optimizer=keras.optimizers.SGD(0.01), jit_compile=False)
    before = {v.path: v.numpy() for v in model.trainable_variables}
    images = rng.normal(0, 50, (2, 96, 128, 3)).astype("float32")
    history = model.fit(images, to_kerascv(OBJECTS), batch_size=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    moved = {v.path.split("_")[0] for v in model.trainable_variables if not np.array_equal(v, before[v.path])}
    assert {"conv3", "conv4", "conv5"} <= moved
    model.save(tmp_path / "retinanet.keras")
    again = keras.saving.load_model(tmp_path / "retinanet.keras")
    for first, second in zip(model(images).values(), again(images).values(), strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-5)
