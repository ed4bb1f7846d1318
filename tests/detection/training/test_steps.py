"""The paper's schedules for any batch size and number of photos, and the four steps: their table and their folders."""

import json
from dataclasses import replace

import numpy as np
import pytest

from keras_resnet import InputError
from keras_resnet.detection import (
    PROTOCOLS,
    DetectionSettings,
    FasterRCNN,
    ImageSize,
    Proposals,
    RegionHead,
    open_coco,
    train,
)
from keras_resnet.detection.training.steps import PHASES, _take_over
from keras_resnet.training.files.workdir import RESULT, SETTINGS, Workdir
from keras_resnet.training.settings import as_json


@pytest.mark.parametrize(
    ("name", "batch", "photos", "steps", "fall"),
    [
        ("coco", None, 82_783, 320_000, 240_000),
        ("coco", 16, 82_783, 160_000, 120_000),
        ("coco", None, 118_287, 320_000, 240_000),
        ("voc2007", None, 5_011, 80_000, 60_000),
        ("voc2012", 2, 16_551, 40_000, 30_000),
    ],
)
def test_lengths_are_the_paper_s_in_images(name, batch, photos, steps, fall):
    """Sec. 4.3: COCO 240k at 0.001 and 80k at 0.0001 with 8 images; VOC, from Faster R-CNN, 60k and 20k with one."""
    protocol = PROTOCOLS[name]
    preset = protocol.preset(batch, photos)
    assert preset["steps"] == steps
    assert preset["base_lr"] == 0.001
    assert [round(m * preset["steps"]) for m in protocol.milestones] == [fall]
    assert protocol.decay == (5e-4 if name.startswith("voc") else 1e-4)
    assert (preset["shorter_side"], preset["longer_side"], preset["regions"]) == (600, 1000, 128)


@pytest.mark.parametrize("name", ["coco", "det"])
def test_other_photos_take_coco_s_epochs_within_the_paper_s_lengths(name):
    """320,000 * 8 images of COCO's 82,783 photos are 30.9 epochs; VOC 2007 has 80,000 images."""
    images = [8 * PROTOCOLS[name].preset(None, photos)["steps"] for photos in (1, 500, 10_000, 1_000_000)]
    assert images[:2] == [80_000, 80_000]
    assert images[2] == pytest.approx(309_242, abs=8)
    assert images[3] == 2_560_000


def test_the_four_steps_are_those_of_faster_r_cnn():
    """Each starts from the classifier or a step before it, and only the first two change the shared layers."""
    assert [phase.learn[-1] for phase in PHASES] == ["proposals", "regions", "proposals", "regions"]
    assert ["shared" in phase.learn for phase in PHASES] == [True, True, False, False]
    assert [phase.start for phase in PHASES] == [None, None, PHASES[1].name, PHASES[2].name]
    assert [phase.proposals for phase in PHASES] == [None, PHASES[0].name, None, None]
    assert [phase.images for phase in PHASES] == [1, 2, 1, 2]


@pytest.mark.long
def test_finished_steps_are_taken_with_their_settings_alone(rectangles, classifier, tmp_path):
    """As the four steps leave their folders; other settings and a longer run are refused, and nothing is touched."""
    classifier.save(tmp_path / "classifier.keras")
    settings = DetectionSettings(
        model=str(tmp_path / "classifier.keras"), scheme="alternating", workdir=tmp_path / "run", head="c4",
        pooling="align", batch_size=2, steps=1, base_lr=0.02, shorter_side=48, longer_side=48, regions=8,
        anchor_scales=(1.5, 2.5), anchor_ratios=(1.0,), smallest=4.0,
    )  # fmt: skip
    for phase in PHASES:
        of_phase = replace(settings, workdir=tmp_path / "run" / phase.name, batch_size=2 * phase.images)
        workdir = Workdir(of_phase.workdir, as_json(of_phase))
        workdir.write_json(RESULT, {"settings": as_json(of_phase), "step": phase.name})
        workdir.close()
    photos = open_coco(rectangles / "train.json", rectangles / "train")

    def trained(**changes):
        return train(replace(settings, **changes), photos, None, PROTOCOLS["coco"])

    assert trained()["step"] == trained(save_every=7)["step"] == "4-regions"
    for changes, words in (
        ({"base_lr": 0.5}, "1-proposals holds a run of other settings (base_lr was 0.02 and is 0.5)"),
        ({"steps": 1000}, "1-proposals holds a run of other settings (steps was 1 and is 1000)"),
    ):
        with pytest.raises(InputError) as refused:
            trained(**changes)
        assert words in str(refused.value)
    assert json.loads((tmp_path / "run" / "1-proposals" / SETTINGS).read_text())["steps"] == 1


@pytest.mark.long
def test_a_step_says_what_it_has_from_the_step_before(classifier, tmp_path):
    """The third has a new proposal network and the layers of the second; the fourth has all of the third."""
    parts = Proposals((2.0, 4.0), smallest=4.0), RegionHead(regions=8), ImageSize(96, 96)
    earlier, model = (FasterRCNN(classifier, ["red", "blue"], *parts) for _ in range(2))
    for phase, taken, new in (
        (PHASES[2], ["shared", "head", "box_predictor"], "rpn"),
        (PHASES[3], ["shared", "head", "box_predictor", "rpn"], "nothing"),
    ):
        (tmp_path / phase.start).mkdir()
        earlier.save(tmp_path / phase.start / "last.keras")
        _take_over(model, DetectionSettings(workdir=tmp_path / phase.name), phase)
        lines = [f"step {phase.start} -> step {phase.name}", f"taken: {', '.join(taken)}", f"new: {new}"]
        assert model.transfer.splitlines() == lines
        for name in ("shared", "head", "box_predictor", "rpn"):
            pairs = zip(getattr(model, name).weights, getattr(earlier, name).weights, strict=True)
            assert all(np.array_equal(ours, theirs) for ours, theirs in pairs) == (name in taken)
