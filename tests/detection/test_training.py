"""The paper's schedules as rules of batch, and the four steps as a table."""

import pytest

from keras_resnet.detection.training import PHASES, PROTOCOLS


@pytest.mark.parametrize(
    ("name", "batch", "steps", "fall"),
    [
        ("coco", None, 320_000, 240_000),
        ("coco", 16, 160_000, 120_000),
        ("voc2007", None, 80_000, 60_000),
        ("voc2012", 2, 40_000, 30_000),
    ],
)
def test_lengths_are_the_paper_s_in_images(name, batch, steps, fall):
    """Sec. 4.3: COCO 240k at 0.001 and 80k at 0.0001 with 8 images; VOC, from Faster R-CNN, 60k and 20k with one."""
    protocol = PROTOCOLS[name]
    preset = protocol.preset(batch)
    assert preset["steps"] == steps
    assert preset["base_lr"] == 0.001
    assert [round(m * preset["steps"]) for m in protocol.milestones] == [fall]
    assert protocol.decay == (5e-4 if name.startswith("voc") else 1e-4)
    assert (preset["shorter_side"], preset["longer_side"], preset["regions"]) == (600, 1000, 128)


def test_the_four_steps_are_those_of_faster_r_cnn():
    """Each starts from the classifier or a step before it, and only the first two change the shared layers."""
    assert [phase.learn[-1] for phase in PHASES] == ["proposals", "regions", "proposals", "regions"]
    assert ["shared" in phase.learn for phase in PHASES] == [True, True, False, False]
    assert [phase.start for phase in PHASES] == [None, None, PHASES[1].name, PHASES[2].name]
    assert [phase.proposals for phase in PHASES] == [None, PHASES[0].name, None, None]
    assert [phase.images for phase in PHASES] == [1, 2, 1, 2]
