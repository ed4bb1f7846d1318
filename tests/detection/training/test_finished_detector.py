"""Starting from a finished detector: its outputs by class name, what is kept, and what is said."""

import keras
import numpy as np
import pytest

from keras_resnet import InputError, training
from keras_resnet.detection import (
    PROTOCOLS,
    Detections,
    DetectionSettings,
    FasterRCNN,
    FinishedDetector,
    ImageSize,
    Proposals,
    RegionHead,
    detection_batches,
    like_finished,
    load_detector,
    open_coco,
    train,
)
from keras_resnet.detection.data.voc_data import CLASSES as VOC_CLASSES
from keras_resnet.detection.training.finished_detector import before_and_after, matched

PARTS = Proposals((2.0, 4.0), smallest=4.0), RegionHead(regions=8), ImageSize(96, 96)
COCO_OF_VOC = (  # COCO's names of VOC's classes, as its annotation files have them
    *("airplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "dining table", "dog"),
    *("horse", "motorcycle", "person", "potted plant", "sheep", "couch", "train", "tv"),
)


@pytest.fixture(scope="module")
def photos(rectangles):
    return open_coco(rectangles / "train.json", rectangles / "train")


@pytest.fixture(scope="module")
def earlier(classifier):
    """A detector of other classes, one of which the photos have, with outputs that differ."""
    keras.utils.set_random_seed(1)
    return FasterRCNN(classifier, ["blue", "sofa", "tree"], *PARTS)


def make(classifier, classes):
    keras.utils.set_random_seed(2)
    return FasterRCNN(classifier, classes, *PARTS)


def test_every_class_of_voc_is_found_among_coco_s():
    earlier = ["person", "stop sign", *COCO_OF_VOC[::-1]]
    numbers = matched(VOC_CLASSES, earlier)
    assert [earlier[numbers[number]] for number in range(20)] == list(COCO_OF_VOC)
    assert matched(["Stop-Sign", "tree", "TV"], ["tv", "stop sign"]) == {0: 1, 2: 0}
    assert matched(["tv", "TV"], ["TV", "tv"]) == {0: 1, 1: 0}  # the same name comes first


@pytest.mark.long
def test_outputs_go_with_their_classes_and_the_others_stay_random(classifier, earlier, rng):
    model, untouched = make(classifier, ["couch", "red", "blue"]), make(classifier, ["couch", "red", "blue"])
    FinishedDetector(earlier).start(model)
    features = rng.normal(size=(1, 5, model.head.output.shape[-1])).astype("float32")
    logits, deltas = (part.numpy() for part in model.score(features, None))
    old_logits, old_deltas = (part.numpy() for part in earlier.score(features, None))
    random_logits, random_deltas = (part.numpy() for part in untouched.score(features, None))
    np.testing.assert_array_equal(logits[..., [0, 1, 3]], old_logits[..., [0, 2, 1]])  # the background is first
    np.testing.assert_array_equal(deltas[..., [0, 2], :], old_deltas[..., [1, 0], :])
    np.testing.assert_array_equal(logits[..., 2], random_logits[..., 2])
    np.testing.assert_array_equal(deltas[..., 1, :], random_deltas[..., 1, :])
    for part in ("shared", "rpn", "head"):
        for ours, theirs in zip(getattr(model, part).weights, getattr(earlier, part).weights, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert model.transfer.splitlines()[1:] == [
        "classes with their outputs: 2: couch (sofa), blue",
        "new: 1: red",
        "dropped: 1: tree",
    ]


def test_other_anchors_get_new_outputs(classifier, earlier):
    model = FasterRCNN(classifier, ["blue"], Proposals((1.0, 2.0, 4.0), smallest=4.0), *PARTS[1:])
    before = model.rpn.get_layer("rpn_scores").kernel.numpy()
    FinishedDetector(earlier).start(model)
    np.testing.assert_array_equal(model.rpn.get_layer("rpn_scores").kernel, before)
    np.testing.assert_array_equal(model.rpn.get_layer("rpn_conv").kernel, earlier.rpn.get_layer("rpn_conv").kernel)
    assert "other anchors: the proposal network's outputs are new" in model.transfer


@pytest.mark.long
@pytest.mark.parametrize(
    "keep",
    [
        ("shared", "regions"),
        ("classes", "proposals"),
        pytest.param(("shared",), marks=pytest.mark.slow),
        pytest.param(("shared", "proposals", "regions", "classes"), marks=pytest.mark.slow),
    ],
)
def test_what_is_kept_does_not_change_by_one_bit(keep, classifier, earlier, photos):
    """The first two keep each part once and let it learn once."""
    model = make(classifier, photos.classes)
    FinishedDetector(earlier, keep).start(model)
    (old,) = matched(photos.classes, earlier.class_names)
    before = [[v.numpy() for v in part.weights] for part in (model.shared, model.rpn, model.head, model.box_predictor)]
    model.compile(training.SGD(0.02))
    model.fit(detection_batches(photos, model.preprocessing, 4, PARTS[2]), steps_per_epoch=3, verbose=0, shuffle=False)
    parts = zip(("shared", "proposals", "regions"), (model.shared, model.rpn, model.head), before, strict=False)
    for name, part, values in parts:
        same = all(np.array_equal(value, v) for value, v in zip(values, part.weights, strict=True))
        assert same == (name in keep), name
    kernel, bias, boxes, _ = (v.numpy() for v in model.box_predictor.weights)
    moved = [bool((abs(kernel - before[3][0]).max(axis=0) > 0)[place]) for place in (0, 1 + old, 2 - old)]
    assert moved == (
        [False, False, True] if "classes" in keep else [True] * 3
    )  # background, the earlier class, the new
    same_boxes = (boxes == before[3][2]).reshape(len(boxes), -1, 4).all(axis=(0, 2))
    assert same_boxes[old] == ("classes" in keep)
    assert bool((bias == before[3][1])[0]) == ("classes" in keep)


def test_ap_before_and_after_is_of_the_classes_that_both_have(photos):
    """The earlier detector found every object of the class under another number, and the new one the half of them."""
    data = photos.first(4)
    number = data.classes.index("blue")
    before, after, count = {}, {}, 0
    for photo in data.photos:
        boxes = photo.objects.boxes[photo.objects.classes == number]
        before[photo.id] = Detections(boxes, np.full(len(boxes), 7), np.full(len(boxes), 0.9))
        kept = np.arange(count, count + len(boxes)) % 2 == 0
        after[photo.id] = Detections(boxes[kept], np.full(kept.sum(), number), np.full(kept.sum(), 0.8))
        count += len(boxes)
    assert count > 1
    changes = before_and_after(data, {number: 7}, before, after)
    assert changes.keys() == {"blue"}
    np.testing.assert_allclose(changes["blue"], (1.0, -(-count // 2) / count))


@pytest.mark.long
def test_a_run_from_a_detector_says_what_it_kept_and_what_became_of_it(earlier, rectangles, tmp_path, capsys):
    earlier.save(tmp_path / "detector.keras")
    parts = [open_coco(rectangles / f"{part}.json", rectangles / part) for part in ("train", "val")]
    settings = DetectionSettings(
        model=str(tmp_path / "detector.keras"), batch_size=2, steps=2, base_lr=0.01, workdir=tmp_path / "run",
        keep=("shared", "classes"),
    )  # fmt: skip
    settings = like_finished(settings)
    assert (settings.head, settings.anchor_scales, settings.shorter_side, settings.regions) == ("c4", (2.0, 4.0), 96, 8)
    result = train(settings, *parts, PROTOCOLS["coco"])
    assert list(result["kept_classes_AP50"]) == ["blue"]
    output = capsys.readouterr().out
    assert "dropped: 2: sofa, tree" in output
    assert "kept as they are: shared, classes" in output
    assert "AP50 of the classes it had, before -> after: blue" in output
    again = load_detector(tmp_path / "run" / "last.keras")
    assert again.class_names == parts[0].classes
    np.testing.assert_array_equal(again.shared.get_weights()[0], earlier.shared.get_weights()[0])


@pytest.fixture(scope="module")
def pyramid_file(classifier, tmp_path_factory):
    """The file of a detector with another head and pooling than the default ones."""
    parts = Proposals((1.0, 2.0, 4.0, 8.0, 16.0)), RegionHead(pooling="max"), ImageSize(96, 96)
    path = tmp_path_factory.mktemp("pyramid") / "detector.keras"
    FasterRCNN(classifier, ["blue"], *parts, head="fpn").save(path)
    return path


@pytest.mark.parametrize("given", [{}, {"head": "c4"}, {"pooling": "align"}, {"head": "fpn", "pooling": "max"}])
@pytest.mark.long
def test_only_what_is_left_out_follows_it(given, pyramid_file):
    settings = like_finished(DetectionSettings(model=str(pyramid_file), **given))
    expected = {"head": "fpn", "pooling": "max"} | given
    assert {"head": settings.head, "pooling": settings.pooling} == expected


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"head": "fpn"}, "has the head c4: leave out --head"),
        ({"context": True}, "was trained without --context"),
        ({"scheme": "alternating"}, "is a detector already: leave out --scheme alternating"),
        ({"keep": ("proposals",), "anchor_ratios": (1.0,)}, "own anchors only"),
    ],
)
def test_settings_that_do_not_fit_it_are_refused(changes, words, earlier):
    values = {"head": "c4", "anchor_scales": (2.0, 4.0), "anchor_ratios": (0.5, 1.0, 2.0)} | changes
    settings = DetectionSettings(model="detector.keras", **values)
    with pytest.raises(InputError, match=words):
        FinishedDetector(earlier, settings.keep).check(settings)
