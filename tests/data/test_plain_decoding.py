"""TensorFlow's operations alone decode JPEG and PNG photos as the other decoder does, which asks Pillow."""

import struct

import numpy as np
import pytest
import tensorflow as tf
from odd_photos import encoded, picture, turned_photo, with_alpha
from PIL import Image

from keras_resnet import InputError
from keras_resnet.data import decoding, plain_decoding, viewing

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
def test_a_file_that_ends_early_is_turned_as_by_the_other_decoder():
    photo = turned_photo("JPEG", 6)
    for end in (*range(50), *range(52, 90)):  # between, the entry lacks only the padding of its number
        assert int(ORIENTATION(photo[:end])) == viewing.orientation_of(photo[:end]), end


@pytest.mark.long
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [1, 2, 3, 4, 7, 12])
def test_an_orientation_is_one_number(order, kind):
    """Another type, such as a text, or another count of numbers is no orientation."""
    begin = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HIH", 42, 8, 1)
    for count in (0, 1):
        value = struct.pack(f"{order}{'I' if kind == 4 else 'HH'}", *([6] if kind == 4 else [6, 0]))
        exif = begin + struct.pack(f"{order}HHI", viewing.ORIENTATION, kind, count) + value + bytes(4)
        photo = encoded(picture(), "JPEG", exif=b"Exif\0\0" + exif)
        assert int(ORIENTATION(photo)) == viewing.orientation_of(photo) == (6 if kind in (3, 4) and count else 1)


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


def test_transparent_photos_may_have_as_many_pixels_as_for_the_other_decoder(monkeypatch):
    monkeypatch.setattr(viewing, "MAX_PILLOW_PIXELS", 40 * 60 - 1)
    assert plain_decoding.decode(encoded(picture(), "PNG")).shape == (40, 60, 3)
    for decode in (plain_decoding.decode, decoding.decode):
        with pytest.raises((tf.errors.InvalidArgumentError, InputError), match="only a JPEG or an opaque PNG may have"):
            decode(encoded(with_alpha(), "PNG"))
