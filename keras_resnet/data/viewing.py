"""A photo's pixels as a viewer shows them: turned by EXIF, on white where it is transparent, in 8 bits, one picture."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from keras_resnet.errors import InputError
from keras_resnet.typing import Tensor

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
MAX_PILLOW_PIXELS = 50_000_000  # each takes up to 25 bytes on the way; JPEG and opaque PNG files may have more
TOO_LARGE = (
    f"it has more than {MAX_PILLOW_PIXELS:,} pixels, which only a JPEG or an opaque PNG may have: make it smaller"
)
ORIENTATION = 0x0112  # of EXIF
EXIF_WITHIN = 512  # bytes of a JPEG, where its EXIF data begin
CHUNKS_WITHIN = 4096  # bytes of a PNG, where it says that it is transparent, or has EXIF data
EXIF = b"Exif\0\0"
TURNED_BY_EXIF = ("JPEG", "MPO", "PNG", "WEBP")  # Pillow turns TIFF itself as it decodes
JPEG_WITH_EXIF = r"\C*Exif\x00\x00\C*"  # RE2: \C is any byte
TRANSPARENT_PNG = r"\CPNG\C{21}[\x04\x06]\C*|\CPNG\C*tRNS\C*"  # by its colour type, or by one colour
ODD_PNG = TRANSPARENT_PNG + r"|\CPNG\C*eXIf\C*"
OTHER_FORMATS = {  # the first bytes of what is often among photos, from the byte given on, and what it is
    (0, b"\x00\x05\x16\x07"): "it is a macOS companion file, not a photo",
    (4, b"ftyphei"): "it is a HEIC photo, which is not read here: convert it to JPEG",
    (4, b"ftypmif1"): "it is a HEIC photo, which is not read here: convert it to JPEG",
    (4, b"ftyp"): "it is a video, not a photo",
    (0, b"%PDF"): "it is a PDF document, not a photo",
    (0, b"PK\x03\x04"): "it is a ZIP archive, not a photo",
    (0, b"<"): "it is a web page or XML text, not a photo",
}

REVERSED = ((False, False), (False, True), (True, True), (True, False))  # rows and columns, in orientations 1 to 4


def turned(picture: Tensor, orientation: Tensor | int) -> Tensor:
    """``picture`` ``[height, width, 3]`` as a viewer shows it, by its EXIF orientation, 1 to 8, a scalar tensor."""
    import tensorflow as tf

    orientation = tf.convert_to_tensor(orientation)

    def gathered():  # oneDNN writes an error line at tf.transpose of uint8; a branch for each orientation starts slower
        height, width = tf.unstack(tf.shape(picture)[:2])
        sideways = orientation > 4
        rows, columns = tf.range(tf.where(sideways, width, height)), tf.range(tf.where(sideways, height, width))
        upside_down, mirrored = tf.unstack(tf.constant(REVERSED)[(orientation - 1) % 4])
        rows = tf.where(upside_down, rows[::-1], rows)[:, None]
        columns = tf.where(mirrored, columns[::-1], columns)[None]
        places = tf.where(sideways, columns * width + rows, rows * width + columns)
        return tf.gather(tf.reshape(picture, [height * width, 3]), places)

    return tf.cond(orientation == 1, lambda: picture, gathered)


def stored_window(window: Tensor, extent: Tensor, orientation: Tensor) -> Tensor:
    """Where ``window`` of the turned picture lies in the stored one.

    Args:
        window: top, left, height and width in pixels, an int32 tensor ``[4]``.
        extent: height and width of the turned picture, int32 ``[2]``.
        orientation: by which it is turned, 1 to 8, a scalar int32 tensor.
    """
    import tensorflow as tf

    reversed_axes = tf.constant(REVERSED)[(orientation - 1) % 4]
    corner, sides = window[:2], window[2:]
    corner = tf.where(reversed_axes, extent - corner - sides, corner)
    sideways = orientation > 4
    corner, sides = (tf.where(sideways, tf.reverse(pair, [0]), pair) for pair in (corner, sides))
    return tf.concat([corner, sides], 0)


def is_shown_as_stored(encoded: Tensor) -> Tensor:
    """Whether TensorFlow alone decodes these bytes as a viewer shows them, without a turn; costs next to nothing.

    They are a JPEG without EXIF data, or a PNG without these and without transparency.
    """
    import tensorflow as tf

    with_exif = tf.strings.regex_full_match(tf.strings.substr(encoded, 0, EXIF_WITHIN), JPEG_WITH_EXIF)
    return tf.where(tf.io.is_jpeg(encoded), ~with_exif, _is_png_without(ODD_PNG, encoded))


def orientation(encoded: Tensor) -> Tensor:
    """The EXIF orientation, 1 to 8, of a photo's bytes, a scalar string tensor: scalar int32, 1 where there is none."""
    import tensorflow as tf

    return tf.cond(is_shown_as_stored(encoded), lambda: tf.constant(1), lambda: exif_orientation(encoded))


def exif_orientation(encoded: Tensor) -> Tensor:
    """The same, read by Python, which takes longer."""
    import tensorflow as tf

    return tf.ensure_shape(on_bytes(orientation_of, encoded, tf.int32), [])


def orientation_of(encoded: bytes) -> np.int32:
    """As :func:`exif_orientation`, of the bytes themselves."""
    try:
        if encoded.startswith(JPEG):  # without a look at the rest of the file, which may be damaged
            place = encoded.find(EXIF, 0, EXIF_WITHIN)
            exif = Image.Exif()
            exif.load(encoded[place:] if place >= 0 else b"")
        else:
            with Image.open(io.BytesIO(encoded)) as picture:
                exif = picture.getexif() if picture.format in TURNED_BY_EXIF else Image.Exif()
        orientation = exif.get(ORIENTATION, 1)
        return np.int32(orientation if orientation in range(1, 9) else 1)
    except Exception:  # whatever damaged data lead to
        return np.int32(1)


def is_plain(encoded: Tensor) -> Tensor:
    """Whether TensorFlow decodes these bytes as a viewer shows them but for their turn: a JPEG, or an opaque PNG."""
    import tensorflow as tf

    return tf.io.is_jpeg(encoded) | _is_png_without(TRANSPARENT_PNG, encoded)


def pixels_of(encoded: bytes) -> np.ndarray:
    """What Pillow makes of a photo of any format, as it is stored: uint8 ``[height, width, 3]``.

    The first picture of several, on white where it is transparent, 16 bits as their upper 8.

    Raises:
        InputError: it is no photo, is damaged, or has more than ``MAX_PILLOW_PIXELS``; the sentence says which.
    """
    try:
        with Image.open(io.BytesIO(encoded)) as picture:
            if picture.width * picture.height > MAX_PILLOW_PIXELS:
                raise InputError(TOO_LARGE)
            if picture.mode.startswith("I"):
                return _of_wide_greys(picture)
            if picture.mode == "F":
                raise InputError("its pixels are fractions, which viewers show differently: convert it to 8 bits")
            if not picture.has_transparency_data:
                return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
            white = Image.new("RGBA", picture.size, "white")
            return np.asarray(Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB"))
    except InputError:
        raise
    except Exception as error:  # whatever damaged data lead to
        raise InputError(what_is_wrong(encoded)) from error


def _of_wide_greys(picture: Image.Image) -> np.ndarray:
    grey = np.asarray(picture).astype(np.int64) >> 8  # Pillow's own conversion would cut off all above 255
    if grey.size and (grey.min() < 0 or grey.max() > 255):
        raise InputError("its pixels have 32 bits, which viewers show differently: convert it to 8 bits")
    return np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)


def what_is_wrong(encoded: bytes) -> str:
    """Why bytes that do not decode do not, in words."""
    if not encoded:
        return "the file is empty"
    for name, magic, end in (("JPEG", JPEG, b"\xff\xd9"), ("PNG", PNG, b"IEND")):
        if encoded.startswith(magic):
            whole = end in encoded[-64:]
            return f"its {name} data are damaged" if whole else f"its {name} data end too early: the file is cut off"
    for (place, magic), words in OTHER_FORMATS.items():
        if encoded[place:].startswith(magic):
            return words
    try:
        with Image.open(io.BytesIO(encoded)) as picture:
            return f"its {picture.format} data are damaged"
    except Image.DecompressionBombError:
        return TOO_LARGE
    except Exception:  # whatever damaged data lead to
        return "its content is no photo of a known format"


def viewed_size(encoded: bytes) -> tuple[int, int, str]:
    """Height and width of a photo as a viewer shows it, and its format and kind of pixels, such as ``JPEG RGB``.

    Only the header is looked at.

    Raises:
        InputError: it is no photo.
    """
    try:
        with Image.open(io.BytesIO(encoded)) as picture:
            width, height = picture.size
            kind = f"{picture.format} {picture.mode}"
    except Exception as error:  # whatever a damaged header leads to
        raise InputError(what_is_wrong(encoded)) from error
    return (width, height, kind) if orientation_of(encoded) > 4 else (height, width, kind)


def on_bytes(function: Callable[[bytes], Any], encoded: Tensor, dtype: Any) -> Tensor:
    """``function`` of the bytes in a scalar string tensor, as a tensor of ``dtype``."""
    import tensorflow as tf

    if tf.executing_eagerly():  # where numpy_function gives an array of bytes, which has lost the zeros at its end
        return tf.constant(function(tf.convert_to_tensor(encoded).numpy()), dtype)
    return tf.numpy_function(function, [encoded], dtype, stateful=False)


def _is_png_without(pattern, encoded):
    import tensorflow as tf

    head = tf.strings.substr(encoded, 0, CHUNKS_WITHIN)
    return (tf.strings.substr(head, 0, len(PNG)) == PNG) & ~tf.strings.regex_full_match(head, pattern)
