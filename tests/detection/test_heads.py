"""The head with a feature pyramid: its maps, its regions, learning, files, and the options of testing."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_resnet
from keras_resnet import InputError
from keras_resnet.detection import (
    Detector,
    FasterRCNN,
    ImageSize,
    Options,
    Proposals,
    RegionHead,
    detection_batches,
    from_network,
    load_detector,
    open_coco,
    read_photos,
)
from keras_resnet.detection.anchors import make_anchors
from keras_resnet.detection.heads import AddUpsampled
from keras_resnet.training import SGD

PARTS = Proposals((1.0, 2.0, 4.0, 6.0, 8.0), smallest=4.0), RegionHead(regions=16), ImageSize(96, 96)


@pytest.fixture(scope="module")
def photos(rectangles):
    return open_coco(rectangles / "train.json", rectangles / "train")


@pytest.fixture(scope="module")
def model(classifier):
    keras.utils.set_random_seed(0)
    return make_model(classifier)


def make_model(classifier, **changes):
    model = FasterRCNN(classifier, ["red", "blue"], *PARTS, head="fpn", **changes)
    for layer in (model.rpn.get_layer("rpn_scores"), *model.box_predictor.layers[1:]):  # so that scores differ
        layer.kernel.assign(np.random.default_rng(0).normal(0, 0.15, layer.kernel.shape))
    return model


@pytest.mark.parametrize("sides", [(96, 128), (100, 37)])
@pytest.mark.long
def test_the_maps_are_those_of_a_loop_over_the_pyramid(sides, model, rng):
    """From C5 downwards: a 1 x 1 convolution, plus the map above with every cell doubled, then a 3 x 3 convolution."""
    images = rng.normal(size=(1, *sides, 3)).astype("float32") * 50
    layer = model.shared.get_layer
    last = {
        name[4]: name for name in (layer.name for layer in model.shared.layers) if "block" in name and "_out" in name
    }
    stages = keras.Model(model.shared.input, {f"C{number}": layer(name).output for number, name in last.items()})(
        images
    )
    top, expected = None, []
    for number in (5, 4, 3, 2):
        stage = stages[f"C{number}"].numpy()
        lateral = layer(f"fpn_lateral{number}")
        merged = np.einsum("bhwc,cd->bhwd", stage, lateral.kernel.numpy()[0, 0]) + lateral.bias.numpy()
        if top is not None:
            for y, x in np.ndindex(merged.shape[1:3]):
                merged[:, y, x] += top[:, y // 2, x // 2]
        top = merged
        expected.insert(0, layer(f"fpn_output{number}")(merged).numpy())
    expected.append(expected[-1][:, ::2, ::2])
    maps = model.shared(images)
    assert [level.shape[1:3] for level in maps] == [tuple(-(-side // s) for side in sides) for s in model.strides]
    for level, wanted in zip(maps, expected, strict=True):
        np.testing.assert_allclose(level, wanted, rtol=1e-3, atol=1e-3 * np.abs(wanted).max())


def test_the_top_down_path_is_differentiated_without_transposed_integers():
    """oneDNN has no kernel for them, and TensorFlow would say so in every run."""

    @tf.function(input_signature=[tf.TensorSpec([1, None, None, 4]), tf.TensorSpec([1, None, None, 4])])
    def gradient(fine, coarse):
        return tf.gradients(AddUpsampled()([fine, coarse]) ** 2, [fine, coarse])

    operations = gradient.get_concrete_function().graph.get_operations()
    assert len(operations) > 20
    assert not [op.name for op in operations if op.type == "Transpose" and op.inputs[0].dtype.is_integer]


def test_each_level_has_the_anchors_of_its_scale(model):
    maps = [tf.zeros([1, side, side, model.shared.outputs[0].shape[-1]]) for side in (24, 12, 6, 3, 2)]
    for level, scale, stride, features in zip(
        model.anchor_levels(maps), PARTS[0].scales, (4, 8, 16, 32, 64), maps, strict=True
    ):
        side = features.shape[1]
        np.testing.assert_allclose(level.anchors, make_anchors(side, side, stride, (scale,)).reshape(-1, 4))
        areas = np.prod(level.anchors.numpy()[:, 2:] - level.anchors.numpy()[:, :2], axis=1)
        np.testing.assert_allclose(areas, (16 * scale) ** 2, rtol=1e-4)
    anchors, scores, deltas = model.anchor_scores(maps)
    assert (len(anchors), scores.shape, deltas.shape) == (3 * 769, (1, 3 * 769), (1, 3 * 769, 4))


def test_transfer_accounts_for_every_tensor(classifier, model):
    names = {v.path for v in model.weights}
    arrays = keras_resnet.weights.named_arrays(classifier)
    for v in model.weights:
        if v.path in arrays:
            np.testing.assert_array_equal(v, arrays[v.path])
    new = {name.split("/")[0] for name in names - arrays.keys()}
    levels = {f"fpn_{kind}{number}" for kind in ("lateral", "output") for number in (2, 3, 4, 5)}
    assert new == levels | {"rpn_conv", "rpn_scores", "rpn_deltas", "fc6", "fc7", "class_scores", "box_deltas"}
    assert f"new: {2 * len(new)} tensors" in model.transfer
    learning = {v.path.split("_")[0].split("/")[0] for v in model.trainable_variables}
    assert learning == {"conv3", "conv4", "conv5", "fpn", "rpn", "fc6", "fc7", "class", "box"}


@pytest.mark.long
def test_it_learns_and_its_file_gives_the_same(photos, classifier, tmp_path):
    """It finds most rectangles, as the other head does in test_detector.py; then it is saved and loaded."""
    keras.utils.set_random_seed(0)
    model = FasterRCNN(classifier, photos.classes, *PARTS, head="fpn")
    model.compile(SGD(0.01))
    model.fit(
        detection_batches(photos, model.preprocessing, 4, model.image_size),
        steps_per_epoch=75,  # trainings from four seeds found all of them by step 76
        shuffle=False,
        verbose=0,
    )
    detector, right, total = Detector([model]), 0, 0
    for photo, image in read_photos(photos):
        detections = detector(image)
        sure = detections.select(detections.scores > 0.5)
        same = photo.objects.classes[:, None] == sure.classes[None]
        overlaps = keras_resnet.detection.iou(photo.objects.boxes, sure.boxes) * same
        right += int((overlaps >= 0.5).any(axis=1).sum())
        total += len(same)
    print(f"rectangles found: {right} of {total}")
    assert right >= 0.7 * total
    model.save(tmp_path / "detector.keras")
    again = load_detector(tmp_path / "detector.keras")
    assert again.get_config() == model.get_config()
    assert again.name == model.name
    detections, expected = Detector([again])(image), detector(image)
    np.testing.assert_allclose(detections.boxes, expected.boxes, atol=1e-3)
    np.testing.assert_allclose(detections.scores, expected.scores, atol=1e-5)


@pytest.mark.long
def test_the_options_of_testing_and_an_ensemble_of_both_heads(photos, classifier, model):
    """Each option gives boxes inside the photo; an ensemble of both heads scores the union of their proposals."""
    _, image = next(read_photos(photos))
    other = FasterRCNN(classifier, ["red", "blue"], Proposals((2.0, 4.0), smallest=4.0), *PARTS[1:])
    options = Options(refine=True, scales=(48, 96, 144), flip=True)
    counts = {single: len(Detector([single]).detect_with_proposals(image)[1]) for single in (model, other)}
    for models in ([model], [model, other]):
        detections, proposals = Detector(models, options).detect_with_proposals(image)
        assert len(detections.boxes)
        assert (detections.boxes >= 0).all()
        assert (detections.boxes <= np.tile(image.shape[1::-1], 2)).all()
        assert len(proposals) == sum(counts[single] for single in models)


@pytest.mark.long
def test_what_the_head_does_not_have_is_refused(classifier):
    with pytest.raises(InputError, match="Global context belongs to the head c4"):
        FasterRCNN(classifier, 2, region_head=RegionHead(context=True), head="fpn")
    with pytest.raises(InputError, match=r"one anchor scale for each of its 5 levels, and 8\.0 .* are 3: give 5"):
        FasterRCNN(classifier, 2, Proposals(), head="fpn")
    with pytest.raises(InputError, match="head 'resnet' is not known"):
        FasterRCNN(classifier, 2, head="resnet")
    with pytest.raises(InputError, match="has the head fpn, not c4"):
        FasterRCNN(from_network(classifier, head="fpn"), 2, head="c4")
    assert FasterRCNN(classifier, 2, head="fpn").proposals.scales == (2.0, 4.0, 8.0, 16.0, 32.0)
