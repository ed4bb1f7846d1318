"""Files are whole or absent, and what keeps one from being written is said."""

import errno
import resource

import numpy as np
import pytest

from keras_resnet.files import save_array, write_json, write_text, write_whole


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


@pytest.mark.parametrize("name", ["a" * 251 + ".txt", "ä" * 125 + "b.txt", "a.txt"])
def test_a_file_may_have_the_longest_name_that_the_disk_takes(tmp_path, name):
    write_whole(tmp_path / name, lambda part: part.with_suffix(".txt").write_text("whole"))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {name: "whole"}


def test_names_that_are_no_utf8_are_escaped_in_texts(tmp_path):
    write_text(tmp_path / "text", "caf\xe9 \udcff\n")
    assert (tmp_path / "text").read_bytes() == "café \\udcff\n".encode()
    write_json(tmp_path / "json", {"photo": "\udcff"})
    assert (tmp_path / "json").read_text() == '{\n "photo": "\\udcff"\n}\n'
