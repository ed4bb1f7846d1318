"""The first bytes of weight files, by which files of other content are refused before Keras is loaded."""

import zipfile
from collections.abc import Callable
from pathlib import Path

from keras_resnet.errors import InputError
from keras_resnet.weights.file_bounds import suffix_of

HDF5 = b"\x89HDF\r\n\x1a\n"
PICKLE = b"\x80"  # the operation that begins the older of PyTorch's formats


def check_first_bytes(path: Path) -> None:
    """Raise :class:`InputError` unless the file ``path`` has a known suffix and begins as files of that suffix do.

    What follows is checked when the file is read.
    """
    begins, kind = KINDS[suffix_of(path, KINDS)]
    if not begins(path):
        raise InputError(f"{path.name} is damaged or not {kind}: copy or save it again.")


def _hdf5(path: Path) -> bool:
    """Whether HDF5's signature is at the beginning, or at one of the places behind a block of other programs."""
    size, place = path.stat().st_size, 0
    with open(path, "rb") as file:
        while place < size:
            file.seek(place)
            if file.read(len(HDF5)) == HDF5:
                return True
            place = max(512, 2 * place)
    return False


def _safetensors(path: Path) -> bool:
    """Whether the first eight bytes are the length of a JSON object that follows."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        return length <= path.stat().st_size - 8 and file.read(1) == b"{"


def _torch(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(1) == PICKLE or zipfile.is_zipfile(file)


KINDS: dict[str, tuple[Callable[[Path], bool], str]] = {
    ".keras": (zipfile.is_zipfile, "a .keras file"),
    ".h5": (_hdf5, "a Keras weight file"),  # and .weights.h5
    ".safetensors": (_safetensors, "a safetensors file"),
    ".npz": (zipfile.is_zipfile, "a .npz file of arrays"),
    **dict.fromkeys((".th", ".pth", ".pt"), (_torch, "a PyTorch weight file")),
}
