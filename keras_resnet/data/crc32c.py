"""CRC-32C (Castagnoli, RFC 3720), the checksum of TFRecord files, a whole array at a time.

A checksum is linear in the bits: the front half of the words, moved to where the back half is, is added to it, until
one word is left. Each move is four looks into a small table.
"""

import functools

import numpy as np

POLYNOMIAL = 0x82F63B78
START = bytes.fromhex("54641f64")  # the word after which a register that began at 0 is the standard's 0xFFFFFFFF
MASK = 0xA282EAD8


def crc32c(data: bytes) -> int:
    """The checksum of ``data``."""
    words = np.frombuffer(bytes(-len(data) % 4) + START + data, "<u4")  # zeros in front change nothing
    while len(words) > 1:
        level = (len(words) - 1).bit_length() - 1
        front = len(words) - 2**level
        back = words[front:].copy()
        back[2**level - front :] ^= _moved(words[:front], _tables(level))
        words = back
    return int(_moved(words, _tables(0))[0]) ^ 0xFFFFFFFF


def masked(data: bytes) -> int:
    """The checksum as TFRecord files store it."""
    found = crc32c(data)
    return ((found >> 15 | found << 17) + MASK) & 0xFFFFFFFF


def _moved(words, tables):
    bytes_of = words.view(np.uint8).reshape(-1, 4)
    found = tables[0][bytes_of[:, 0]]
    for number in (1, 2, 3):
        found ^= tables[number][bytes_of[:, number]]
    return found


@functools.cache
def _tables(level: int) -> np.ndarray:
    """uint32 ``[4, 256]``: what each byte of a word becomes ``2**level`` words later; small, for a core's own cache."""
    if level:
        before = _tables(level - 1)
        return np.stack([_moved(row, before) for row in before])
    words = np.arange(256, dtype=np.uint32)
    words = np.stack([words << shift for shift in (0, 8, 16, 24)])
    for _ in range(32):
        words = (words >> 1) ^ np.where(words & 1, np.uint32(POLYNOMIAL), np.uint32(0))
    return words
