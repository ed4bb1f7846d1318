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
JPEG_HEAD, PNG_HEAD = 512, 4096  # bytes, in which most files say all before their pixels; of the others Python reads on
EXIF = b"Exif\0\0"
APP1, ENDS_HEADER, WITHOUT_LENGTH = 0xE1, (0xD9, 0xDA), (0x01, *range(0xD0, 0xD8))  # markers of a JPEG
MAX_SEGMENTS = 4096  # before its pixels; only a file made to waste time has more
TURNED_BY_EXIF = ("JPEG", "MPO", "PNG", "WEBP", "AVIF")  # Pillow turns TIFF itself as it decodes
JPEG_WITH_EXIF = r"\C*Exif\x00\x00\C*"  # RE2: \C is any byte
JPEG_WITH_FRAME = r"\C*\x00[\x0b\x11\x14]\x08\C{4}[\x01\x03\x04]\C*"  # its length, bits, sides and channels
PNG_WITH_PIXELS = r"\CPNG\C*IDAT\C*"
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

    They are a JPEG without EXIF data, or a PNG without these and without transparency, whose first bytes say all that
    comes before the pixels: false where that takes more bytes.
    """
    import tensorflow as tf

    jpeg = _says(tf.strings.substr(encoded, 0, JPEG_HEAD), JPEG_WITH_FRAME, JPEG_WITH_EXIF)
    return tf.where(tf.io.is_jpeg(encoded), jpeg, _is_png_without(ODD_PNG, encoded))


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
            data = _exif_of_jpeg(encoded)
            if not data:
                return np.int32(1)
            exif = Image.Exif()
            exif.load(data)
        else:
            with Image.open(io.BytesIO(encoded)) as picture:  # of a PNG, Pillow's own method would decode the pixels
                exif = Image.Image.getexif(picture) if picture.format in TURNED_BY_EXIF else Image.Exif()
        orientation = exif.get(ORIENTATION, 1)
        return np.int32(orientation if orientation in range(1, 9) else 1)
    except Exception:  # whatever damaged data lead to
        return np.int32(1)


def _exif_of_jpeg(encoded: bytes) -> bytes:
    """The first EXIF data before the pixels of a JPEG, empty if there are none."""
    place = 2
    for _ in range(MAX_SEGMENTS):
        if encoded[place : place + 1] != b"\xff" or len(encoded) < place + 4:
            break
        marker, length = encoded[place + 1], int.from_bytes(encoded[place + 2 : place + 4], "big")
        if marker in ENDS_HEADER:
            break
        if marker == APP1 and encoded.startswith(EXIF, place + 4):
            return encoded[place + 4 : place + 2 + length]
        place += 1 if marker == 0xFF else 2 if marker in WITHOUT_LENGTH else 2 + length
    return b""


def is_plain(encoded: Tensor) -> Tensor:
    """Whether TensorFlow decodes these bytes as a viewer shows them but for their turn: a JPEG, or an opaque PNG."""
    import tensorflow as tf

    def by_python():
        return tf.ensure_shape(on_bytes(is_opaque_png, encoded, tf.bool), [])

    said = tf.io.is_jpeg(encoded) | _is_png_without(TRANSPARENT_PNG, encoded)
    return tf.cond(said, lambda: tf.constant(True), by_python)


def is_opaque_png(encoded: bytes) -> np.bool_:
    """Whether the bytes are a PNG without transparency, as far as its header can be read."""
    if not encoded.startswith(PNG):
        return np.bool_(False)
    try:
        with Image.open(io.BytesIO(encoded)) as picture:
            return np.bool_(not picture.has_transparency_data)
    except Exception:  # whatever damaged data lead to; TensorFlow's decoder refuses them
        return np.bool_(True)


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


def small_picture(encoded: bytes, side: int) -> Image.Image:
    """A photo as a viewer shows it, its longer side ``side`` pixels at most, without decoding more than that takes."""
    picture: Image.Image = Image.open(io.BytesIO(encoded))
    picture.draft("RGB", (side, side))  # type: ignore[attr-defined]  # a JPEG is decoded at a fraction of its size
    if picture.mode not in ("RGB", "L", "CMYK") or picture.has_transparency_data:
        picture = Image.fromarray(pixels_of(encoded))
    orientation = int(orientation_of(encoded))
    picture = picture.convert("RGB")
    picture.thumbnail((side, side), Image.Resampling.BOX)
    if orientation == 1:
        return picture
    return Image.fromarray(turned(np.asarray(picture), orientation).numpy())


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

    head = tf.strings.substr(encoded, 0, PNG_HEAD)
    return (tf.strings.substr(head, 0, len(PNG)) == PNG) & _says(head, PNG_WITH_PIXELS, pattern)


def _says(head, pattern, other):
    """Whether the first bytes of a file match ``pattern`` and not ``other``."""
    import tensorflow as tf

    return tf.strings.regex_full_match(head, pattern) & ~tf.strings.regex_full_match(head, other)
