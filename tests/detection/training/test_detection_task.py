"""How a run judges its detector: on how many photos, and on all workers with one result."""

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
    contents,
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
    return FasterRCNN(classifier, ["red", "blue"], (1.5, 2.5), smallest=4.0, shorter=96, longer=96)


def task_of(photos):
    settings = DetectionSettings(model="none", batch_size=1, steps=1, base_lr=0.001)
    return DetectionTask(photos, photos, BENCHMARKS["coco"], settings, None, Preprocessing(mean=[0, 0, 0]), 1, (), 1e-4)


def repeated(photos, times):
    """The photos of ``photos`` so many times, under ids of their own."""
    count = len(photos)
    dataset = {**photos.dataset, "images": [], "annotations": []}
    for number in range(times):
        for image in photos.dataset["images"]:
            dataset["images"].append({**image, "id": image["id"] + number * count})
        for entry in photos.dataset["annotations"]:
            dataset["annotations"].append({**entry, "image_id": entry["image_id"] + number * count})
    own = tuple(replace(photo, id=photo.id + number * count) for number in range(times) for photo in photos.photos)
    return replace(photos, photos=own, dataset=dataset)


def test_the_best_is_chosen_on_the_whole_of_an_ordinary_part(model, photos):
    """Of 66 photos the last two count, and the run's lines say so."""
    many = repeated(photos, 11)
    task, scored = task_of(many), []
    benchmark = task.benchmark
    count = replace(benchmark, score=lambda data, found: scored.append(len(found)) or benchmark.score(data, found))
    values = replace(task, benchmark=count).validator(tf.distribute.get_strategy())(model, lambda: False)
    assert scored == [66]
    assert "(66 of 66 photos)" in task.reporter.validation_summary(values)


def test_without_a_validation_part_last_keras_is_the_network(photos, classifier, tmp_path, capsys):
    """As VOC 2012's protocol has it: all photos are learned from, and the server scores the test part."""
    assert open_voc_sets("VOCdevkit", None, "07++12", "none").validation is None
    classifier.save(tmp_path / "classifier.keras")
    sizes = {"shorter_side": 48, "longer_side": 48, "anchor_scales": (1.5, 2.5), "smallest": 4.0, "regions": 8}
    settings = DetectionSettings(
        model=str(tmp_path / "classifier.keras"), batch_size=2, steps=2, base_lr=0.001, **sizes
    )
    settings = replace(settings, anchor_ratios=(1.0,), workdir=tmp_path / "run")
    result = train(settings, photos, None, PROTOCOLS["voc2012"])
    assert (result["steps"], result["val_examples"], result["train_examples"]) == (2, None, len(photos))
    assert "without a validation part: there is no best.keras, last.keras is the network" in capsys.readouterr().out
    assert not (tmp_path / "run" / "best.keras").exists()
    np.testing.assert_array_equal(load_detector(tmp_path / "run" / "last.keras").trained_on, contents(photos))


def test_two_workers_look_at_half_the_photos_each_and_both_have_what_one_has(model, rectangles, tmp_path):
    """Of five photos three and two; all that was found comes to both, bit for bit, and so do the scores."""
    randomize(model.outer, np.random.default_rng(0))
    model.save(tmp_path / "detector.keras")
    script = (Path(__file__).with_name("score_on_workers.py"), tmp_path / "detector.keras", rectangles)
    for begun in ([Program(*script, tmp_path / "one")], start_workers(*script, tmp_path / "two")):
        for done in [each.ended() for each in begun]:
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    one, *two = (dict(np.load(tmp_path / f"{name}.npz")) for name in ("one-0", "two-0", "two-1"))
    assert [int(each.pop("looked_at")) for each in (one, *two)] == [5, 3, 2]
    assert sum(len(value) for name, value in one.items() if name.startswith("photo")) > 20
    assert min(one["AP50"], one["proposal_recall"]) > 0
    for each in two:
        assert each.keys() == one.keys()
        for name, value in one.items():
            np.testing.assert_array_equal(each[name], value, err_msg=name)
