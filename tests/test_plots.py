"""Figures are drawn from a run's rows."""

import numpy as np
from PIL import Image

from keras_resnet.plots import error_curves


def test_error_curves_draw_every_run(tmp_path):
    def rows(level):
        train = [{"split": "train", "step": s, "error": level + 50 * np.exp(-s / 50)} for s in range(50, 500, 50)]
        return [*train, {"split": "validation", "step": 450, "error": level}]

    error_curves({"ResNet20": rows(10), "PlainNet20": rows(20)}, tmp_path / "two.png")
    error_curves({"ResNet20": rows(10)}, tmp_path / "one.png")
    two, one = (np.asarray(Image.open(tmp_path / name).convert("RGB"), int) for name in ("two.png", "one.png"))
    assert two.shape == one.shape
    blue, orange = np.array([31, 119, 180]), np.array([255, 127, 14])
    assert (np.abs(two - blue).sum(axis=-1) < 30).any()
    assert (np.abs(two - orange).sum(axis=-1) < 30).any()
    assert not (np.abs(one - orange).sum(axis=-1) < 30).any()
