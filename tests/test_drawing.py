"""Photos side by side, under their titles, with boxes and under activation maps; letters of any script."""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.ft2font import FT2Font

from keras_resnet.drawing import CELL, GAP, boxes, font_file, heat, photo_grid, tiled


def test_a_grid_has_each_photo_whole_in_its_place_and_its_title_above():
    colours, shapes = [(40, 0, 0), (0, 80, 0), (0, 0, 120)], [(50, 100), (300, 600), (9, 3)]  # letters are grey
    images = [np.full((*shape, 3), colour, np.uint8) for shape, colour in zip(shapes, colours, strict=True)]
    grid = photo_grid(images, ["cat\n0.93", "a name that is much longer than its photo is wide", "dog"], 2)
    words = grid.shape[0] // 2 - CELL - GAP
    assert grid.shape[1] == 2 * CELL + 3 * GAP
    for number, (image, colour) in enumerate(zip(images, colours, strict=True)):
        rows, columns = np.nonzero((grid == colour).all(axis=2))
        inside = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert max(inside) == CELL
        np.testing.assert_allclose(inside[0] / inside[1], image.shape[0] / image.shape[1], rtol=0.02)
        row, column = divmod(number, 2)
        left, top = GAP + column * (CELL + GAP), row * (words + CELL + GAP) + words
        assert left <= columns.min() <= columns.max() < left + CELL
        assert top <= rows.min() <= rows.max() < top + CELL
        assert (grid[top - words : top, left : left + CELL] < 100).any()  # letters
    assert (grid[:words, CELL + GAP : CELL + 2 * GAP] == 255).all()  # long titles stay within their cells


def test_letters_that_the_usual_font_lacks_come_from_an_installed_font(monkeypatch):
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    usual, other = (set(FT2Font(str(folder / name)).get_charmap()) for name in ("DejaVuSans.ttf", "STIXGeneral.ttf"))
    installed = [str(folder / name) for name in ("cmr10.ttf", "STIXGeneral.ttf")]
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: installed)
    assert font_file("Kätzchen, кошка") == str(folder / "DejaVuSans.ttf")
    assert font_file("cat " + chr(min(other - usual))) == installed[1]
    assert font_file("\U0010fffd") == str(folder / "DejaVuSans.ttf")  # which no font has


def test_boxes_are_drawn_where_they_are_and_small_pictures_enlarged():
    image = np.full((50, 80, 3), 255, np.uint8)
    drawn = boxes(image, np.array([[10.0, 20, 60, 45]]), ["cat 0.90"], np.array([1]))
    assert drawn.shape == (250, 400, 3)
    green = np.abs(drawn.astype(int) - [60, 180, 75]).sum(axis=2) < 30
    rows, columns = np.nonzero(green)
    assert (columns.min(), columns.max()) == (50, 300)
    assert rows.max() == 225
    assert not green[150, 200]  # hollow
    np.testing.assert_array_equal(boxes(np.full((500, 400, 3), 9, np.uint8), np.zeros((0, 4)), []), 9)


def test_a_map_is_brightest_where_it_is_largest_and_dark_where_it_speaks_against():
    image = np.full((40, 80, 3), 100, np.uint8)
    values = np.array([[-5.0, -5, -5, -5], [-5, -5, -5, 3]])
    drawn = heat(image, values).astype(int)
    assert drawn.shape == image.shape
    row, column = np.unravel_index(drawn.sum(axis=-1).argmax(), image.shape[:2])
    assert row > 25
    assert column > 65
    assert np.ptp(drawn[:, :40], axis=(0, 1)).max() == 0  # one colour, however much it is below zero
    np.testing.assert_array_equal(heat(image, -np.ones((2, 4))), np.broadcast_to(drawn[0, 0], image.shape))


def test_pictures_of_different_sizes_are_tiled_on_white():
    sheet = tiled([np.full((10 + i, 20, 3), i, np.uint8) for i in range(5)])
    assert sheet.shape == (28, 80, 3)
    assert (sheet[:13, 60:80] == 3).all()
    assert (sheet[14:, 20:] == 255).all()
