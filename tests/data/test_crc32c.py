"""The checksum of TFRecord files against published values, the plain algorithm, and what TensorFlow writes."""

import pytest
import tensorflow as tf

from keras_resnet.data.crc32c import POLYNOMIAL, crc32c, masked


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),  # this and the next two: RFC 3720, B.4
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_published_values(data, value):
    assert crc32c(data) == value


def test_all_lengths_are_those_of_the_algorithm_bit_by_bit(rng):
    data, register = rng.bytes(300), 0xFFFFFFFF
    for length, byte in enumerate(data):
        assert crc32c(data[:length]) == register ^ 0xFFFFFFFF
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (POLYNOMIAL if register & 1 else 0)


def test_tensorflow_stores_the_same(rng, tmp_path):
    for length in (0, 1, 4, 65_537, 1_000_003):
        data = rng.bytes(length)
        with tf.io.TFRecordWriter(str(tmp_path / "one")) as writer:
            writer.write(data)
        stored = (tmp_path / "one").read_bytes()
        assert stored[8:12] == masked(stored[:8]).to_bytes(4, "little")
        assert stored[-4:] == masked(data).to_bytes(4, "little")
