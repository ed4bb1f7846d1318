"""How a run judges its detector: on how many photos, and on all workers with one result."""

from dataclasses import replace

import pytest
import tensorflow as tf

from keras_resnet.detection import BENCHMARKS, DetectionExperiment, DetectionSettings, FasterRCNN, open_coco
from keras_resnet.weights import Preprocessing


@pytest.fixture(scope="module")
def photos(rectangles):
    return open_coco(rectangles / "val.json", rectangles / "val")


@pytest.fixture(scope="module")
def model(classifier):
    return FasterRCNN(classifier, ["red", "blue"], (2.0, 4.0), smallest=4.0, shorter=48, longer=48)


def experiment_of(photos):
    settings = DetectionSettings(model="none", batch_size=1, steps=1, base_lr=0.001)
    return DetectionExperiment(
        photos, photos, BENCHMARKS["coco"], settings, None, Preprocessing(mean=[0, 0, 0]), 1, (), 1e-4
    )


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
    experiment, scored = experiment_of(many), []
    benchmark = experiment.benchmark
    count = replace(benchmark, score=lambda data, found: scored.append(len(found)) or benchmark.score(data, found))
    values = replace(experiment, benchmark=count).validator(tf.distribute.get_strategy())(model, lambda: False)
    assert scored == [66]
    assert "(66 of 66 photos)" in experiment.summary(values)
