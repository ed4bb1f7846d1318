"""Which files below a folder are photos, and of which class; what is left out, and why; which photos are copies."""

import contextlib
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_resnet.data.cache import cache_folder, store, stored
from keras_resnet.data.reading import FilePath, list_folder
from keras_resnet.data.splits import DATA_FORMS, LeftOut, fingerprint_of
from keras_resnet.errors import InputError
from keras_resnet.files import MARKER, sha256_of

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".avif")
RAW_SUFFIXES = (".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".orf", ".rw2")
SYSTEM_FILES = (".ds_store", "thumbs.db", "desktop.ini", "__macosx")
ENDS = 4096  # bytes from each end of a file by which copies are recognised
KEYS = [("path", "S"), ("size", "i8"), ("modified", "i8"), ("key", "u8")]


@dataclass(frozen=True)
class ClassFolders:
    """The photos of a folder of class folders.

    Fields:
        folder: it.
        paths: of the photos of each class below ``folder``, bytes, in order; a class without photos is none.
        left_out: all other files, and class folders without photos.
    """

    folder: Path
    paths: dict[str, np.ndarray]
    left_out: tuple[LeftOut, ...]


def class_folders(folder: Path) -> ClassFolders:
    """What lies in ``folder/<class>/`` and in folders below; nothing but names is looked at.

    Raises:
        InputError: it is missing or cannot be read, no class has photos, or the name of one cannot be printed.
    """
    paths: dict[str, np.ndarray] = {}
    left_out: list[LeftOut] = []
    loose: list[str] = []
    for name, is_folder in list_folder(folder):
        if not is_folder or is_hidden(name):
            loose.append(name)
            continue
        if not name.isprintable():  # also bytes that are no UTF-8, which Python turns into surrogates
            raise InputError(f"The class folder {name!r} in {folder} has a name that cannot be printed: rename it.")
        below = [MARKER] if _is_of_a_run(folder / name) else files_below(folder / name)
        photos, others = sorted_out(os.path.join(name, path) for path in below)
        left_out += others
        if photos:
            paths[name] = np.array([os.fsencode(path) for path in photos])
        else:
            left_out.append(LeftOut("class folders without photos", 1, name))
    if not paths:
        raise InputError(f"{folder} has no class folders with photos in them: --data takes {DATA_FORMS}.")
    photos, others = sorted_out(loose)
    if photos:
        left_out.append(LeftOut("photos in no class folder", len(photos), photos[0]))
    return ClassFolders(folder, paths, joined([*left_out, *others]))


def is_image(name: str) -> bool:
    """Whether a file's name is that of a photo in a format that is read."""
    return why_not(name) is None


def why_not(name: str) -> str | None:
    """What a file is that is no photo by its name, in words, in the plural; None for a photo's name."""
    lower = name.lower()
    suffix = os.path.splitext(lower)[1]
    if name == MARKER:
        return "folders of runs, whose pictures are no photos"
    if lower.startswith("._"):
        return "macOS companion files"
    if is_hidden(name):
        return "hidden files and folders"
    if suffix in IMAGE_SUFFIXES:
        return None
    if suffix in (".heic", ".heif"):
        return "HEIC photos, which are not read (convert them to JPEG)"
    if suffix in RAW_SUFFIXES:
        return "camera raw files, which are not read (convert them to JPEG)"
    return f"{suffix} files, which are no photos" if suffix else "files without a suffix, which are no photos"


def is_hidden(name: str) -> bool:
    """Whether a file or folder is the system's own, by its name."""
    return name.startswith(".") or name.lower() in SYSTEM_FILES


def files_below(folder: Path) -> Iterator[str]:
    """The paths below ``folder`` of all files in it and in its folders, in order; a folder in it is gone into once.

    Of the folder of a run, which the default is where the current folder has the photos, it gives the marker alone.

    Raises:
        InputError: a folder is missing or cannot be read.
    """
    seen = {os.path.realpath(folder)}

    def walk(directory: str) -> Iterator[str]:
        full = os.path.join(folder, directory)
        for name, is_folder in list_folder(full):
            path = os.path.join(directory, name)
            if not is_folder or is_hidden(name):
                yield path
            else:
                real = os.path.realpath(os.path.join(folder, path))
                if _is_of_a_run(real):
                    yield os.path.join(path, MARKER)
                    continue
                if real not in seen:  # a link back would be gone through without end
                    seen.add(real)
                    yield from walk(path)

    return walk("")


def _is_of_a_run(folder: FilePath) -> bool:
    return os.path.isfile(os.path.join(folder, MARKER))


def photos_at(place: Path) -> list[Path]:
    """``place`` itself or, if it is a folder, the photos in it and below, by name; numbers in names count as numbers.

    Raises:
        InputError: the folder cannot be read.
    """
    if not os.path.isdir(place):
        return [place]
    return sorted((place / path for path in sorted_out(files_below(place))[0]), key=_with_numbers)


def _with_numbers(path: Path) -> list[tuple[str, int]]:
    """Alternately texts and numbers, so that ``frame9`` comes before ``frame10``."""
    return [(text, int(number or 0)) for text, number in re.findall(r"(\D*)(\d*)", str(path))]


def sorted_out(paths: Iterable[str]) -> tuple[list[str], tuple[LeftOut, ...]]:
    """Those of ``paths`` that are photos by their names, and the others by what they are."""
    photos: list[str] = []
    others: dict[str, list[str]] = {}
    for path in paths:
        reason = why_not(os.path.basename(path))
        if reason is None:
            photos.append(path)
        else:
            others.setdefault(reason, []).append(path)
    return photos, tuple(LeftOut(reason, len(files), files[0]) for reason, files in others.items())


def joined(parts: Iterable[LeftOut]) -> tuple[LeftOut, ...]:
    """What is left out for the same reason as one."""
    by_reason: dict[str, LeftOut] = {}
    for part in parts:
        before = by_reason.get(part.reason)
        by_reason[part.reason] = part if before is None else LeftOut(
            part.reason, before.count + part.count, before.example, part.bad
        )  # fmt: skip
    return tuple(by_reason.values())


def content_keys(folder: Path, files: np.ndarray) -> np.ndarray:
    """A number for what each photo file holds, uint64 ``[photos]``, the same for copies wherever they lie.

    It is taken of the file's size and of 4 KiB from each of its ends, so that a million large files are soon read. It
    is kept, and only new or changed files are read again.

    Args:
        folder: under which the paths are.
        files: rows of :func:`keras_resnet.data.scan.images_in`.
    """
    kept = cache_folder() / "contents" / f"{fingerprint_of([str(folder.resolve())])}.npy"
    known = _read_keys(kept)
    keys, fresh = np.zeros(len(files), np.uint64), np.ones(len(files), bool)
    if len(known) and len(files):
        places = np.minimum(np.searchsorted(known["path"], files["path"]), len(known) - 1)
        before = known[places]
        fresh = ~np.all([before[field] == files[field] for field in ("path", "size", "modified")], axis=0)
        keys[~fresh] = before["key"][~fresh]
    if fresh.any():
        paths = (os.path.join(folder, os.fsdecode(path)) for path in files["path"][fresh])
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            read = list(threads.map(_key, paths))
        keys[fresh] = [key for key, _ in read]
        whole = np.ones(len(files), bool)
        whole[fresh] = [is_whole for _, is_whole in read]
        _keep_keys(kept, known, files[whole], keys[whole])
    return keys


def content_of(path: str) -> str:
    """SHA-256 of a whole file, by which two of one key are known to be copies; its path for one that is lost."""
    try:
        return sha256_of(Path(path))
    except OSError:
        return path


def _key(path: str) -> tuple[int, bool]:
    """The key of a file, and whether it could be read; if not, the key is its path's."""
    digest, is_whole = hashlib.sha256(), True
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            digest.update(f"{size}\0".encode() + file.read(ENDS))
            file.seek(max(file.tell(), size - ENDS))
            digest.update(file.read(ENDS))
    except OSError:  # it was lost since the scan: what reads it next says so
        digest.update(os.fsencode(path))
        is_whole = False
    return int.from_bytes(digest.digest()[:8], "little"), is_whole


def _read_keys(kept: Path) -> np.ndarray:
    known = stored(kept)
    return known if known is not None and known.dtype.names == tuple(name for name, _ in KEYS) else np.zeros(0)


def _keep_keys(kept: Path, known: np.ndarray, files: np.ndarray, keys: np.ndarray) -> None:
    """A cache that fails only costs time."""
    rows = np.empty(len(files), [("path", files["path"].dtype), *KEYS[1:]])
    for name, _ in KEYS:
        rows[name] = keys if name == "key" else files[name]
    if len(known):
        rows = np.concatenate([rows, known[~np.isin(known["path"], files["path"])]])
    with contextlib.suppress(OSError):
        store(kept, np.sort(rows, order="path"))
