"""PyTorch files written operation by operation, in ways that no program writes them."""

import struct
import zipfile

import numpy as np

MAGIC, PROTOCOL = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", b"\x80\x02M\xe9\x03."


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value) if abs(value) < 2**31 else f"L{value}L\n".encode()


def sequence(values) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def dictionary(items: dict) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in items.items()) + b"u"


def storage(key: str, size: int, kind: str = "FloatStorage") -> bytes:
    return b"(" + text("storage") + f"ctorch\n{kind}\n".encode() + text(key) + text("cpu") + number(size) + b"tQ"


def tensor(key: str, size: int, shape, strides, offset: int = 0, kind: str = "FloatStorage") -> bytes:
    where = storage(key, size, kind) + number(offset) + sequence(shape) + sequence(strides)
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + where + b"\x89NtR"


def write(path, content: bytes, storages: dict[str, np.ndarray] | None = None, packed=zipfile.ZIP_STORED) -> None:
    """A zip file, or for ``.th`` one of the older layout, of ``content``, a pickle without its frame."""
    storages = storages or {}
    if path.suffix == ".th":
        keys = b"\x80\x02](" + b"".join(map(text, storages)) + b"e."
        blocks = (struct.pack("<q", storage.size) + storage.tobytes() for storage in storages.values())
        path.write_bytes(MAGIC + PROTOCOL + b"\x80\x02}.\x80\x02" + content + b"." + keys + b"".join(blocks))
        return
    with zipfile.ZipFile(path, "w", packed) as archive:
        archive.writestr("a/data.pkl", b"\x80\x02" + content + b".")
        for key, storage in storages.items():
            archive.writestr(f"a/data/{key}", storage.tobytes())


def state(arrays: dict[str, np.ndarray], kind: str = "FloatStorage") -> tuple[bytes, dict[str, np.ndarray]]:
    """The pickle of a state dict, and its storages."""
    tensors = {
        name: tensor(str(i), a.size, a.shape, [s // a.itemsize for s in a.strides], kind=kind)
        for i, (name, a) in enumerate(arrays.items())
    }
    return dictionary(tensors), {str(i): a for i, a in enumerate(arrays.values())}


def laughs(levels: int, tuples: bool = False) -> bytes:
    """Lists or tuples nested ``levels`` deep, each with ten copies of the one inside."""
    body = b"]q\x000" if not tuples else b")q\x000"
    for i in range(levels):
        ten = (b"h" + bytes([i])) * 10
        made = b"(" + ten + b"tq" + bytes([i + 1]) if tuples else b"]q" + bytes([i + 1]) + b"(" + ten + b"e"
        body += made + b"0"
    return body + b"h" + bytes([levels])


def _keyed(body: bytes) -> bytes:
    return b"}" + body + b"K\x01s"


FLOATS = {"0": np.zeros(4, np.float32)}
PICKLES = {  # entries of the dictionary of weights, and storages
    **{f"laughs of {n} levels": dictionary({"conv1.weight": laughs(n)}) for n in (5, 9, 30, 90)},
    **{f"laughs of {n} levels as a key": _keyed(laughs(n, tuples=True)) for n in (9, 40)},
    **{f"a tuple {n} deep as a key": _keyed(b")" + b"\x85" * n) for n in (100, 5_000, 100_000, 1_000_000)},
    **{f"lists {n} deep": dictionary({"a": b"]" * n + b"a" * (n - 1)}) for n in (100, 100_000, 1_000_000)},
    **{f"a dictionary {n} deep": b"}" + (text("a") + b"}") * n + b"s" * n for n in (60, 50_000)},
    "a list in itself": dictionary({"a": b"]q\x00h\x00a"}),
    "a dictionary in itself": b"}q\x00" + text("a") + b"h\x00s",
    **{f"{n} x {n} by strides of 0": dictionary({"a": tensor("0", 4, (n, n), (0, 0))}) for n in (3, 9_000, 40_000)},
    "one number 2**59 times": dictionary({"a": tensor("0", 4, (2**59,), (0,))}),
    "no numbers, 2**70 times": dictionary({"a": tensor("0", 4, (2**70, 0), (1, 1))}),
    "40 dimensions": dictionary({"a": tensor("0", 4, (1,) * 40, (1,) * 40)}),
    "3,000 tensors of one storage": dictionary({f"a{i}": tensor("0", 4, (4,), (1,)) for i in range(3000)}),
    "a negative stride": dictionary({"a": tensor("0", 4, (2,), (-1,), 3)}),
    "a negative offset": dictionary({"a": tensor("0", 4, (2,), (1,), -2)}),
    "an offset beyond": dictionary({"a": tensor("0", 4, (2,), (1,), 3)}),
    "strides of another number": dictionary({"a": tensor("0", 4, (2, 2), (1,))}),
    **{f"a storage of 2**{n}": dictionary({"a": tensor("0", 2**n, (2**n,), (1,))}) for n in (28, 40, 62, 100)},
    "a storage that is not there": dictionary({"a": tensor("7", 4, (4,), (1,))}),
    "a storage of no type": dictionary({"a": tensor("0", 4, (4,), (1,), kind="NoStorage")}),
    "a storage named by nested tuples": b"(" + text("storage") + b"ctorch\nFloatStorage\n"
    + b")" + b"\x85" * 100_000 + text("cpu") + b"K\x04tQ",
    "a storage of a nested type": b"(" + text("storage") + b")" + b"\x85" * 100_000
    + text("0") + text("cpu") + b"K\x04tQ",
    **{f"memo index 2**{n}": b"}r" + struct.pack("<I", 2**n) for n in (20, 27, 29, 31)},
    "memo index of 4,000 digits": b"}p" + b"9" * 4000 + b"\n",
    "a memo that is not there": b"h\x63",
    **{f"{n} bytes that do not follow": b"\x8e" + struct.pack("<Q", n) for n in (2**20, 2**31, 2**40, 2**62)},
    **{f"an integer of {n} bytes": b"\x8b" + struct.pack("<i", n) + b"\x7f" * n for n in (100, 2_000_000)},
    "an integer of 5,000 digits": dictionary({"a": b"L" + b"7" * 5000 + b"L\n"}),
    "1,000,000 empty lists": b"(" + b"]" * 1_000_000 + b"l",
    "1,500,000 marks": b"(" * 1_500_000,
    "numbers that hash alike": b"}(" + b"".join(number(i * (2**61 - 1)) + b"N" for i in range(60_000)) + b"u",
    "items for a list": b"](" + text("a") + b"K\x01u",
    "an odd number of items": b"}(" + text("a") + b"u",
    "attributes of a function": b"ctorch._utils\n_rebuild_tensor_v2\n}" + text("__doc__") + text("changed") + b"sb",
    **{
        f"the global {name}": dictionary({"a": b"c" + name.replace(" ", "\n").encode() + b"\n(" + text("true") + b"tR"})
        for name in ("os system", "posix mkdir", "builtins eval", "builtins getattr", "torch load", "a" * 5000 + " b")
    },
    "an object of a class": b"ccollections\nOrderedDict\n)\x81",
    "an extension": b"\x82\x01",
    "a set": dictionary({"a": b"\x8f(K\x01\x90"}),
    "nothing": b"N",
    "a list of weights": b"](" + tensor("0", 4, (4,), (1,)) + b"e",
    "a number for a weight": dictionary({"conv1.weight": b"K\x01"}),
    "a number as a key": b"}K\x01" + tensor("0", 4, (4,), (1,)) + b"s",
    "a key of 100,000 letters": dictionary({"a" * 100_000: tensor("0", 4, (4,), (1,))}),
    "a key of half a character": b"}X\x03\x00\x00\x00\xed\xa0\x80" + tensor("0", 4, (4,), (1,)) + b"s",
    "a key with escapes": dictionary({"\x1b[2J\n\x00": tensor("0", 4, (4,), (1,))}),
    "a stage of 5,000 digits": dictionary({f"layer{'9' * 5000}.0.conv1.weight": tensor("0", 4, (4,), (1,))}),
    "a stack that is empty": b"0000",
}  # fmt: skip


def pickled(folder, value, suffix: str) -> None:
    write(folder / f"w{suffix}", PICKLES[value], FLOATS)


def packed(folder, value, suffix: str) -> None:
    """A zip file whose members unpack to much more, or whose compression has no known bound."""
    size, method = value
    content, _ = state({"conv1.weight": np.zeros(4, np.float32)})
    with zipfile.ZipFile(folder / f"w{suffix}", "w", getattr(zipfile, f"ZIP_{method}")) as archive:
        if size < 0:
            archive.writestr("a/data.pkl", b"\x80\x02" + b"]0" * -size)
            return
        archive.writestr("a/data.pkl", b"\x80\x02" + content.replace(number(4), number(size // 4)) + b".")
        with archive.open("a/data/0", "w") as member:
            for _ in range(size // 2**20):
                member.write(bytes(2**20))


PACKED = [(2**29, "DEFLATED"), (-(2**24), "DEFLATED"), *((2**26, method) for method in ("DEFLATED", "BZIP2", "LZMA"))]
