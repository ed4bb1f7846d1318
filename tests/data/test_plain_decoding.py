"""TensorFlow's operations alone decode JPEG and PNG photos as the other decoder does, which asks Pillow."""

import numpy as np
import pytest
import tensorflow as tf
from odd_photos import encoded, picture, turned_photo, with_alpha
from PIL import Image

from keras_resnet.data import decoding, plain_decoding

ONE = tf.TensorSpec([], tf.string)
DECODE = tf.function(plain_decoding.decode, [ONE], autograph=False)  # traced once
ORIENTATION = tf.function(plain_decoding.exif_orientation, [ONE], autograph=False)


def all_alphas():
    """All 256 values on all 256 alphas."""
    alpha, value = np.meshgrid(np.arange(256), np.arange(256))
    return Image.fromarray(np.stack([value, 255 - value, value * 7 % 256, alpha], axis=-1).astype(np.uint8))


@pytest.mark.long
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_photo_is_turned_as_its_exif_data_say(kind):
    for orientation in range(10):  # of which 0 and 9 mean nothing
        photo = turned_photo(kind, orientation)
        np.testing.assert_array_equal(DECODE(photo), decoding.decode(photo))
        np.testing.assert_array_equal(plain_decoding.decode_stored(photo), decoding.decode_stored(photo))


@pytest.mark.long
@pytest.mark.parametrize("order", "<>")
def test_exif_data_are_read_in_both_byte_orders_behind_other_segments(order):
    for orientation in (1, 6, 8):
        exif = Image.Exif()
        exif.endian = order
        exif[0x010F] = "maker" * 1000
        exif[0x0112] = orientation
        photo = encoded(picture(), "JPEG", exif=exif.tobytes(), icc_profile=bytes(200_000), comment="Exif\0\0 II*")
        assert int(ORIENTATION(photo)) == orientation


@pytest.mark.long
@pytest.mark.parametrize(
    ("image", "options"),
    [
        pytest.param(all_alphas(), {}, id="every alpha"),
        pytest.param(with_alpha().convert("LA"), {}, id="grey and alpha"),
        pytest.param(picture().convert("P"), {"transparency": 0}, id="clear palette"),
        pytest.param(picture(), {"transparency": (0, 0, 0)}, id="clear colour"),
        pytest.param(picture().convert("L"), {}, id="grey"),
        pytest.param(picture().convert("1"), {}, id="one bit"),
        pytest.param(picture().convert("1"), {"transparency": 0}, id="clear bit"),
        pytest.param(picture().convert("P", palette=Image.Palette.ADAPTIVE, colors=4), {"bits": 2}, id="two bits"),
        pytest.param(Image.fromarray(np.arange(0, 2**16, 109, np.uint16)[:600].reshape(20, 30)), {}, id="sixteen bits"),
    ],
)
def test_every_png_has_the_same_pixels(image, options):
    photo = encoded(image, "PNG", **options)
    np.testing.assert_array_equal(DECODE(photo), decoding.decode(photo))


@pytest.mark.long
def test_damage_is_no_turn():
    photo = turned_photo("JPEG", 6)
    for end in range(len(photo[:90])):
        assert int(ORIENTATION(photo[:end])) in (1, 6)
    assert int(ORIENTATION(b"")) == 1


@pytest.mark.parametrize("kind", ["GIF", "WEBP", None])
def test_other_formats_are_refused_by_name(kind):
    photo = encoded(picture(), kind) if kind else b""
    assert not plain_decoding.is_decodable(photo)
    with pytest.raises(tf.errors.InvalidArgumentError, match="neither a JPEG nor a PNG file"):
        DECODE(photo)


def test_photos_of_too_many_pixels_are_refused_from_their_headers(monkeypatch):
    monkeypatch.setattr(decoding, "MAX_PIXELS", 40 * 60 - 1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="pixels"):
        plain_decoding.decode(encoded(picture(), "PNG"))
