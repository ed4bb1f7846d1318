"""Faster R-CNN as a Keras model: learning, files, precision, context, and each of its parts."""

import io
import json
import zipfile

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import bfloat16_kernels, randomize

import keras_resnet
from keras_resnet import InputError, training
from keras_resnet.detection import (
    Detector,
    FasterRCNN,
    ImageSize,
    Proposals,
    RegionHead,
    detection_batches,
    load_detector,
    read_photos,
)
from keras_resnet.detection.anchors import make_anchors
from keras_resnet.detection.backbone import preprocessing_of
from keras_resnet.detection.data.batches import prepare_image
from keras_resnet.detection.data.coco_data import open_coco
from keras_resnet.detection.data.rendered_scenes import write
from keras_resnet.detection.faster_rcnn import LEARNABLE
from keras_resnet.evaluation import recalibrate_batch_norm

PROPOSALS, IMAGE_SIZE = Proposals((2.0, 4.0), smallest=4.0), ImageSize(96, 160)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Eight pictures of the demo set."""
    folder = tmp_path_factory.mktemp("demo") / "set"
    write(folder, {"train": 8})
    return open_coco(folder / "train.json", folder / "train")


@pytest.fixture(scope="module")
def network(photos):
    """A random network with the statistics of normalization that its inputs have, which a detector needs."""
    keras.utils.set_random_seed(0)
    network = keras_resnet.ResNet18(width=0.125, blocks=(1, 1, 1, 1), classes=4, input_shape=(96, 96, 3))
    images = next(iter(detection_batches(photos, preprocessing_of(network), 8, ImageSize(96, 96))))[0]
    recalibrate_batch_norm(network, [(images[:, :96, :96],)])
    return network


@pytest.fixture
def detector(network):
    """A function that makes a small detector."""

    def make(classes=10, learn=LEARNABLE, **head):
        return FasterRCNN(network, classes, PROPOSALS, RegionHead(regions=8, **head), IMAGE_SIZE, learn)

    return make


def batches_for(model, photos, count=4):
    return detection_batches(photos, model.preprocessing, count, model.image_size)


@pytest.mark.long
def test_fit_brings_the_losses_down(photos, detector):
    model = detector()
    model.compile(training.SGD(0.02))
    batches = batches_for(model, photos)
    history = model.fit(batches, steps_per_epoch=15, epochs=4, verbose=0, shuffle=False).history
    for part in ("proposal_class_loss", "class_loss"):
        assert history[part][-1] < 0.9 * history[part][0]
    assert np.isfinite(history["loss"]).all()


@pytest.mark.long
def test_anchors_of_any_map_are_the_generator_s(detector):
    model = detector()
    anchors, scores, deltas = model.anchor_scores(tf.zeros([2, 5, 7, 32]))
    np.testing.assert_allclose(anchors, make_anchors(5, 7, 16, PROPOSALS.scales).reshape(-1, 4))
    assert scores.shape == (2, 5 * 7 * 6)
    assert deltas.shape == (2, 5 * 7 * 6, 4)


def test_scores_and_deltas_of_an_anchor_come_from_its_cell(rng, detector):
    """The reshaping keeps cells and anchors together: moving the map moves the scores."""
    model = detector()
    features = rng.normal(size=(1, 6, 6, 32)).astype("float32")
    scores, deltas = model.rpn(features)
    _, flat_scores, flat_deltas = model.anchor_scores(features)
    np.testing.assert_array_equal(flat_scores.numpy().reshape(6, 6, 6), scores[0])
    np.testing.assert_array_equal(flat_deltas.numpy().reshape(6, 6, 6, 4)[2, 3, 1], deltas[0, 2, 3, 4:8])


@pytest.mark.long
def test_padding_changes_no_proposal_and_contains_none(rng, detector):
    """The same map with zeros behind it, as convolutions pad it themselves, whose anchors have the highest scores."""
    model = detector()
    features = rng.normal(size=(1, 5, 7, 32)).astype("float32")  # of 80 x 112 pixels; 6 anchors a cell
    extents = np.array([[100.0, 80.0]], "float32")
    for layer in model.rpn.layers[1:]:
        layer.kernel.assign(rng.normal(0, 0.1, layer.kernel.shape))
    model.rpn.get_layer("rpn_conv").bias.assign(np.full(512, 0.5))
    scores = model.rpn.get_layer("rpn_scores")
    scores.kernel.assign(np.abs(scores.kernel.numpy()))  # where the map is zero the bias alone comes through
    padded = np.pad(features, ((0, 0), (0, 4), (0, 6), (0, 0)))
    proposals = {}
    for name, inputs in (("exact", features), ("padded", padded)):
        boxes, logits, valid = model.propose(tf.constant(inputs), extents)
        proposals[name] = boxes[0][valid[0]].numpy(), logits[0][valid[0]].numpy()
        assert len(proposals[name][0])
        assert (proposals[name][0][:, [0, 2]] <= 100).all()
        assert (proposals[name][0][:, [1, 3]] <= 80).all()
        assert (proposals[name][0] >= 0).all()
    for exact, with_padding in zip(proposals["exact"], proposals["padded"], strict=True):
        np.testing.assert_allclose(exact, with_padding, rtol=1e-4, atol=1e-3)


@pytest.mark.long
@pytest.mark.parametrize("changes", [{}, {"context": True, "pooling": "max"}])
def test_a_saved_detector_gives_the_same(changes, photos, rng, tmp_path, detector):
    """No weight has the value that it has in a new detector."""
    model = detector(**changes)
    randomize(model, rng)
    model.compile(training.SGD(0.01))
    batches = batches_for(model, photos)
    model.save(tmp_path / "detector.keras")
    assert len(model.optimizer.momentums) == len(model.trainable_variables)
    again = load_detector(tmp_path / "detector.keras")
    images, extents, *_ = next(iter(batches))
    first, second = model((images, extents)), again((images, extents))
    for key in ("proposals", "probabilities", "boxes"):
        np.testing.assert_allclose(first[key], second[key], rtol=1e-5, atol=1e-4)
    assert first["probabilities"].shape == (4, 300, 11)
    assert first["boxes"].shape == (4, 300, 10, 4)
    assert again.get_config() == model.get_config()
    assert len(again.weights) == len(model.weights)
    assert (tmp_path / "detector.keras").stat().st_size < 1.5 * 4 * model.count_params() + 500_000  # no optimizer


@pytest.mark.long
def test_a_file_of_an_earlier_version_loads(tmp_path, detector):
    """Its configuration has all values at the top level, and its weights are in these groups."""
    model = detector(context=True, pooling="max", learn=("regions",))
    model.save(tmp_path / "new.keras")
    with zipfile.ZipFile(tmp_path / "new.keras") as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(content["config.json"])
    values = {
        "scales": (2.0, 4.0), "ratios": (0.5, 1.0, 2.0), "pooling": "max", "context": True, "regions": 8,
        "smallest": 4.0, "shorter": 96, "longer": 160, "learn": ("regions",),
    }  # fmt: skip
    kept = {name: config["config"][name] for name in ("backbone", "classes", "name")}
    config["config"] = kept | values
    with zipfile.ZipFile(tmp_path / "old.keras", "w") as archive:
        for name, data in (content | {"config.json": json.dumps(config)}).items():
            archive.writestr(name, data)
    again = load_detector(tmp_path / "old.keras")
    assert (again.proposals, again.image_size) == (PROPOSALS, IMAGE_SIZE)
    assert again.region_head == RegionHead("max", True, 8)
    for saved, loaded in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(saved, loaded)
    with h5py.File(io.BytesIO(content["model.weights.h5"])) as weights:
        assert set(weights) == {"head", "layers", "vars"}


@pytest.mark.long
def test_a_configuration_without_a_value_takes_the_default(detector):
    config = detector().get_config()
    for name in ("smallest", "pooling", "learn"):
        del config[name]
    again = FasterRCNN.from_config(config)
    assert (again.proposals, again.learn) == (Proposals((2.0, 4.0)), LEARNABLE)


@pytest.mark.long
def test_context_is_the_whole_image_beside_each_region(photos, detector):
    model = detector(context=True)
    images, extents, *_ = next(iter(batches_for(model, photos)))
    features = model.shared(images)
    boxes = tf.concat([tf.zeros_like(extents), extents], axis=1)[:, None]
    regions, context = model.region_features(features, boxes), model.image_features(features, extents)
    np.testing.assert_array_equal(regions, context)
    logits, _ = model.score(regions, context)
    joined = np.concatenate([regions.numpy()[:, 0], context.numpy()[:, 0]], axis=1)
    np.testing.assert_allclose(logits[:, 0], model.box_predictor(joined)[0], rtol=1e-5, atol=1e-6)


STEPS = [
    (("proposals",), {"rpn"}),
    (("shared", "regions"), {"conv3", "conv4", "conv5", "class", "box"}),
    (("regions",), {"conv5", "class", "box"}),
    (("shared", "proposals"), {"conv3", "conv4", "rpn"}),
]


@pytest.mark.long
@pytest.mark.parametrize(("learn", "stages"), STEPS)
def test_each_of_the_four_steps_may_change_only_its_parts(learn, stages, detector):
    assert {variable.path.split("_")[0] for variable in detector(learn=learn).trainable_variables} == stages


@pytest.mark.long
@pytest.mark.parametrize(
    ("learn", "stages"), [*STEPS[:2], *(pytest.param(*step, marks=pytest.mark.slow) for step in STEPS[2:])]
)
def test_each_of_the_four_steps_changes_only_its_parts(learn, stages, photos, detector):
    """The first two have each part learn once and stay once."""
    model, other = detector(learn=learn), detector()
    if "proposals" not in learn:
        model.take_proposals_from(other)
    model.compile(training.SGD(0.01))
    before = {v.path: v.numpy() for v in model.weights}
    model.fit(batches_for(model, photos), steps_per_epoch=2, verbose=0, shuffle=False)
    moved = {v.path for v in model.weights if not np.array_equal(before[v.path], v.numpy())}
    assert {path.split("_")[0] for path in moved} == stages
    assert len(model.weights) == len(other.weights)  # the other detector is not a part of it


@pytest.mark.long
def test_a_detector_of_full_width_loads_as_it_was_saved(rng, tmp_path):
    """It is so large that a network built to load its file must not allocate its random weights."""
    model = FasterRCNN(keras_resnet.ResNet18(), 3)
    for variable in model.shared.weights[-4:] + model.head.weights[:4]:
        variable.assign(rng.uniform(0.5, 1.5, variable.shape))
    model.save(tmp_path / "detector.keras")
    again = load_detector(tmp_path / "detector.keras")
    assert [v.path for v in again.weights] == [v.path for v in model.weights]
    for saved, loaded in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(saved, loaded)
    assert [v.path for v in again.trainable_weights] == [v.path for v in model.trainable_weights]
    images = rng.normal(size=(1, 64, 96, 3)).astype("float32")
    np.testing.assert_array_equal(again.shared(images), model.shared(images))


@pytest.mark.long
@bfloat16_kernels
def test_mixed_precision_keeps_boxes_and_scores_in_float32(photos, detector):
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = detector()
    images, extents, *_ = batch = next(iter(batches_for(model, photos)))
    features = model.shared(images)
    assert features.dtype == tf.bfloat16
    assert {tensor.dtype for tensor in model.anchor_scores(features)} == {tf.float32}
    assert {tensor.dtype for tensor in model.score(model.region_features(features, batch[2]), None)} == {tf.float32}
    assert model.propose(features, extents)[0].dtype == tf.float32


@pytest.mark.long
@bfloat16_kernels
def test_calls_in_mixed_precision_give_the_detector_s_boxes(photos, network):
    """Keras casts a model's inputs, and widths and heights of a photo are not exact in bfloat16."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    size = ImageSize(301, 501)
    model = FasterRCNN(network, 3, PROPOSALS, image_size=size)
    randomize(model.box_predictor, np.random.default_rng(0))
    _, image = next(read_photos(photos))
    prepared = prepare_image(tf.constant(image), size.shorter, size.longer, model.preprocessing)
    extents = np.array(prepared.shape[1::-1], np.float32)
    outputs = model((prepared[None], extents[None]))
    assert {tensor.dtype for name, tensor in outputs.items() if name != "valid"} == {tf.float32}
    boxes = outputs["boxes"][0].numpy() / np.tile(extents / image.shape[1::-1], 2)
    detections = Detector([model])(image)
    assert len(detections.boxes) > 5
    for box, number, score in detections:
        same = np.flatnonzero(np.abs(boxes[:, number] - box).max(axis=1) < 0.05)
        assert np.abs(outputs["probabilities"].numpy()[0, same, number + 1] - score).min(initial=1) < 1e-3


@pytest.mark.long
def test_wrong_arguments_are_named(detector):
    with pytest.raises(InputError, match="pooling 'mean' must be one of align, max"):
        detector(pooling="mean")
    with pytest.raises(InputError, match=r"scales \(\) must be values, .*1 to 20 of them"):
        Proposals(scales=())
    with pytest.raises(InputError, match="learn 'rpn' is not known"):
        detector(learn=("rpn",))
    with pytest.raises(InputError, match="at least one class"):
        detector(classes=[])
    for name in ("a\nb", "\x1b[2J", 7):  # of a file of others: lines of a list of classes, orders to a terminal
        with pytest.raises(InputError, match="is not a name that can be printed"):
            detector(classes=["cat", name])
    with pytest.raises(InputError, match=r"CIFAR network"):
        FasterRCNN(keras_resnet.ResNet20(), 3)
