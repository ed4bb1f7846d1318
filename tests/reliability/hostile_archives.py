"""``.npz``, HDF5 and ``.keras`` files that demand more memory than their contents justify."""

import io
import json
import struct
import zipfile

import h5py
import numpy as np

import keras_resnet
from keras_resnet import weights

HUGE = 10**12


def tiny(**options):
    """A network with two classes, a few hundred weights and known preprocessing."""
    model = keras_resnet.ResNet20(blocks=(1, 1), filters=(2, 4), input_shape=(8, 8, 3), classes=2, **options)
    model.preprocessing = weights.TORCH
    return model


def header(shape, dtype="<f4", text: str | None = None, version: int = 1) -> bytes:
    """The beginning of a ``.npy`` file."""
    text = text or str({"descr": dtype, "fortran_order": False, "shape": shape})
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode()


NPY = {  # the bytes of one array's member
    **{f"{n} numbers in none": header((n,)) for n in (10**6, 10**9, HUGE, 2**62, 10**30)},
    "sizes whose product is 0 in 64 bits": header((2**32, 2**32)),
    "a negative size": header((-1, 4)) + bytes(16),
    "a size of text": header(("4",)) + bytes(16),
    "a size of a fraction": header((4.0,)) + bytes(16),
    "1,000 dimensions": header((1,) * 1000) + bytes(4),
    "a header of 60,000 letters": header((4,), text="{" + " " * 60_000 + "}"),
    "a header of 10**9 letters": b"\x93NUMPY\x02\x00" + struct.pack("<I", 10**9) + b"{",
    "a deep header": header((), text="(" * 5_000),
    "a header that calls": header((), text="{'descr': exit(), 'fortran_order': False, 'shape': ()}"),
    "objects": header((1,), "|O") + b"\x80\x04K\x01.",
    "version 9": b"\x93NUMPY\x09\x00" + bytes(64),
    "no array": b"hello",
    **{f"type {t}": header((4,), t) + bytes(64) for t in ("<U4", "|S4", "<M8[s]", "<c8", "|V4", "|b1", "<f2")},
    "a struct": header((2,), [("a", "<f4"), ("b", "<i4")]) + bytes(16),
    "items of 2**31 bytes": header((1,), f"|V{2**31 - 1}"),
}  # fmt: skip


def npy(folder, value, suffix: str) -> None:
    with zipfile.ZipFile(folder / "w.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conv1_conv/kernel.npy", NPY[value])


def npz_bomb(folder, value, suffix: str) -> None:
    """Several members of zeros, each of which unpacks to megabytes."""
    members, size = value
    with zipfile.ZipFile(folder / "w.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(members):
            archive.writestr(f"conv{i}_conv/kernel.npy", header((size // 4,)) + bytes(size))


NPZ_BOMBS = [(1, 2**20), (1, 2**27), (1, 2**29), (40, 2**23)]


def lying(folder, suffix: str, member: str, inner: bytes) -> None:
    """An archive whose directory claims 100 bytes for a member that unpacks to ``inner``."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, inner)
        archive.writestr("config.json" if suffix == ".keras" else "b.npy", b"{}")
    content = buffer.getvalue().replace(struct.pack("<I", len(inner)), struct.pack("<I", 100))
    (folder / f"w{suffix}").write_bytes(content)


def liar(folder, value, suffix: str) -> None:
    lying(folder, suffix, "model.weights.h5" if suffix == ".keras" else "a.npy", header((value // 4,)) + bytes(value))


def _set(file, name: str = "kernel:0"):
    file.attrs["layer_names"] = [b"conv1_conv"]
    group = file.require_group("conv1_conv")
    group.attrs["weight_names"] = [name.encode()]
    return group


def _references(file):
    group = _set(file)
    data = group.create_dataset("kernel:0", (2,), h5py.ref_dtype)
    data[0] = group.ref


def _chunk_bomb(file):
    """One chunk of 4 KiB whose compressed form has 256 MiB."""
    import zlib

    data = _set(file).create_dataset("kernel:0", (1024,), "<f4", chunks=(1024,), compression="gzip")
    data.id.write_direct_chunk((0,), zlib.compress(bytes(2**28)))


def _many_names(file):
    long = "n" * 2**20
    data = file.create_group("layers/conv2d/vars")
    data.attrs["name"] = np.array([long] * 3, dtype=h5py.string_dtype())


def _cycle(file):
    group = _set(file)
    for i in range(50):
        group[f"g{i}"] = group


HDF5 = {  # changes to an open file
    **{f"{n} numbers, none stored": lambda f, n=n: _set(f).create_dataset("kernel:0", (n,), "<f4", chunks=(2**20,))
       for n in (10**8, 10**9, HUGE)},
    "4 TiB, packed": lambda f: _set(f).create_dataset("kernel:0", (2**40,), "<f4", chunks=(2**20,), compression="gzip"),
    "4 TiB in 2 dimensions": lambda f: _set(f).create_dataset("kernel:0", (2**20, 2**20), "<f4", chunks=(64, 64)),
    "many of 64 MiB": lambda f: [_set(f).create_dataset(f"{i}:0", (2**24,), "<f4", chunks=(2**20,)) for i in range(60)],
    "a chunk of 2 GiB": lambda f: _set(f).create_dataset("kernel:0", (4,), "<f4", chunks=(2**29,), maxshape=(None,)),
    "a chunk that unpacks to 256 MiB": _chunk_bomb,
    "texts": lambda f: _set(f).create_dataset("kernel:0", data=["a", "b"]),
    "bytes": lambda f: _set(f).create_dataset("kernel:0", data=np.array([b"a", b"b"])),
    "references": _references,
    "no numbers": lambda f: _set(f).create_dataset("kernel:0", data=h5py.Empty("f4")),
    "lists of numbers": lambda f: _set(f).create_dataset("kernel:0", (2,), h5py.vlen_dtype("f4")),
    "truth values": lambda f: _set(f).create_dataset("kernel:0", data=np.ones(4, bool)),
    "complex numbers": lambda f: _set(f).create_dataset("kernel:0", data=np.ones(4, "c8")),
    "a struct": lambda f: _set(f).create_dataset("kernel:0", data=np.zeros(2, [("a", "f4"), ("b", "i4")])),
    "a group for numbers": lambda f: _set(f).create_group("kernel:0"),
    "numbers for a group": lambda f: f.create_dataset("layers", data=np.ones(3)),
    "a link elsewhere": lambda f: _set(f).__setitem__("kernel:0", h5py.ExternalLink("/etc/hostname", "/x")),
    "a soft link to itself": lambda f: _set(f).__setitem__("kernel:0", h5py.SoftLink("/conv1_conv/kernel:0")),
    "numbers of a file": lambda f: _set(f).create_dataset("kernel:0", (4,), "u1", external=[("/etc/hosts", 0, 4)]),
    "groups in themselves": _cycle,
    "three long names": _many_names,
    "a name that is a number": lambda f: f.create_group("layers/conv2d/vars").attrs.__setitem__("name", 3),
    "layers without a name": lambda f: f.create_dataset("layers/conv2d/vars/0", data=np.ones(3)),
    "a deep configuration": lambda f: f.attrs.__setitem__("model_config", "[" * 30_000),
    "a configuration of a list": lambda f: f.attrs.__setitem__("model_config", "[]"),
    "nothing": lambda f: None,
}  # fmt: skip


def hdf5(folder, value, suffix: str) -> None:
    """The HDF5 file, or one within a ``.keras`` file that describes a small network."""
    path = folder / "inner.h5"
    with h5py.File(path, "w") as file:
        HDF5[value](file)
    if suffix == ".keras":
        write_keras(folder, json.dumps(tiny_config()), path.read_bytes())
        path.unlink()
    else:
        path.rename(folder / f"w{suffix}")


def tiny_config() -> dict:
    import keras

    return keras.saving.serialize_keras_object(tiny())


def write_keras(folder, config: str, stored: bytes, **others: bytes) -> None:
    with zipfile.ZipFile(folder / "w.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", config)
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", stored)
        for name, data in others.items():
            archive.writestr(name, data)
