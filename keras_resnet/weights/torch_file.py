"""Tensors from PyTorch's files, in the older and the zip layout, without torch and without running code in the file.

``torch.load(weights_only=True)`` is no alternative even where torch is installed, because it refuses code but bounds
nothing. It hashes any key, so a tuple nested a million deep crashes the interpreter; it returns cyclic lists; and it
returns tensors of four numbers whose strides of 0 make them 6 GB large once they are copied.
"""

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import ml_dtypes  # a part of Keras and TensorFlow
import numpy as np

from keras_resnet.weights.file_bounds import NESTED, PICKLED, content, members, reading, shown

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001
MAX_SHARED = 4  # tensors that may share each number of a storage: tied weights, or one network under two keys
MAX_DIMENSIONS = 16  # of a tensor
MAX_INTEGER = 2**60  # below it, no two integer keys of a dictionary have the same hash
DTYPES: dict[str, Any] = {
    "BFloat16Storage": ml_dtypes.bfloat16,
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
    """One block of numbers. In the older layout, ``data`` follows the tensors that use it.

    Fields:
        dtype, size: type and count of the numbers.
        data: the numbers, once they are read.
        covered: how many numbers the tensors have that use it.
    """

    dtype: np.dtype
    size: int
    data: np.ndarray | None = None
    covered: int = 0


class Tensor:
    """A view into a storage; the arguments, from a file, are checked so that it stays within the storage.

    Args:
        storage: the :class:`Storage`.
        offset: index of the first number.
        shape: the tensor's shape.
        strides: steps between neighbours along each axis, in numbers.
    """

    def __init__(self, storage: Any, offset: Any, shape: Any, strides: Any, *_: Any):
        if not isinstance(storage, Storage):
            raise pickle.UnpicklingError("a tensor without a storage")
        shape, strides = tuple(shape), tuple(strides)
        sizes = (offset, *shape, *strides)
        if len(shape) != len(strides) or len(shape) > MAX_DIMENSIONS or not all(map(_is_size, sizes)):
            raise pickle.UnpicklingError("a tensor with an invalid shape")
        count, last = math.prod(shape), offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
        storage.covered += count
        if count and (last >= storage.size or storage.covered > MAX_SHARED * storage.size or count > storage.size):
            raise pickle.UnpicklingError("a tensor that reaches beyond its data")
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def array(self) -> np.ndarray:
        """A copy of the numbers."""
        data = self.storage.data
        if data is None:
            raise pickle.UnpicklingError("a tensor without its data")
        steps = [step * data.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(data[self.offset :], self.shape, steps).copy()


def _is_size(value) -> bool:
    return type(value) is int and 0 <= value < MAX_INTEGER


def _set_items(target, pairs) -> None:
    """``dict.update`` for keys that are fast to hash."""
    if not isinstance(target, dict):
        raise pickle.UnpicklingError("items for something that is not a dictionary")
    for key, value in pairs:
        if not (isinstance(key, str) or (type(key) is int and abs(key) < MAX_INTEGER)):
            raise pickle.UnpicklingError("a key that is neither text nor a number")
        target[key] = value


def _ordered(items=()) -> OrderedDict:
    dictionary: OrderedDict = OrderedDict()
    _set_items(dictionary, items)
    return dictionary


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
OPERATIONS = tuple(_OPCODES.split())  # all operations in files of state dicts and optimizers


class _Unpickler(pickle._Unpickler):
    """Admits containers and tensors; every other global in the file is refused before it is looked up.

    This is Python's unpickler in pure Python, whose memo is a dictionary: a large index takes no memory.
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
        tag, storage_type, key, _location, size, *view = saved_id
        if not all(isinstance(text, str) for text in (tag, storage_type)) or not isinstance(key, (str, int)):
            raise pickle.UnpicklingError("it holds a storage without a name")
        if tag != "storage" or storage_type not in DTYPES or (view and view[0] is not None) or not _is_size(size):
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
        """Set nothing on any object: the attributes that torch saves are not tensors."""
        self.stack.pop()

    dispatch: ClassVar[dict] = {
        code: pickle._Unpickler.dispatch[code] for code in (getattr(pickle, name)[0] for name in OPERATIONS)
    }
    dispatch[pickle.SETITEM[0]], dispatch[pickle.SETITEMS[0]] = load_setitem, load_setitems
    dispatch[pickle.DICT[0]], dispatch[pickle.BUILD[0]] = load_dict, load_build

    def load(self):
        try:
            return super().load()
        except KeyError as error:  # from the dispatch table or the memo
            raise pickle.UnpicklingError(f"it holds {error}, an operation or memo that no weights need") from error


def read_torch_file(path: Path) -> object:
    """The object in a ``.th``, ``.pth`` or ``.pt`` file, with tensors as NumPy arrays.

    Raises:
        InputError: the file is damaged, not a PyTorch file, or asks for anything but tensors and containers.
    """
    with reading(path, "is not a readable PyTorch weight file"):
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
        value = _Unpickler(pickled, storages).load()
        keys = _Unpickler(pickled, storages).load()
        file.seek(pickled.tell())
        for key in keys:
            storage = storages[key]
            size = int.from_bytes(file.read(8), "little")
            if size * storage.dtype.itemsize > path.stat().st_size:
                raise pickle.UnpicklingError("it ends early")
            storage.data = _numbers(file.read(size * storage.dtype.itemsize), storage, size)
    return value


def _read_zip(path):
    with zipfile.ZipFile(path) as archive:
        directory = members(path, archive)
        (pickled,) = [name for name in directory if name.rsplit("/", 1)[-1] == "data.pkl"]
        root = pickled[: -len("data.pkl")]
        storages: dict[str, Storage] = {}
        value = _Unpickler(io.BytesIO(content(archive, directory[pickled], PICKLED)), storages).load()
        for key, storage in storages.items():
            storage.data = _numbers(content(archive, directory[f"{root}data/{key}"]), storage, storage.size)
    return value


def _numbers(raw: bytes, storage: Storage, size: int) -> np.ndarray:
    if len(raw) != size * storage.dtype.itemsize or size != storage.size:
        raise pickle.UnpicklingError("it ends early")
    return np.frombuffer(raw, storage.dtype)


def _arrays(value, converted: dict[int, object], depth: int):
    """``value`` with arrays instead of tensors, to the given ``depth`` of containers.

    ``converted`` holds the results by the object's id, because an object may occur several times.
    """
    if not isinstance(value, (Tensor, dict, list, tuple)):
        return value
    if not depth:
        raise pickle.UnpicklingError(f"it holds containers nested more than {NESTED} deep")
    if id(value) not in converted:
        if isinstance(value, Tensor):
            converted[id(value)] = value.array()
        elif isinstance(value, dict):
            converted[id(value)] = {key: _arrays(item, converted, depth - 1) for key, item in value.items()}
        else:
            converted[id(value)] = [_arrays(item, converted, depth - 1) for item in value]
    return converted[id(value)]
