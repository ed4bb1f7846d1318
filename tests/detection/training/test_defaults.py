"""Defaults that follow the photos, and what a run says before and after its first validation."""

from dataclasses import replace

import numpy as np
import pytest
from run_folders import run_of

from keras_resnet import InputError, training
from keras_resnet.detection import PROTOCOLS, DetectionSettings, follow_photos, open_coco, paper_settings
from keras_resnet.detection.training.before_training import boxes_overview, low_recall
from keras_resnet.detection.training.steps import PHASES
from keras_resnet.training.settings import as_json

PAPER = paper_settings("c4")


@pytest.fixture(scope="module")
def train(rectangles):
    return open_coco(rectangles / "train.json", rectangles / "train")


@pytest.fixture
def settings(tmp_path):
    return DetectionSettings(model="ResNet18", head="c4", workdir=tmp_path / "run")


def preset_of(settings, train, fit_all=True):
    return follow_photos(settings, PROTOCOLS["coco"].preset(settings.batch_size, len(train)), train, "coco", fit_all)


def test_small_photos_of_one_s_own_get_small_anchors_and_a_short_run(settings, train, capsys):
    """Rectangles of 20 to 40 pixels in photos of 96: the paper's anchors begin at 128. Nine in ten are seen at 32."""
    preset = preset_of(settings, train)
    sides = np.concatenate([photo.objects.boxes[:, 2:] - photo.objects.boxes[:, :2] for photo in train.photos])
    factor = preset["shorter_side"] / 96
    assert 1 < factor < 2
    assert np.percentile(np.sqrt(sides.prod(axis=1)), 10) * factor == pytest.approx(32, rel=0.01)
    assert all(20 * factor < 16 * scale < 40 * factor for scale in preset["anchor_scales"])
    assert 5 < preset["smallest"] <= 16
    assert (preset["regions"], preset["batch_size"], preset["steps"]) == (32, 2, 600)
    said = capsys.readouterr().out
    assert f"photos are resized to {preset['shorter_side']} pixels" in said
    assert "(the paper's: 0%)" in said


def test_what_the_command_line_states_is_taken_as_it_is(settings, train, capsys):
    stated = replace(settings, shorter_side=192, anchors="paper", batch_size=4)
    resolved = training.resolve(stated, preset_of(stated, train), "coco")
    assert (resolved.shorter_side, resolved.longer_side, resolved.steps) == (192, 320, 300)
    assert (resolved.anchor_scales, resolved.regions) == (PAPER["anchor_scales"], 32)
    scales = replace(settings, anchor_scales=(2.0,))
    resolved = training.resolve(scales, preset_of(scales, train), "coco")
    assert (resolved.anchor_scales, resolved.anchor_ratios) == ((2.0,), PAPER["anchor_ratios"])
    with pytest.raises(InputError, match="--anchors auto chooses the anchors: leave out the other settings"):
        preset_of(replace(scales, anchors="auto"), train)
    assert capsys.readouterr().out == ""
    preset_of(replace(settings, smallest=3.0), train)
    assert "; proposals have sides of 3 pixels or more\n" in capsys.readouterr().out
    halved = preset_of(replace(settings, shorter_side=96), train)
    assert max(halved["anchor_scales"]) < max(preset_of(settings, train)["anchor_scales"])


def test_a_benchmark_keeps_the_paper_s_settings_until_its_photos_are_resized_differently(settings, train):
    kept = preset_of(settings, train, fit_all=False)
    assert kept == PROTOCOLS["coco"].preset(None, len(train))
    small = preset_of(replace(settings, shorter_side=128), train, fit_all=False)
    assert max(small["anchor_scales"]) < 8
    assert (small["longer_side"], small["steps"], small["batch_size"]) == (213, kept["steps"], kept["batch_size"])
    asked = preset_of(replace(settings, anchors="auto"), train, fit_all=False)
    assert asked["anchor_scales"] != PAPER["anchor_scales"]


@pytest.mark.parametrize("step", ["", PHASES[0].name])
def test_a_run_that_goes_on_keeps_its_anchors_when_photos_were_added(step, settings, train):
    """So do the four steps, each of which begins with the detector of another: they keep the first one's anchors."""
    begun = training.resolve(settings, preset_of(settings, train.first(6)), "coco")
    run_of(begun.workdir / step, as_json(replace(begun, workdir=begun.workdir / step)))
    assert training.resolve(settings, preset_of(settings, train), "coco") == begun


def test_a_trial_that_was_stopped_before_its_first_step_decides_nothing(settings, train):
    """Its boxes were half as large as the objects, and its length was another one."""
    halved = (replace(photo.objects, boxes=photo.objects.boxes / 2) for photo in train.photos)
    photos = (replace(photo, objects=objects) for photo, objects in zip(train.photos, halved, strict=True))
    wrong, short = replace(train, photos=tuple(photos)), replace(settings, steps=50)
    trial = training.resolve(short, preset_of(short, wrong), "coco")
    run_of(trial.workdir, as_json(trial), steps=[0])
    corrected = training.resolve(settings, preset_of(settings, train), "coco")
    elsewhere = replace(settings, workdir=settings.workdir.with_name("new"))
    assert (trial.shorter_side, corrected.shorter_side, corrected.steps) == (254, 127, 600)
    assert replace(corrected, workdir=elsewhere.workdir) == training.resolve(
        elsewhere, preset_of(elsewhere, train), "coco"
    )


def test_the_overview_has_classes_sizes_and_what_will_go_wrong(settings, train):
    resolved = training.resolve(settings, preset_of(settings, train), "coco")
    text = boxes_overview(resolved, {"train": train, "validation": train.first(2)})
    boxes = sum(len(photo.objects.classes) for photo in train.photos)
    assert text.startswith(f"train: 12 photos with {boxes} boxes of 2 classes\nvalidation: 2 photos with ")
    assert "reached at 50 %  reached at 70 %" in text
    assert "fewer than 20 boxes. Annotate more." in text
    paper = replace(resolved, anchor_scales=(8.0, 16.0, 32.0), smallest=16.0)
    assert f"train: {boxes} of {boxes} objects (100%) overlap no anchor by 50 %" in boxes_overview(
        paper, {"train": train}
    )


def test_low_recall_has_its_reason(settings, train):
    resolved = training.resolve(settings, preset_of(settings, train), "coco")
    paper = replace(resolved, anchor_scales=(8.0, 16.0, 32.0))
    assert "the proposals reach 8% of the objects" in low_recall(paper, train, 0.078)
    assert "--anchors auto fits them to the boxes" in low_recall(paper, train, 0.078)
    assert "the proposal network has not learned yet" in low_recall(resolved, train, 0.3)
    assert "boxes have a side below 60 pixels" in low_recall(replace(resolved, smallest=60.0), train, 0.3)
