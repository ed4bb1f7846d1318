"""The pictures of a projector's view are those that viewers and networks see."""

import numpy as np
from PIL import Image

from keras_resnet.evaluation.embeddings import Embeddings
from keras_resnet.evaluation.projector import SPRITE, THUMBNAIL, write_projector


def test_photos_are_shown_turned_and_in_8_bits(tmp_path):
    """A photo on its side, whose left half is dark once it is turned, and one of 16 bits, which is grey."""
    stored, exif = np.zeros((40, 60, 3), np.uint8), Image.Exif()
    stored[:20] = 200
    exif[0x0112] = 6
    Image.fromarray(stored).save(tmp_path / "turned.png", exif=exif)
    Image.fromarray(np.full((30, 30), 120 << 8, np.uint16)).save(tmp_path / "wide.png")
    photos = np.array([str(tmp_path / name) for name in ("turned.png", "wide.png")])
    texts = np.array(["a", "a"])
    embeddings = Embeddings(np.eye(2, dtype=np.float16), np.zeros(2, np.int32), texts, photos, texts, texts[:1], "m")
    assert write_projector(embeddings, tmp_path / "view") == 2
    sheet = np.asarray(Image.open(tmp_path / "view" / SPRITE))
    turned, wide = sheet[:THUMBNAIL, :THUMBNAIL], sheet[:THUMBNAIL, THUMBNAIL:]
    assert turned[:, : THUMBNAIL // 2 - 2].max() == 0
    assert turned[:, THUMBNAIL // 2 + 2 :].min() == 200
    assert (wide == 120).all()
