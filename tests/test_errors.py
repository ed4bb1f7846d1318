"""What libraries say in errors of their own becomes an error that a program ends with in one sentence."""

import errno

import numpy as np
import pytest

from keras_resnet.errors import in_our_words, system_error
from keras_resnet.weights.array_file import write_safetensors

FULL = "/dev/full"  # a disk without room, to whoever writes to it


def test_a_full_disk_is_named_whoever_writes_to_it(tmp_path):
    import tensorflow as tf

    with pytest.raises(OSError, match="No space left") as records, in_our_words(), tf.io.TFRecordWriter(FULL) as writer:
        writer.write(bytes(10**6))
    assert (records.value.errno, records.value.filename) == (errno.ENOSPC, FULL)
    (tmp_path / "w.safetensors").symlink_to(FULL)
    with pytest.raises(OSError, match="No space left") as weights:
        write_safetensors(tmp_path / "w.safetensors", {"predictions/bias": np.zeros(10**5, np.float32)}, {})
    assert weights.value.errno == errno.ENOSPC


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{node SaveV2}} /out/part-1/variables; No space left on device [Op:SaveV2]", ("/out/part-1/variables", 28)),
        ("/runs/a/events.out.tfevents.1; Permission denied", ("/runs/a/events.out.tfevents.1", 13)),
        ("{{node SaveV2}} /my runs/a b/part; No space left on device [Op:SaveV2]", ("/my runs/a b/part", 28)),
        ("Error in function passed to Map with iterator: Iterator::Map: /a b.jpg; Not a directory", ("/a b.jpg", 20)),
        ("Input is empty. [Op:DecodeImage]", None),
    ],
)
def test_what_the_system_said_is_read_from_a_text(text, said):
    error = system_error(RuntimeError(text))
    assert (error and (error.filename, error.errno)) == said
