"""Files are what their suffixes say as far as their first bytes show, whichever program wrote them."""

import pickle
import zipfile

import h5py
import numpy as np
import pytest
import safetensors.numpy

from keras_resnet import InputError
from keras_resnet.weights.first_bytes import KINDS, check_first_bytes
from keras_resnet.weights.trained_weights import READERS


def hdf5(path, block):
    with h5py.File(path, "w", userblock_size=block) as file:
        file["kernel"] = np.zeros(3)


def archive(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("data.pkl", b"")


WRITERS = {
    "a.keras": archive,
    "a.h5": lambda path: hdf5(path, 0),
    "a.weights.h5": lambda path: hdf5(path, 2048),
    "a.safetensors": lambda path: safetensors.numpy.save_file({"kernel": np.zeros(3)}, path),
    "a.npz": lambda path: np.savez(path, kernel=np.zeros(3)),
    "a.pt": archive,
    "a.pth": lambda path: path.write_bytes(pickle.dumps({}, protocol=2)),  # as torch.save does without an archive
}


@pytest.mark.parametrize("name", WRITERS)
def test_files_of_their_kind_pass_and_others_are_named(name, tmp_path):
    path = tmp_path / name
    WRITERS[name](path)
    check_first_bytes(path)
    for content in (b"", b"no weights", bytes(range(200)) * 50):
        path.write_bytes(content)
        with pytest.raises(InputError, match=f"^{name} is damaged or not a .*: copy or save it again.$"):
            check_first_bytes(path)


def test_every_suffix_that_can_be_read_has_its_first_bytes():
    assert {suffix.removeprefix(".weights") for suffix in READERS} == set(KINDS)
