"""Sizes that a file states are compared with its bytes, and a refused file changes nothing."""

import os
import zipfile

import h5py
import keras
import numpy as np
import pytest

import keras_resnet
from keras_resnet import InputError, weights
from keras_resnet.weights.file_bounds import FREE, Budget, check_file, content, members, reading, shown, unallocated


def test_a_budget_is_a_floor_or_a_multiple_of_the_file(tmp_path):
    (tmp_path / "small").write_bytes(b"x")
    budget = Budget(tmp_path / "small")
    budget.take("weights", FREE)
    with pytest.raises(ValueError, match="weights would take 1 bytes, and the whole file has 1"):
        budget.take("weights", 1)


def test_texts_of_a_file_are_shown_short_and_printable():
    assert shown("conv1") == "conv1"
    assert shown("a\n\ud800") == "a\\n\\ud800"
    assert len(shown("x" * 10**6)) < 100


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (KeyError("a"), "w.npz is broken: it has no 'a'."),
        (EOFError(), "w.npz is broken: it ends early."),
        (RuntimeError("two\nlines."), "w.npz is broken: two lines."),
        (MemoryError(), "w.npz takes more memory than there is: close other programs."),
        (OSError(5, "Input/output error"), "w.npz cannot be read (Input/output error): check the file and its disk."),
        (InputError("width 0 must be positive."), "w.npz: width 0 must be positive."),
        (InputError("w.npz is of another network."), "w.npz is of another network."),
    ],
)
def test_whatever_is_raised_becomes_one_sentence(raised, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.npz").touch()
    with pytest.raises(InputError) as error, reading((tmp_path / "w.npz").relative_to(tmp_path), "is broken"):
        raise raised
    assert str(error.value) == message


def test_files_that_cannot_be_opened_are_named(tmp_path):
    for name in ("w.npz", "n" * 300):
        with pytest.raises(InputError, match=r"There is no weight file|cannot be read"):
            check_file(tmp_path / name, "weight file", "give another")
    (tmp_path / "failing.npz").symlink_to("/proc/self/mem")
    with pytest.raises(InputError, match=r"failing.npz cannot be read \(Input/output error\)"):
        weights.read(tmp_path / "failing.npz")
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(InputError, match=r"There is no weight file .*pipe.npz"):
        weights.read(tmp_path / "pipe.npz")
    with pytest.raises(InputError, match="home folder of an unknown user"):
        weights.read("~nobody-of-this-name/w.npz")


def test_a_member_never_unpacks_to_more_than_its_directory_says(tmp_path):
    path, size = tmp_path / "w.zip", 2**20 + 17
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(size))
    path.write_bytes(path.read_bytes().replace(size.to_bytes(4, "little"), (100).to_bytes(4, "little")))
    with zipfile.ZipFile(path) as archive, pytest.raises(zipfile.BadZipFile):
        content(archive, members(path, archive)["a"])


@pytest.mark.parametrize(("method", "twice"), [(zipfile.ZIP_BZIP2, False), (zipfile.ZIP_LZMA, False), (0, True)])
def test_directories_that_no_weight_file_has(method, twice, tmp_path):
    with zipfile.ZipFile(tmp_path / "w.zip", "w", method) as archive:
        archive.writestr("a", b"x")
        if twice:
            with pytest.warns(UserWarning, match="Duplicate name"):
                archive.writestr("a", b"y")
    with (
        zipfile.ZipFile(tmp_path / "w.zip") as archive,
        pytest.raises(ValueError, match="twice" if twice else "compressed in a way"),
    ):
        members(tmp_path / "w.zip", archive)


def test_variables_take_memory_only_if_the_block_ends_well():
    with pytest.raises(ValueError, match="total size of the tensor"), unallocated():  # after a layer of 4 TB
        keras.Sequential([keras.Input((10**6,)), keras.layers.Dense(10**6), keras.layers.Reshape((7,))])
    with pytest.raises(ValueError, match="would take memory before its file is read"), unallocated():
        keras.Sequential([keras.Input((10**9,)), keras.layers.Normalization()])  # looks at its weights of 4 GB
    with unallocated():
        model = keras.Sequential([keras.Input((3,)), keras.layers.Normalization(), keras.layers.Dense(2)])
    assert model.get_weights()[-2].shape == (3, 2)


def test_a_network_built_with_weights_is_the_one_that_takes_them(rng):
    """Delayed allocation gives the same values as assignment to an allocated network."""
    source = keras_resnet.ResNet20(blocks=(1, 2), filters=(2, 4), unroll=False, input_shape=(8, 8, 3))
    built = keras_resnet.build(source.spec, weights=weights.from_model(source), input_shape=(8, 8, 3))
    assert all(np.array_equal(a, b) for a, b in zip(source.get_weights(), built.get_weights(), strict=True))
    images = rng.normal(size=(2, 8, 8, 3)).astype("float32")
    np.testing.assert_array_equal(source(images), built(images))


@pytest.mark.parametrize(
    ("shape", "options", "words"),
    [
        ((2**40,), {"chunks": (2**20,), "compression": "gzip"}, "kernel:0 would take 4,398,046,511,104 bytes"),
        ((16,), {"chunks": (16,), "compression": "gzip"}, "decompresses to more than its 64 bytes per chunk"),
        ((16,), {"chunks": (16,), "compression": "lzf"}, "compressed in a way that weights are not"),
    ],
)
def test_hdf5_data_of_more_than_the_file_holds(shape, options, words, tmp_path):
    import zlib

    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.attrs["layer_names"] = [b"conv1_conv"]
        data = file.create_group("conv1_conv").create_dataset("kernel:0", shape, "<f4", **options)
        if "64 bytes" in words:
            data.id.write_direct_chunk((0,), zlib.compress(bytes(10**6)))
    with pytest.raises(InputError, match=f"w.h5 is damaged or not a Keras weight file: .*{words}"):
        weights.read(tmp_path / "w.h5")


@pytest.mark.parametrize("shape", [(10**12,), (2**32, 2**32), (-1,)])
def test_npz_headers_of_other_numbers_than_follow(shape, tmp_path):
    text = str({"descr": "<f4", "fortran_order": False, "shape": shape}).encode()
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
    with pytest.raises(InputError, match=r"w.npz is damaged or not a .npz file of arrays: a.npy is .* by its header"):
        weights.read(tmp_path / "w.npz")
