"""How a run validates its detector: on how many photos, and with the same result on all workers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import randomize
from programs import Program, start_workers

from keras_resnet.detection import (
    BENCHMARKS,
    PROTOCOLS,
    DetectionSettings,
    DetectionTask,
    FasterRCNN,
    ImageSize,
    Proposals,
    content_hashes,
    like_finished,
    load_detector,
    open_coco,
    open_voc_sets,
    train,
)
from keras_resnet.weights import Preprocessing

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def photos(rectangles):
    return open_coco(rectangles / "val.json", rectangles / "val")


@pytest.fixture(scope="module")
def model(classifier):
    return FasterRCNN(classifier, ["red", "blue"], Proposals((1.5, 2.5), smallest=4.0), image_size=ImageSize(96, 96))


def make_task(photos):
    settings = DetectionSettings(model="none", head="c4", batch_size=1, steps=1, base_lr=0.001)
    return DetectionTask(
        photos, photos, BENCHMARKS["coco"], settings, None, Preprocessing(mean=[0, 0, 0]), PROTOCOLS["coco"]
    )


def repeated(photos, times):
    """So many copies of all photos, each with an id of its own."""
    count = len(photos)
    dataset = {**photos.dataset, "images": [], "annotations": []}
    for number in range(times):
        for image in photos.dataset["images"]:
            dataset["images"].append({**image, "id": image["id"] + number * count})
        for entry in photos.dataset["annotations"]:
            dataset["annotations"].append({**entry, "image_id": entry["image_id"] + number * count})
    copies = photos.select([*range(count)] * times)
    renamed = (replace(photo, id=photo.id + place // count * count) for place, photo in enumerate(copies.photos))
    return replace(copies, photos=tuple(renamed), dataset=dataset)


def test_the_best_is_chosen_on_the_whole_of_an_ordinary_part(model, photos):
    """All 66 photos count, and the run says so."""
    many = repeated(photos, 11)
    task, scored = make_task(many), []
    benchmark = task.benchmark
    count = replace(
        benchmark, score=lambda data, detections: scored.append(len(detections)) or benchmark.score(data, detections)
    )
    values = replace(task, benchmark=count).validator(tf.distribute.get_strategy())(model, lambda: False)
    assert scored == [66]
    assert "(66 of 66 photos)" in task.reporter.validation_summary(values)


def test_without_a_validation_part_last_keras_is_the_network(photos, classifier, tmp_path, capsys):
    """VOC 2012's protocol: all photos are trained on, and the server scores the test part."""
    assert open_voc_sets("VOCdevkit", None, "07++12", "none").validation is None
    classifier.save(tmp_path / "classifier.keras")
    sizes = {"shorter_side": 48, "longer_side": 48, "anchor_scales": (1.5, 2.5), "smallest": 4.0, "regions": 8}
    settings = DetectionSettings(
        model=str(tmp_path / "classifier.keras"), batch_size=2, steps=2, base_lr=0.001, **sizes
    )
    settings = replace(like_finished(settings), anchor_ratios=(1.0,), workdir=tmp_path / "run")
    result = train(settings, photos, None, PROTOCOLS["voc2012"])
    assert (result["steps"], result["val_examples"], result["train_examples"]) == (2, None, len(photos))
    assert "without a validation part: there is no best.keras, last.keras is the network" in capsys.readouterr().out
    assert not (tmp_path / "run" / "best.keras").exists()
    np.testing.assert_array_equal(load_detector(tmp_path / "run" / "last.keras").trained_on, content_hashes(photos))


@pytest.mark.slow
def test_a_pyramid_s_run_that_was_killed_continues_bit_for_bit(photos, rectangles, classifier, tmp_path, monkeypatch):
    """It goes on from the checkpoint of step 2; the paper's head is stopped in tests/recipes/test_detection.py."""
    classifier.save(tmp_path / "classifier.keras")
    settings = DetectionSettings(
        model=str(tmp_path / "classifier.keras"), head="fpn", batch_size=2, steps=4, base_lr=0.02, shorter_side=64,
        longer_side=64, anchor_scales=(1.0, 1.5, 2.0, 3.0, 4.0), anchor_ratios=(1.0,), smallest=4.0, regions=8,
        augment=("crop", "scale", "colour"),
    )  # fmt: skip
    learned = open_coco(rectangles / "train.json", rectangles / "train")

    def run(name):
        return train(replace(like_finished(settings), workdir=tmp_path / name), learned, photos, PROTOCOLS["coco"])

    def killed_in_the_third_step(calendar, step):
        if step == 3:
            raise KeyboardInterrupt
        return step == 2

    with monkeypatch.context() as patched:
        patched.setattr("keras_resnet.training.state.Calendar.saves", killed_in_the_third_step)
        with pytest.raises(KeyboardInterrupt):
            run("stopped")
    results = [run(name) for name in ("stopped", "whole")]
    assert results[0]["val_by_class"] == results[1]["val_by_class"]
    stopped, whole = (load_detector(tmp_path / name / "last.keras") for name in ("stopped", "whole"))
    for a, b in zip(stopped.weights, whole.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)
    np.testing.assert_array_equal(stopped.thresholds, whole.thresholds)


def test_two_workers_share_the_photos_and_both_have_the_result_of_one(model, rectangles, tmp_path):
    """Three and two of five photos; both workers end with all detections and scores, bit for bit."""
    randomize(model.box_predictor, np.random.default_rng(0))
    model.save(tmp_path / "detector.keras")
    script = (Path(__file__).with_name("score_on_workers.py"), tmp_path / "detector.keras", rectangles)
    for begun in ([Program(*script, tmp_path / "one")], start_workers(*script, tmp_path / "two")):
        for done in [program.ended() for program in begun]:
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    one, *two = (dict(np.load(tmp_path / f"{name}.npz")) for name in ("one-0", "two-0", "two-1"))
    assert [int(results.pop("looked_at")) for results in (one, *two)] == [5, 3, 2]
    assert sum(len(value) for name, value in one.items() if name.startswith("photo")) > 20
    assert min(one["AP50"], one["proposal_recall"]) > 0
    for results in two:
        assert results.keys() == one.keys()
        for name, value in one.items():
            np.testing.assert_array_equal(results[name], value, err_msg=name)
