"""Tensors from PyTorch's files, older and zip layout, without torch and without running what the file brings."""

import collections
import io
import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_resnet.errors import InputError

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001
DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


@dataclass
class Storage:
    """One block of numbers; the older layout brings ``data`` after the tensors that use it."""

    dtype: np.dtype
    size: int
    data: np.ndarray | None = None


@dataclass(frozen=True)
class Tensor:
    """A view into a storage."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> np.ndarray:
        data = self.storage.data
        whole = all(isinstance(n, int) and n >= 0 for n in (self.offset, *self.shape, *self.strides))
        if data is None or not whole or len(self.shape) != len(self.strides):
            raise pickle.UnpicklingError("a tensor without its data")
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        if 0 not in self.shape and last >= data.size:
            raise pickle.UnpicklingError("a tensor that reaches beyond its data")
        steps = [step * data.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(data[self.offset :], self.shape, steps).copy()


def _rebuild_tensor(storage, offset, shape, strides, *_):
    if not isinstance(storage, Storage):
        raise pickle.UnpicklingError("a tensor without a storage")
    return Tensor(storage, offset, tuple(shape), tuple(strides))


ADMITTED = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
    **{("torch", name): name for name in DTYPES},
}


class _Unpickler(pickle.Unpickler):
    """Admits containers and tensors; every other global in the file is refused before it is looked up."""

    def __init__(self, file, storages: dict[str, Storage]):
        super().__init__(file, encoding="utf-8")
        self.storages = storages

    def find_class(self, module, name):
        if (module, name) not in ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is neither a tensor nor a container")
        return ADMITTED[module, name]

    def persistent_load(self, saved_id):
        kind, storage_type, key, _location, size, *_view = saved_id
        if kind != "storage" or storage_type not in DTYPES or (_view and _view[0] is not None):
            raise pickle.UnpicklingError(f"it holds an unknown kind of storage, {storage_type}")
        return self.storages.setdefault(str(key), Storage(np.dtype(DTYPES[storage_type]), size))


def read_torch_file(path: Path):
    """The object in a ``.th`` or ``.pth`` file, its tensors as NumPy arrays.

    Raises:
        InputError: the file is damaged, no PyTorch file, or asks for anything but tensors and containers.
    """
    read = _read_zip if zipfile.is_zipfile(path) else _read_legacy
    try:
        return _arrays(read(path))
    except (pickle.UnpicklingError, zipfile.BadZipFile, EOFError, KeyError, IndexError, TypeError, ValueError,
            AttributeError, OverflowError, ImportError, MemoryError, RecursionError) as error:  # fmt: skip
        raise InputError(f"{path.name} is no readable PyTorch weight file: {error}.") from error


def _read_legacy(path):
    with open(path, "rb") as file:
        storages: dict[str, Storage] = {}
        for expected in (MAGIC_NUMBER, PROTOCOL_VERSION):
            if _Unpickler(file, storages).load() != expected:
                raise pickle.UnpicklingError("it lacks PyTorch's header")
        system = _Unpickler(file, storages).load()
        if not system.get("little_endian", True):
            raise pickle.UnpicklingError("its numbers are big-endian")
        content = _Unpickler(file, storages).load()
        for key in _Unpickler(file, storages).load():
            storage = storages[str(key)]
            size = int.from_bytes(file.read(8), "little")
            storage.data = _numbers(file.read(size * storage.dtype.itemsize), storage, size)
    return content


def _read_zip(path):
    with zipfile.ZipFile(path) as archive:
        (pickled,) = [name for name in archive.namelist() if name.rsplit("/", 1)[-1] == "data.pkl"]
        root = pickled[: -len("data.pkl")]
        storages: dict[str, Storage] = {}
        content = _Unpickler(io.BytesIO(archive.read(pickled)), storages).load()
        for key, storage in storages.items():
            storage.data = _numbers(archive.read(f"{root}data/{key}"), storage, storage.size)
    return content


def _numbers(raw: bytes, storage: Storage, size: int) -> np.ndarray:
    if len(raw) != size * storage.dtype.itemsize or size != storage.size:
        raise pickle.UnpicklingError("it ends early")
    return np.frombuffer(raw, storage.dtype)


def _arrays(content):
    """``content`` with tensors replaced by arrays."""
    if isinstance(content, Tensor):
        return content.array()
    if isinstance(content, dict):
        return {key: _arrays(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_arrays(value) for value in content]
    return content
