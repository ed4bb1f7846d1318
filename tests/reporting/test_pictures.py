"""Pictures of a page are those that a run has drawn into its folder."""

import numpy as np
from PIL import Image

from keras_resnet.reporting.pictures import stored_figures


def test_a_page_carries_pictures_and_no_other_files(tmp_path):
    """A page is passed on, and a folder may come from others."""
    run, names = tmp_path / "run", {"a.png": "drawn", "b.jpg": "photo", "c.png": "no picture", "d.png": "a link"}
    run.mkdir()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(run / "a.png")
    Image.open(run / "a.png").save(run / "b.jpg")
    (run / "c.png").write_text("a text")
    Image.open(run / "a.png").save(tmp_path / "elsewhere.png")
    (run / "d.png").symlink_to(tmp_path / "elsewhere.png")
    page = str(stored_figures(run, names | {"e.png": "missing"}))
    assert [caption for caption in names.values() if caption in page] == ["drawn", "photo"]
    assert page.count("data:image/png;base64,") == page.count("data:image/jpeg;base64,") == 1
