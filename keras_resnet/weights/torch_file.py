"""Tensors from PyTorch's files, older and zip layout, without torch and without running what the file brings.

``torch.load(weights_only=True)`` is no way out where torch is installed: it keeps code out and bounds nothing. It
hashes any key, so a tuple nested a million deep ends the interpreter; it returns lists within lists that are never
walked to their end, and tensors of four numbers whose strides of 0 make 6 GB of them once they are copied.
"""

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from keras_resnet.weights.file_bounds import NESTED, PICKLED, content, members, reading, shown

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001
SHARED = 4  # times that tensors may cover each number of a storage: tied weights, or one network under two keys
DIMENSIONS = 16  # of a tensor
LARGEST = 2**60  # any integer: of less than this, no two keys of a dictionary have the same hash
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
    covered: int = 0


class Tensor:
    """A view into a storage, of no more numbers than that has."""

    def __init__(self, storage, offset, shape, strides, *_):
        if not isinstance(storage, Storage):
            raise pickle.UnpicklingError("a tensor without a storage")
        shape, strides = tuple(shape), tuple(strides)
        if len(shape) != len(strides) or len(shape) > DIMENSIONS or not all(map(_is_size, (offset, *shape, *strides))):
            raise pickle.UnpicklingError("a tensor of no shape")
        count, last = math.prod(shape), offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
        storage.covered += count
        if count and (last >= storage.size or storage.covered > SHARED * storage.size or count > storage.size):
            raise pickle.UnpicklingError("a tensor that reaches beyond its data")
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def array(self) -> np.ndarray:
        data = self.storage.data
        if data is None:
            raise pickle.UnpicklingError("a tensor without its data")
        steps = [step * data.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(data[self.offset :], self.shape, steps).copy()


def _is_size(value) -> bool:
    return type(value) is int and 0 <= value < LARGEST


def _set_items(target, pairs) -> None:
    """``dict.update`` for keys of which none takes long to hash."""
    if not isinstance(target, dict):
        raise pickle.UnpicklingError("items for something that is no dictionary")
    for key, value in pairs:
        if not (isinstance(key, str) or (type(key) is int and abs(key) < LARGEST)):
            raise pickle.UnpicklingError("a key that is neither text nor a number")
        target[key] = value


def _ordered(items=()) -> OrderedDict:
    made: OrderedDict = OrderedDict()
    _set_items(made, items)
    return made


ADMITTED = {
    ("collections", "OrderedDict"): _ordered,
    ("torch._utils", "_rebuild_tensor"): Tensor,
    ("torch._utils", "_rebuild_tensor_v2"): Tensor,
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
    **{("torch", name): name for name in DTYPES},
}
_OPCODES = """
    PROTO FRAME STOP MARK POP POP_MARK MEMOIZE PUT BINPUT LONG_BINPUT GET BINGET LONG_BINGET
    NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 FLOAT BINFLOAT
    UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8 STRING BINSTRING SHORT_BINSTRING
    BINBYTES SHORT_BINBYTES BINBYTES8 EMPTY_LIST LIST APPEND APPENDS EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3
    EMPTY_DICT DICT SETITEM SETITEMS GLOBAL STACK_GLOBAL REDUCE BUILD BINPERSID
"""
OPERATIONS = tuple(_OPCODES.split())  # all that state dicts and optimizers are written with


class _Unpickler(pickle._Unpickler):
    """Admits containers and tensors; every other global in the file is refused before it is looked up.

    Python's own unpickler in Python, whose memo is a dictionary: an index costs nothing, however large it is.
    """

    def __init__(self, file: io.BytesIO, storages: dict[str, Storage]):
        super().__init__(file, encoding="utf-8")
        self.storages = storages

    def find_class(self, module, name):
        if (module, name) not in ADMITTED:
            raise pickle.UnpicklingError(
                f"it asks for {shown(module)}.{shown(name)}, which is neither a tensor nor a container"
            )
        return ADMITTED[module, name]

    def persistent_load(self, saved_id):
        kind, storage_type, key, _location, size, *view = saved_id
        if not all(isinstance(text, str) for text in (kind, storage_type)) or not isinstance(key, (str, int)):
            raise pickle.UnpicklingError("it holds a storage without a name")
        if kind != "storage" or storage_type not in DTYPES or (view and view[0] is not None) or not _is_size(size):
            raise pickle.UnpicklingError(f"it holds an unknown kind of storage, {shown(storage_type)}")
        return self.storages.setdefault(str(key), Storage(np.dtype(DTYPES[storage_type]), size))

    def load_setitem(self):
        value, key = self.stack.pop(), self.stack.pop()
        _set_items(self.stack[-1], [(key, value)])

    def load_setitems(self):
        items = self.pop_mark()
        _set_items(self.stack[-1], zip(items[::2], items[1::2], strict=True))

    def load_dict(self):
        items = self.pop_mark()
        self.append(_ordered(zip(items[::2], items[1::2], strict=True)))

    def load_build(self):
        """Nothing is set on any object: what torch keeps there is no tensor."""
        self.stack.pop()

    dispatch: ClassVar[dict] = {
        code: pickle._Unpickler.dispatch[code] for code in (getattr(pickle, name)[0] for name in OPERATIONS)
    }
    dispatch[pickle.SETITEM[0]], dispatch[pickle.SETITEMS[0]] = load_setitem, load_setitems
    dispatch[pickle.DICT[0]], dispatch[pickle.BUILD[0]] = load_dict, load_build

    def load(self):
        try:
            return super().load()
        except KeyError as error:  # of the dispatch table, or of the memo
            raise pickle.UnpicklingError(f"it holds {error}, an operation or memo that no weights need") from error


def read_torch_file(path: Path):
    """The object in a ``.th`` or ``.pth`` file, its tensors as NumPy arrays.

    Raises:
        InputError: the file is damaged, no PyTorch file, or asks for anything but tensors and containers.
    """
    with reading(path, "is no readable PyTorch weight file"):
        read = _read_zip if zipfile.is_zipfile(path) else _read_legacy
        return _arrays(read(path), {}, NESTED)


def _read_legacy(path):
    with open(path, "rb") as file:
        storages: dict[str, Storage] = {}
        pickled = io.BytesIO(file.read(PICKLED))
        for expected in (MAGIC_NUMBER, PROTOCOL_VERSION):
            if _Unpickler(pickled, storages).load() != expected:
                raise pickle.UnpicklingError("it lacks PyTorch's header")
        system = _Unpickler(pickled, storages).load()
        if not system.get("little_endian", True):
            raise pickle.UnpicklingError("its numbers are big-endian")
        found = _Unpickler(pickled, storages).load()
        keys = _Unpickler(pickled, storages).load()
        file.seek(pickled.tell())
        for key in keys:
            storage = storages[key]
            size = int.from_bytes(file.read(8), "little")
            if size * storage.dtype.itemsize > path.stat().st_size:
                raise pickle.UnpicklingError("it ends early")
            storage.data = _numbers(file.read(size * storage.dtype.itemsize), storage, size)
    return found


def _read_zip(path):
    with zipfile.ZipFile(path) as archive:
        directory = members(path, archive)
        (pickled,) = [name for name in directory if name.rsplit("/", 1)[-1] == "data.pkl"]
        root = pickled[: -len("data.pkl")]
        storages: dict[str, Storage] = {}
        found = _Unpickler(io.BytesIO(content(archive, directory[pickled], PICKLED)), storages).load()
        for key, storage in storages.items():
            storage.data = _numbers(content(archive, directory[f"{root}data/{key}"]), storage, storage.size)
    return found


def _numbers(raw: bytes, storage: Storage, size: int) -> np.ndarray:
    if len(raw) != size * storage.dtype.itemsize or size != storage.size:
        raise pickle.UnpicklingError("it ends early")
    return np.frombuffer(raw, storage.dtype)


def _arrays(value, done: dict[int, object], deeper: int):
    """``value`` with tensors replaced by arrays, each object once, as several may hold the same."""
    if not isinstance(value, (Tensor, dict, list, tuple)):
        return value
    if not deeper:
        raise pickle.UnpicklingError(f"it holds containers nested more than {NESTED} deep")
    if id(value) not in done:
        if isinstance(value, Tensor):
            done[id(value)] = value.array()
        elif isinstance(value, dict):
            done[id(value)] = {key: _arrays(each, done, deeper - 1) for key, each in value.items()}
        else:
            done[id(value)] = [_arrays(each, done, deeper - 1) for each in value]
    return done[id(value)]
