"""Files are whole or absent, and what keeps one from being written is said."""

import errno
import resource

import numpy as np
import pytest

from keras_resnet.files import save_array, write_whole


def test_a_full_disk_is_named_for_arrays_as_for_other_files(tmp_path):
    """``np.save`` to a file gives an error without a number or words for it."""
    path, before = tmp_path / "mean.npy", resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as failed:
            write_whole(path, lambda part: save_array(part, np.zeros(1000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert failed.value.errno == errno.EFBIG
    assert not list(tmp_path.iterdir())
    write_whole(path, lambda part: save_array(part, np.arange(3.0)))
    np.testing.assert_array_equal(np.load(path), [0, 1, 2])
