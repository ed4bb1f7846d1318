"""What a run computed from its data when it began, so that a continued run has the same preprocessing and images."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from keras_resnet.data import ArraySplit, Split, mean_image, principal_colours
from keras_resnet.data.augment import Colours
from keras_resnet.errors import InputError
from keras_resnet.files import save_array, write_whole
from keras_resnet.training.files.agreement import goes_on
from keras_resnet.training.files.workdir import FIRST_COLOURS, FIRST_IMAGES, FIRST_MEAN
from keras_resnet.training.strategy import choose_strategy
from keras_resnet.training.workers import is_chief

MAX_CHANGE = 1.0  # of the mean of an image, of 255 levels: more than another version of a decoder makes


def first_mean(workdir: Path, train: Split, size: int) -> np.ndarray:
    """The mean image that the run in ``workdir`` began with, float32 ``[size, size, 3]``.

    Photos that are lost later neither change it nor are needed for it. ``workdir`` must be locked by this process.
    """
    return _first(workdir / FIRST_MEAN, (size, size, 3), lambda: mean_image(train, size))


def first_colours(workdir: Path, train: Split, size: int) -> Colours:
    """The principal colours that the run in ``workdir`` began with, see :func:`first_mean`."""

    def compute():
        colours = principal_colours(train, size)
        return np.array([colours.values, *colours.vectors])

    values, *vectors = map(tuple, _first(workdir / FIRST_COLOURS, (4, 3), compute).tolist())
    return Colours(values, tuple(vectors))


def check_first_images(workdir: Path, parts: Sequence[ArraySplit]) -> None:
    """Raise :class:`InputError` if ``parts`` are not the images, in order, that the run in ``workdir`` began with.

    They are compared by part, label and mean, which do not depend on the machine. ``workdir`` must be locked by this
    process.
    """
    columns = [
        (np.full(len(part), number), part.labels, part.images.mean(axis=(1, 2, 3))) for number, part in enumerate(parts)
    ]
    now = np.concatenate([np.stack(of_part, axis=1) for of_part in columns]).astype(np.float32)
    first = _first(workdir / FIRST_IMAGES, (None, 3), lambda: now)
    if len(first) != len(now) or (np.abs(first - now) > (0, 0, MAX_CHANGE)).any():
        counts = f"{len(first):,} images then, {len(now):,} now"
        raise InputError(
            f"The data of the run in {workdir} are not those with which it began ({counts}, of other labels, contents "
            "or order): give the earlier data, or another --workdir."
        )


def _first(path: Path, shape: tuple[int | None, ...], compute: Callable[[], np.ndarray]) -> np.ndarray:
    """The array in ``path``; a run that does not go on, or is of an earlier version, stores ``compute()``."""
    first = _read(path, shape) if goes_on(path.parent) else None
    if first is None:
        first = compute()
        if is_chief(choose_strategy()):
            write_whole(path, lambda part: save_array(part, first))
    return first


def _read(path: Path, shape: tuple[int | None, ...]) -> np.ndarray | None:
    try:
        values = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError):
        values = np.zeros(0)
    if len(values.shape) != len(shape) or any(n not in (None, m) for n, m in zip(shape, values.shape, strict=True)):
        print(f"{path} is damaged: it is made again from the present data", file=sys.stderr)
        return None
    return values
