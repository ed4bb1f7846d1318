"""Bounds on the memory that a weight file may take, and messages for files that cannot be read.

Files are not trusted: sizes that a file states are compared with its own size before any memory is allocated.
"""

import contextlib
import io
import json
import math
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_resnet.errors import InputError

if TYPE_CHECKING:
    import keras

FREE = 2**26  # bytes that the contents of any file may take in memory, however small the file is
EXPANSION = 16  # the contents of a larger file may take this many times the file's size
TEXT = 2**24  # bytes of JSON; an unrolled ResNet1202 has 5 million
PICKLED = 2**21  # bytes of pickled structure; a checkpoint of ResNet152 and its optimizer has 300,000
MEAN_IMAGE = 2**24  # bytes of a mean image; one of 224 x 224 pixels has 602,112
NESTED = 50  # depth of nested containers
NETWORKS = 4  # weights in a model file may have this many times the network's size: an optimizer's are among them
LAYER = 1000  # a file has at least this many bytes for each of its layers; a ReLU's configuration alone has 1,000
LAYERS = 100  # number of layers that any file may have, and of layers that may come before their inputs
SHARDED = ".weights.json"  # Keras' index of weights that are spread over several files
MAX_TEXT = 80  # characters of a file's own text in a message
MAX_REASON = 200  # characters of a library's message


class Budget:
    """The bytes that the contents of the file ``path`` may still take in memory."""

    def __init__(self, path: Path):
        self.size = path.stat().st_size
        self.left = max(FREE, EXPANSION * self.size)

    def take(self, what: str, count: int) -> None:
        """Subtract ``count`` bytes for ``what``; raises ValueError if that is more than the file may still take."""
        if count > self.left:
            raise ValueError(f"{shown(what)} would take {count:,} bytes, and the whole file has {self.size:,}")
        self.left -= count


def shown(value: object) -> str:
    """Text from a file, made printable and short for a message."""
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value)[: MAX_TEXT + 1])
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}..."


@contextlib.contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Turn any error while the file ``path`` is read into an :class:`InputError`.

    The message names the file, continues with ``what``, such as "is damaged", and ends with the reason.
    """
    try:
        yield
    except InputError as error:
        if path.name in str(error):
            raise
        raise InputError(f"{path.name}: {error}") from error
    except MemoryError as error:
        raise InputError(f"{path.name} takes more memory than there is: close other programs.") from error
    except Exception as error:  # libraries raise many types for damaged files
        if isinstance(error, OSError) and error.strerror:
            raise InputError(f"{path} cannot be read ({error.strerror}): check the file and its disk.") from error
        reason = " ".join(str(error).split()) or "it ends early"
        reason = f"it has no {reason}" if isinstance(error, KeyError) else reason
        reason = "".join(c if c.isprintable() else repr(c)[1:-1] for c in reason[:MAX_REASON]).rstrip(".")
        raise InputError(f"{path.name} {what}: {reason}.") from error


def expanded(path: str | Path) -> Path:
    """``path`` with ``~`` replaced by the home folder."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(
            f"{shown(path)} begins with the home folder of an unknown user: give the whole path."
        ) from error


def check_file(path: Path, what: str, way_out: str) -> None:
    """Raise :class:`InputError` unless ``path`` is a file that can be opened and read.

    The message for a missing file calls it ``what`` and ends with ``way_out``.
    """
    try:
        if not path.is_file():
            raise InputError(f"There is no {what} {path}: {way_out}.")
        with open(path, "rb") as file:
            file.read(1)
    except OSError as error:
        named = shown(path) if len(path.name) > MAX_TEXT else path
        raise InputError(f"{named} cannot be read ({error.strerror}): check the file and its permissions.") from error


def members(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The members of a zip file by name; raises ValueError if they are not those of a weight file."""
    budget = Budget(path)
    directory: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        if info.filename in directory:
            raise ValueError(f"it holds {shown(info.filename)} twice")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others decompress without a limit
            raise ValueError(f"{shown(info.filename)} is compressed in a way that weight files are not")
        budget.take(info.filename, info.file_size)
        directory[info.filename] = info
    return directory


def content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, max_bytes: int | None = None) -> bytes:
    """A member of a zip file; raises ValueError if it has more than ``max_bytes`` or not the size in ``info``."""
    if max_bytes is not None and info.file_size > max_bytes:
        raise ValueError(f"{shown(info.filename)} has {info.file_size:,} bytes, more than the {max_bytes:,} allowed")
    with archive.open(info) as member:
        data = member.read(info.file_size)
    if len(data) != info.file_size:
        raise ValueError(f"{shown(info.filename)} ends early")
    return data


def npy_array(data: bytes, name: str) -> np.ndarray:
    """The array in a ``.npy`` file; raises ValueError if its header does not match the bytes that follow."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, _, dtype = header[version](file)
    if math.prod(shape) * dtype.itemsize != len(data) - file.tell() or dtype.hasobject:
        raise ValueError(f"{shown(name)} is {shape} {shown(dtype)} by its header, and {len(data):,} bytes")
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


def npz_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a ``.npz`` file by name; raises :class:`InputError` if it is damaged or too large in memory."""
    with reading(path, "is damaged or not a .npz file of arrays"), zipfile.ZipFile(path) as archive:
        files = members(path, archive)
        return {name.removesuffix(".npy"): npy_array(content(archive, info), name) for name, info in files.items()}


def parse_json(text: str | bytes) -> dict:
    """The object in a JSON text; raises ValueError if the text is too long or is not an object."""
    if len(text) > TEXT:
        raise ValueError(f"its description has {len(text):,} bytes, more than the {TEXT:,} allowed")
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("its description is not a JSON object")
    return value


@contextlib.contextmanager
def unallocated() -> Iterator[None]:
    """Delay the allocation of variables that are created within the block to its end; after an error there is none.

    Raises:
        ValueError: layers read more than ``FREE`` bytes of values while they are built, as Keras' Normalization does.
    """
    import keras
    from keras.src.backend.common import global_state

    class Scope(keras.StatelessScope):
        bytes_read = 0

        def get_current_value(self, variable):
            self.bytes_read += 4 * math.prod(variable.shape)
            if self.bytes_read > FREE:
                raise ValueError(f"{shown(variable.path)} would take memory before its file is read")
            return super().get_current_value(variable)

    with Scope(initialize_variables=False):
        try:
            yield
        except BaseException:
            global_state.set_global_attribute("uninitialized_variables", [])
            raise
    with keras.StatelessScope():  # its end initializes the delayed variables
        pass


@contextlib.contextmanager
def unchanged_on_error(model: "keras.Model") -> Iterator[None]:
    """Restore the weights of ``model`` if an error ends the block."""
    before = [(variable, variable.numpy()) for variable in model.weights]
    try:
        yield
    except BaseException:
        for variable, value in before:
            variable.assign(value)
        raise


def suffix_of(path: Path, known: Iterable[str]) -> str:
    """The one of the ``known`` suffixes with which the path ends; raises :class:`InputError`, which lists them."""
    for suffix in known:
        if path.name.endswith(suffix):
            return suffix
    if path.name.endswith(SHARDED):
        raise InputError(
            f"{path} lists weights that Keras has spread over several files: save them in one file, with "
            "model.save_weights('NAME.weights.h5')."
        )
    raise InputError(f"{path} is not a file of weights in a known format: its name must end in {', '.join(known)}.")
