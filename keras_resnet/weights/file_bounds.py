"""What a weight file may ask for, and what becomes of it when a library cannot read it.

A file is a stranger's: sizes that it states are compared with the bytes it has before anything of that size is made.
"""

import contextlib
import io
import json
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from keras_resnet.errors import InputError

FREE = 2**26  # bytes that what any file holds may take, however small the file is
EXPANSION = 16  # times its own size that what a larger file holds may take
TEXT = 2**24  # bytes of JSON; ResNet1202 with each layer on its own has 5 million
PICKLED = 2**21  # bytes of pickled structure; a checkpoint of ResNet152 and its optimizer has 300,000
MEAN_IMAGE = 2**24  # bytes of a mean image; one of 224 x 224 pixels has 602,112
NESTED = 50  # containers within one another
NETWORKS = 4  # times the size of its network that the weights in a model file may have: an optimizer's are there too
LAYER = 1000  # bytes of a file for each of its layers at least; a ReLU has 1,000 of configuration alone
LAYERS = 100  # layers that any file may have; and inputs of a layer that are described behind it
SHARDED = ".weights.json"  # Keras' list of files that have the weights together
SHOWN = 80  # characters of a file's own text in a message
REASON = 200  # characters of a library's message


class Budget:
    """The bytes that what is in the file ``path`` may still take."""

    def __init__(self, path: Path):
        self.size = path.stat().st_size
        self.left = max(FREE, EXPANSION * self.size)

    def take(self, what: str, count: int) -> None:
        """Count ``count`` bytes of ``what``; raises ValueError where they are more than the file may ask for."""
        if count > self.left:
            raise ValueError(f"{shown(what)} would take {count:,} bytes, and the whole file has {self.size:,}")
        self.left -= count


def shown(text) -> str:
    """Text of a file as a message can show it: printable and short."""
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text)[: SHOWN + 1])
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


@contextlib.contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Whatever is raised while the file ``path`` is read becomes an :class:`InputError`: it ``what``, and why."""
    try:
        yield
    except InputError as error:
        if path.name in str(error):
            raise
        raise InputError(f"{path.name}: {error}") from error
    except MemoryError as error:
        raise InputError(f"{path.name} takes more memory than there is: close other programs.") from error
    except Exception as error:  # libraries say in many ways that bytes are not what they should be
        if isinstance(error, OSError) and error.strerror:
            raise InputError(f"{path} cannot be read ({error.strerror}): check the file and its disk.") from error
        reason = " ".join(str(error).split()) or "it ends early"
        reason = f"it has no {reason}" if isinstance(error, KeyError) else reason
        reason = "".join(c if c.isprintable() else repr(c)[1:-1] for c in reason[:REASON]).rstrip(".")
        raise InputError(f"{path.name} {what}: {reason}.") from error


def expanded(path) -> Path:
    """``path`` with ``~`` as the folder it stands for."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise InputError(
            f"{shown(path)} begins with the folder of a user who is not known: give the whole path."
        ) from error


def check_file(path: Path, what: str, way_out: str) -> None:
    """Raise :class:`InputError` unless ``path`` is a file that can be opened and read from."""
    try:
        if not path.is_file():
            raise InputError(f"There is no {what} {path}: {way_out}.")
        with open(path, "rb") as file:
            file.read(1)
    except OSError as error:
        named = shown(path) if len(path.name) > SHOWN else path
        raise InputError(f"{named} cannot be read ({error.strerror}): check the file and its permissions.") from error


def members(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The directory of a zip file by name; raises ValueError for one that no weight file has."""
    budget, found = Budget(path), {}
    for info in archive.infolist():
        if info.filename in found:
            raise ValueError(f"it holds {shown(info.filename)} twice")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # the others unpack without a limit
            raise ValueError(f"{shown(info.filename)} is compressed in a way that weight files are not")
        budget.take(info.filename, info.file_size)
        found[info.filename] = info
    return found


def content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int | None = None) -> bytes:
    """A member of a zip file, of at most ``most`` bytes; never more than its directory says, whatever unpacks."""
    if most is not None and info.file_size > most:
        raise ValueError(f"{shown(info.filename)} has {info.file_size:,} bytes, more than the {most:,} there can be")
    with archive.open(info) as member:
        data = member.read(info.file_size)
    if len(data) != info.file_size:
        raise ValueError(f"{shown(info.filename)} ends early")
    return data


def npy_array(data: bytes, name: str) -> np.ndarray:
    """The array in a ``.npy`` file, whose header must not speak of other numbers than follow it."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, _, dtype = header[version](file)
    if math.prod(shape) * dtype.itemsize != len(data) - file.tell() or dtype.hasobject:
        raise ValueError(f"{shown(name)} is {shape} {shown(dtype)} by its header, and {len(data):,} bytes")
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


def parse_json(text: str | bytes) -> dict:
    """The object in a JSON text; raises ValueError for a text that is too long or something else."""
    if len(text) > TEXT:
        raise ValueError(f"its description has {len(text):,} bytes, more than the {TEXT:,} there can be")
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("its description is no JSON object")
    return found


@contextlib.contextmanager
def unallocated() -> Iterator[None]:
    """Variables made within take memory when the block ends; after an error they never do.

    Raises:
        ValueError: layers look at values of more than ``FREE`` bytes while they are built, as Keras' Normalization.
    """
    import keras
    from keras.src.backend.common import global_state

    class Scope(keras.StatelessScope):
        looked_at = 0

        def get_current_value(self, variable):
            self.looked_at += 4 * math.prod(variable.shape)
            if self.looked_at > FREE:
                raise ValueError(f"{shown(variable.path)} would take memory before its file is read")
            return super().get_current_value(variable)

    with Scope(initialize_variables=False):
        try:
            yield
        except BaseException:
            global_state.set_global_attribute("uninitialized_variables", [])
            raise
    with keras.StatelessScope():  # the end of one initializes what waits
        pass


@contextlib.contextmanager
def unchanged_on_error(model) -> Iterator[None]:
    """Whatever ends the block early leaves the weights of ``model`` as they were before it."""
    before = [(variable, variable.numpy()) for variable in model.weights]
    try:
        yield
    except BaseException:
        for variable, value in before:
            variable.assign(value)
        raise


def suffix_of(path: Path, known) -> str:
    """Which of ``known`` suffixes the file has; raises :class:`InputError` listing them."""
    for suffix in known:
        if path.name.endswith(suffix):
            return suffix
    if path.name.endswith(SHARDED):
        raise InputError(
            f"{path} lists weights that Keras has spread over several files: save them in one, with "
            "model.save_weights('NAME.weights.h5')."
        )
    raise InputError(f"{path} is no weight file that can be read or written: its name must end in {', '.join(known)}.")
