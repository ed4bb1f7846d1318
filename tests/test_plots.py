"""Figures are drawn from a run's rows."""

import numpy as np
from PIL import Image

from keras_resnet import plots
from keras_resnet.evaluation.calibration import Reliability
from keras_resnet.plots import Panel, contour, detection_curves, error_curves, panels, study


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


def test_the_titles_of_reliability_are_whole(tmp_path):
    """Of few photos the calibration error has two digits before the point."""
    bins = Reliability(np.array([2, 4]), np.array([0.25, 0.75]), np.array([0.5, 1.0]))
    plots.reliability({"as trained": bins, "at temperature 1.71": bins}, tmp_path / "reliability.png")
    picture = np.asarray(Image.open(tmp_path / "reliability.png").convert("L"))
    assert bins.error >= 10
    assert (picture[:25] < 128).any()
    assert (picture[:25, -2:] > 250).all()


def test_detection_curves_draw_losses_and_scores(tmp_path):
    rows = [{"split": "train", "step": s, "class_loss": 1 / s} for s in range(1, 9)]
    rows += [{"split": "validation", "step": s, "AP50": s / 10} for s in (4, 8)]
    detection_curves(rows, ("class_loss", "box_loss"), ("AP50",), tmp_path / "curves.png")
    picture = np.asarray(Image.open(tmp_path / "curves.png").convert("RGB"), int)
    blue = np.abs(picture - [31, 119, 180]).sum(axis=-1) < 30
    assert blue[:, : picture.shape[1] // 2].any()
    assert blue[:, picture.shape[1] // 2 :].any()


def test_names_of_classes_may_have_dollar_signs(tmp_path):
    plots.confusion(np.eye(2, dtype=int), ["$a_$", "b"], tmp_path / "confusion.png")
    recalls = np.linspace(0, 100, 5)
    plots.precision_recall(recalls, {"$a_$": recalls[::-1]}, tmp_path / "curves.png")
    assert Image.open(tmp_path / "confusion.png").size > (0, 0) < Image.open(tmp_path / "curves.png").size


def has_colour(path, colour):
    picture = np.asarray(Image.open(path).convert("RGB"), int)
    return (np.abs(picture - colour).sum(axis=-1) < 30).any()


def test_panels_give_a_name_one_colour_everywhere(tmp_path):
    """The second panel draws only "b", in the same colour as in the first."""
    first = Panel("both", "x", "y", {"a": [1.0, 2.0], "b": ([0, 5], [3.0, 1.0])})
    panels([first, Panel("b alone", "x", "y", {"b": [1.0, 10.0]}, log=True)], tmp_path / "two.png")
    picture = np.asarray(Image.open(tmp_path / "two.png").convert("RGB"), int)
    right = picture[:, picture.shape[1] // 2 :]
    assert (np.abs(right - [255, 127, 14]).sum(axis=-1) < 30).any()
    assert not (np.abs(right - [31, 119, 180]).sum(axis=-1) < 30).any()
    panels([Panel("one", "x", "y", {"a": [0.0, 0.0]}, log=True, ticks=["p", "q"])], tmp_path / "one.png")
    assert has_colour(tmp_path / "one.png", [31, 119, 180])


def test_studies_and_surfaces_are_drawn(tmp_path):
    study({"a": [5.0, 6.0], "b": [7.0]}, "validation error", tmp_path / "study.png")
    assert has_colour(tmp_path / "study.png", [255, 127, 14])
    distances = np.linspace(-1, 1, 5)
    contour(distances, 1 + distances[:, None] ** 2 + 0 * distances, "bowl", tmp_path / "bowl.png")
    assert has_colour(tmp_path / "bowl.png", [68, 1, 84])  # viridis' lowest
