"""Photos are seen as a viewer shows them: by all that decodes, and compared with Pillow's own drawing on white."""

import io

import numpy as np
import pytest
import tensorflow as tf
from odd_photos import encoded, picture, turned_photo, with_alpha
from PIL import Image, ImageOps, features

from keras_resnet import InputError
from keras_resnet.data import augment, decoding, viewing

EXIF_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", *(("AVIF",) if features.check("avif") else ()))
DECODE = tf.function(decoding.decode)  # as in a pipeline; traced once, since every photo is a string
TRAINING_VIEW = tf.function(lambda photo, seed: augment.scale_crop_flip(photo, seed, 16))


def drawn_on_white(photo: bytes) -> np.ndarray:
    turned = ImageOps.exif_transpose(Image.open(io.BytesIO(photo))).convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", turned.size, "white"), turned).convert("RGB"))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", EXIF_FORMATS)
@pytest.mark.long
def test_a_photo_is_turned_as_its_exif_data_say(kind, orientation):
    photo = turned_photo(kind, orientation)
    expected = drawn_on_white(photo)
    pixels = decoding.decode(photo).numpy()
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).mean() < (2 if kind == "JPEG" else 1e-9)
    assert tuple(decoding.image_shape(photo).numpy()) == pixels.shape
    assert viewing.viewed_size(photo)[:2] == pixels.shape[:2]
    np.testing.assert_array_equal(DECODE(tf.constant(photo)), pixels)  # in a pipeline too
    stored = decoding.decode_stored(photo).numpy()
    assert tuple(decoding.stored_shape(photo).numpy()) == stored.shape
    assert stored.shape[:2] == ((40, 60) if kind != "TIFF" else pixels.shape[:2])


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_size_of_a_photo_takes_its_header_alone(kind):
    """So that a training view decodes it once."""
    photo = encoded(picture(), kind)
    beginning = photo[: -len(photo) // 4]
    assert tuple(decoding.stored_shape(beginning).numpy()) == (40, 60, 3)
    with pytest.raises((tf.errors.InvalidArgumentError, InputError)):
        decoding.decode(beginning)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.long
def test_the_training_view_of_a_turned_photo_is_that_of_the_turned_pixels(orientation):
    """Its window is decoded from the stored picture alone, so the place must be turned back."""
    photo = turned_photo("JPEG", orientation)
    upright = encoded(Image.fromarray(drawn_on_white(photo)), "PNG")
    for number in range(5):
        seed = tf.constant([3, number], tf.int64)
        views = [TRAINING_VIEW(tf.constant(picture), seed).numpy() for picture in (photo, upright)]
        assert np.abs(views[0] - views[1]).max() < 16
        assert np.abs(views[0] - views[1]).mean() < 4


@pytest.mark.parametrize(
    ("image", "kind", "options"),
    [
        (with_alpha(), "PNG", {}),
        (with_alpha().convert("LA"), "PNG", {}),
        (with_alpha(), "WEBP", {}),
        (picture().convert("P"), "PNG", {"transparency": 0}),
        (picture().convert("P"), "GIF", {"save_all": True, "append_images": [Image.new("P", (60, 40))]}),
        (picture().convert("P"), "GIF", {"transparency": 3}),
        (picture().convert("P"), "BMP", {}),
        (picture().convert("L"), "BMP", {}),
        (picture().convert("CMYK"), "TIFF", {}),
        (picture(), "TIFF", {}),
    ],
    ids=[
        "RGBA",
        "grey-alpha",
        "webp-alpha",
        "palette-alpha",
        "animated",
        "gif-alpha",
        "palette-bmp",
        "grey-bmp",
        "cmyk-tiff",
        "tiff",
    ],
)
def test_odd_photos_look_as_pillow_draws_them_on_white(image, kind, options):
    photo = encoded(image, kind, **options)
    np.testing.assert_array_equal(decoding.decode(photo), drawn_on_white(photo))
    np.testing.assert_array_equal(DECODE(tf.constant(photo)), drawn_on_white(photo))
    assert decoding.problem(photo) == ""


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_become_their_upper_eight(kind):
    grey = np.linspace(0, 2**16 - 1, 600).reshape(20, 30).astype(np.uint16)
    pixels = decoding.decode(encoded(Image.fromarray(grey), kind)).numpy()
    np.testing.assert_array_equal(pixels, np.repeat((grey >> 8)[:, :, None], 3, axis=2))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_photo_without_turn_or_transparency_is_decoded_by_tensorflow_alone_bit_for_bit(kind):
    photo = encoded(picture(), kind)
    np.testing.assert_array_equal(decoding.decode(photo), tf.io.decode_image(photo, channels=3))
    assert bool(viewing.is_plain(photo))
    assert bool(viewing.is_shown_as_stored(photo))


NOISE = bytes(np.random.default_rng(0).integers(0, 256, 9000, np.uint8))  # which PNG cannot compress


def after_a_long_header(photo: bytes) -> bytes:
    """A JPEG whose first segment is long, as that of a colour profile is."""
    return photo[:2] + b"\xff\xe2" + (len(NOISE) + 2).to_bytes(2, "big") + NOISE + photo[2:]


@pytest.mark.long
def test_a_long_header_hides_neither_turn_nor_transparency():
    exif = Image.Exif()
    exif[viewing.ORIENTATION] = 6
    photos = [
        after_a_long_header(turned_photo("JPEG", 6)),
        encoded(picture(), "PNG", exif=exif, icc_profile=NOISE),
        encoded(picture().convert("P"), "PNG", transparency=bytes(256), icc_profile=NOISE),
    ]
    assert all(photo.find(name) > 9000 for photo, name in zip(photos, (b"Exif", b"eXIf", b"tRNS"), strict=True))
    for photo in photos:
        expected = drawn_on_white(photo)
        pixels = decoding.decode(photo).numpy()
        assert pixels.shape == expected.shape
        assert np.abs(pixels.astype(int) - expected).mean() < 2
        np.testing.assert_array_equal(DECODE(tf.constant(photo)), pixels)
        assert tuple(decoding.image_shape(photo).numpy()) == pixels.shape
        assert viewing.viewed_size(photo)[:2] == pixels.shape[:2]


@pytest.mark.parametrize("photo", [after_a_long_header(encoded(picture(), "JPEG")),
                                   encoded(picture(), "PNG", icc_profile=NOISE)], ids=["JPEG", "PNG"])  # fmt: skip
def test_a_photo_of_a_long_header_is_decoded_by_tensorflow_too(photo):
    np.testing.assert_array_equal(decoding.decode(photo), tf.io.decode_image(photo, channels=3))
    assert bool(viewing.is_plain(photo))
    assert int(viewing.orientation(photo)) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"notes", "its content is no photo of a known format"),
        (b"<html>", "it is a web page"),
        (encoded(picture(), "JPEG")[:300], "its JPEG data end too early"),
        (encoded(picture(), "JPEG").replace(b"\xff\xdb", b"\xff\x00"), "its JPEG data are damaged"),
        (encoded(picture(), "PNG")[:100], "its PNG data end too early"),
        (encoded(picture(), "TIFF")[:500], "its TIFF data are damaged"),
        (b"\0\0\0\x18ftypheic" + bytes(40), "it is a HEIC photo, which is not read here: convert it to JPEG"),
        (b"\0\5\x16\7" + bytes(40), "it is a macOS companion file"),
        (encoded(Image.new("F", (4, 4)), "TIFF"), "its pixels are fractions"),
        (encoded(Image.new("I", (4, 4), 2**20), "TIFF"), "its pixels have 32 bits"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_words(content, words):
    assert decoding.problem(content).startswith(words)
    if content:
        with pytest.raises((tf.errors.OpError, InputError)):
            decoding.decode(content)


@pytest.mark.long
@pytest.mark.parametrize(("kind", "mode", "side"), [("GIF", "L", 7_100), ("PNG", "LA", 7_100), ("GIF", "L", 13_500)])
def test_a_small_file_of_too_many_pixels_for_pillow_is_refused_by_its_header(kind, mode, side):
    photo = encoded(Image.new(mode, (side, side)), kind)
    assert len(photo) < 2**20
    assert decoding.problem(photo).startswith(("it has more than 50,000,000 pixels", decoding.TOO_LARGE))
    with pytest.raises((tf.errors.OpError, InputError), match="it has more than"):
        decoding.decode(photo)


def test_damaged_exif_data_turn_nothing():
    photo = turned_photo("JPEG", 6)
    place = photo.index(b"Exif") + 6
    for damaged in (
        photo[:place] + b"\xff" * 8 + photo[place + 8 :],
        photo.replace(b"\x01\x12\x00\x03", b"\x01\x12\0\0"),
    ):
        assert viewing.orientation_of(damaged) == 1
        assert decoding.decode(damaged).shape == (40, 60, 3)


def test_a_jpeg_of_nothing_but_markers_is_soon_given_up():
    for filling in (b"\xff", b"\xff\xd0", b"\xff\xe2\0\0"):
        assert viewing.orientation_of(viewing.JPEG + filling * 10_000_000) == 1


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_small_pictures_are_upright(orientation):
    pixels = np.zeros((60, 90, 3), np.uint8)
    pixels[:20, :30] = 255
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(file, "JPEG", quality=95, exif=exif)
    small = np.asarray(viewing.small_picture(file.getvalue(), 30))
    assert small.shape == ((20, 30, 3) if orientation != 6 else (30, 20, 3))
    bright = {1: (0, 0), 3: (-1, -1), 6: (0, -1)}[orientation]  # the corner
    assert small[bright].min() > 200
    assert np.delete(small.reshape(-1, 3), 0, 0).mean() < 60


@pytest.mark.parametrize("mode", ["RGBA", "LA", "I;16", "grey with a transparent one"])
def test_small_pictures_are_on_white_and_in_8_bits(mode):
    file, transparent = io.BytesIO(), {}
    if mode == "I;16":
        photo = Image.fromarray(np.full((8, 8), 255 << 8, np.uint16))
    elif mode in ("RGBA", "LA"):
        photo = Image.new(mode, (8, 8))
    else:
        photo, transparent = Image.new("L", (8, 8)), {"transparency": 0}
    photo.save(file, "PNG", **transparent)
    assert np.asarray(viewing.small_picture(file.getvalue(), 8)).min() == 255
