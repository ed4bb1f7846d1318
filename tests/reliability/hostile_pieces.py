"""Wrong contents for photos, other files and JSON values."""

import functools
import io
import json
import os
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from keras_resnet.weights import Preprocessing

PLAIN = Preprocessing(np.zeros(3))
SIDES = (12, 8)  # of the photos, width and height
WRONG = {  # JSON
    "null": "null", "true": "true", "minus one": "-1", "zero": "0", "a half": "0.5", "1e308": "1e308", "NaN": "NaN",
    "Infinity": "-Infinity", "400 digits": "1" + "0" * 400, "5,000 digits": "1" * 5000, "2^63": str(2**63),
    "no text": '""', "text": '"text"', "a number as text": '"1"', "5,000 characters": f'"{"x" * 5000}"',
    "a list": "[]", "a list of one": "[1]", "an object": "{}", "a deep list": "[" * 100_000 + "]" * 100_000,
    "a climbing name": '"../../up.jpg"', "an absolute name": '"/etc/passwd"', "a zero byte": '"a\\u0000b"',
    "half a surrogate pair": '"\\ud800"', "a line end": '"a\\nb"', "nothing": "",
}  # fmt: skip
HERE = "<here>"  # marks where a value is put into a document


def put(document, place, literal: str) -> str:
    """``document`` as JSON with ``literal`` at ``place``."""
    document = json.loads(json.dumps(document))
    if not place:
        return literal
    inside = document
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = HERE
    return json.dumps(document).replace(json.dumps(HERE), literal)


def photo(path: Path, level: int = 0) -> None:
    """Write a grey photo."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", SIDES, level).convert("RGB").save(path)


def huge_png(path: Path, side: int, rows: int = 4) -> None:
    """A small file whose header announces ``side`` x ``side`` pixels."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    packer = zlib.compressobj(1)
    row = bytes(side * 3 + 1)
    packed = b"".join(packer.compress(row) for _ in range(rows)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b""))


@functools.cache
def blank(kind: str, mode: str) -> bytes:
    """A whole file of few bytes with 11,000 x 11,000 equal pixels; encoded once, which takes seconds."""
    encoded = io.BytesIO()
    Image.new(mode, (11_000, 11_000)).save(encoded, kind)
    return encoded.getvalue()


ODD_FILES = {
    "a pipe": os.mkfifo,
    "a folder": lambda path: path.mkdir(),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a link to itself": lambda path: path.symlink_to(path),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
}
PHOTOS = ODD_FILES | {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_bytes(b"no photo"),
    "a PNG header": lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n"),
    "a JPEG header": lambda path: path.write_bytes(b"\xff\xd8\xff\xe0\0\x10JFIF\0"),
    "a GIF of 65,535 x 65,535": lambda path: path.write_bytes(
        b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\2\0;"
    ),
    "a PNG of 20,000 x 20,000": lambda path: huge_png(path, 20_000),
    "a PNG of 2^31 pixels a side": lambda path: huge_png(path, 2**31 - 1, 0),
    "a PNG of no pixels": lambda path: huge_png(path, 0),
    "a whole PNG of 5,000 x 5,000": lambda path: huge_png(path, 5000, 5000),
    "a transparent PNG of 11,000 x 11,000": lambda path: path.write_bytes(blank("PNG", "RGBA")),
    "a WebP of 11,000 x 11,000": lambda path: path.write_bytes(blank("WEBP", "RGB")),
    "a GIF of 11,000 x 11,000": lambda path: path.write_bytes(blank("GIF", "L")),
}  # fmt: skip
