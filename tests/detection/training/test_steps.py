"""The paper's schedules for any batch size and number of photos, and the four steps as a table."""

import pytest

from keras_resnet.detection import PROTOCOLS
from keras_resnet.detection.training.steps import PHASES


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
