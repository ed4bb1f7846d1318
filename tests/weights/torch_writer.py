"""Writes PyTorch's two file layouts without torch, as documented by its own reader."""

import collections
import pickle
import sys
import types
import zipfile

import numpy as np

from keras_resnet.weights.torch_file import MAGIC_NUMBER, PROTOCOL_VERSION

STORAGES = {"float32": "FloatStorage", "bfloat16": "BFloat16Storage"}


class _Storage:
    def __init__(self, key, array):
        self.key, self.array = key, array


class _Tensor:
    def __init__(self, storage, shape, strides, offset=0):
        self.arguments = (storage, offset, shape, strides, False, collections.OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


def _modules():
    """Stand-ins that pickle finds under torch's names while writing."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2(*_):
        raise AssertionError("only named in the file")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    for name in STORAGES.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    torch._utils = utils
    return {"torch": torch, "torch._utils": utils}


def write_torch(path, content, monkeypatch, legacy, offset=0):
    """Write ``content``, arrays anywhere in dicts and lists, of bfloat16 or as float32, in the legacy or zip layout."""
    for name, module in _modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    storages = []

    def wrap(value):
        if isinstance(value, np.ndarray):
            dtype = value.dtype if value.dtype.name in STORAGES else "<f4"
            storages.append(_Storage(str(len(storages)), np.array(value, dtype, order="C")))
            strides = tuple(s // storages[-1].array.itemsize for s in storages[-1].array.strides)
            return _Tensor(storages[-1], value.shape, strides, offset)
        if isinstance(value, dict):
            return type(value)((k, wrap(v)) for k, v in value.items())
        return value

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            if isinstance(obj, _Storage):
                view = (None,) if legacy else ()
                kind = getattr(sys.modules["torch"], STORAGES[obj.array.dtype.name])
                return ("storage", kind, obj.key, "cpu", obj.array.size, *view)
            return None

    content = wrap(content)
    with open(path, "wb") as file:
        if legacy:
            for header in (MAGIC_NUMBER, PROTOCOL_VERSION, {"little_endian": True, "protocol_version": 1001}):
                pickle.dump(header, file, protocol=2)
            Pickler(file, protocol=2).dump(content)
            pickle.dump([storage.key for storage in storages], file, protocol=2)
            for storage in storages:
                file.write(storage.array.size.to_bytes(8, "little") + storage.array.tobytes())
            return
        with zipfile.ZipFile(file, "w") as archive:
            with archive.open("archive/data.pkl", "w") as pickled:
                Pickler(pickled, protocol=2).dump(content)
            for storage in storages:
                archive.writestr(f"archive/data/{storage.key}", storage.array.tobytes())
