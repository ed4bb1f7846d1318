"""Small photos that are turned, transparent or of odd kinds, as the bytes of files."""

import io

import numpy as np
from PIL import Image

from keras_resnet.data import viewing

LOSSLESS = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}


def picture():
    """A red and green ramp whose upper left corner is blue, so that no turn of it looks like another."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = np.linspace(0, 255, 40)[:, None], np.linspace(0, 255, 60)
    pixels[:12, :20, 2] = 255
    return Image.fromarray(pixels)


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **LOSSLESS.get(kind, {}), **options)
    return file.getvalue()


def with_alpha():
    return Image.merge("RGBA", (*picture().split(), Image.linear_gradient("L").resize((60, 40))))


def turned_photo(kind, orientation):
    exif = Image.Exif()
    exif[viewing.ORIENTATION] = orientation
    return encoded(picture(), kind, exif=exif)
