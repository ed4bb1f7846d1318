"""A run's folder: its settings, its checkpoints and its result, each written whole or not at all."""

import errno
import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.evaluation import class_report
from keras_resnet.files import (
    MARKER,
    is_own_file,
    object_or_none,
    read_object,
    remedy,
    set_aside,
    sync,
    unfinished,
    write_whole,
)
from keras_resnet.network import Network
from keras_resnet.training.files.agreement import (
    CHECKPOINTS,
    MAX_VALUE,
    MAY_CHANGE,
    RESULT,
    SETTINGS,
    check_agreement,
    differing,
    goes_on,
)
from keras_resnet.training.files.checkpoints import CheckpointFolder, assign_model, assign_values, model_values
from keras_resnet.training.files.metrics_file import SPLITS, Metrics, read_metrics
from keras_resnet.training.files.ownership import LOCK, RUN, check_owned, mark
from keras_resnet.training.state import State
from keras_resnet.training.stepping.step import Step

METRICS, BEST, LAST, CURVES = "metrics.csv", "best.keras", "last.keras", "curves.png"
PHOTOS = {part: f"photos-{part}.npz" for part in ("train", "validation", "test")}  # written by photo_lists
FIRST_MEAN, FIRST_COLOURS, FIRST_IMAGES = "mean.npy", "colours.npy", "images.npy"  # written by first_values
MISTAKES, BOXES = "mistakes.png", "boxes.jpg"
PRECISION_PNG, MISSED_JPG, FALSE_JPG = "precision-recall.png", "missed.jpg", "false.jpg"  # of a detector
PICTURES = (MISTAKES, BOXES, PRECISION_PNG, MISSED_JPG, FALSE_JPG)
TRACKING, CARD = "tracking.json", "README.md"  # written by display/tracking and tools/model_card
LEARNED_BOXES = "proposals.json"  # whose boxes an R-CNN learns from, written by localization/stages
FILES = (
    *(MARKER, SETTINGS, METRICS, RESULT, BEST, LAST, CURVES, *PICTURES, TRACKING, CARD, LEARNED_BOXES),
    *(*class_report.FILES, *PHOTOS.values(), FIRST_MEAN, FIRST_COLOURS, FIRST_IMAGES),
)
EVENTS = SPLITS  # TensorBoard's folders
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


def read_result(folder: Path) -> dict | None:
    """The ``result.json`` of a finished run; None if it is missing or damaged."""
    result = object_or_none(folder / RESULT)
    return result if result is not None and isinstance(result.get("settings"), dict) else None


def read_settings(folder: Path) -> dict:
    """The settings of the run in ``folder``; raises :class:`InputError` if there are none."""
    try:
        return read_object(folder / SETTINGS)
    except (OSError, ValueError) as error:
        saved = (CheckpointFolder(folder / CHECKPOINTS).about_run() or {}).get("settings")
        if saved is None:
            raise InputError(
                f"{folder} is not the folder of a run: its {SETTINGS} cannot be read ({error!s:.200})."
            ) from error
        return saved


def has_begun(folder: Path) -> bool:
    """Whether the run in ``folder`` has trained: before it has, its settings bind nobody, and nothing of it is lost.

    Without its checkpoints it starts again all the same (see :func:`goes_on`), with the photos that are there then.
    """
    if goes_on(folder) or any((folder / name).exists() for name in (RESULT, BEST)):
        return True
    return any(row["split"] == "validation" for row in read_metrics(folder / METRICS))


def begun_settings(folder: Path) -> dict | None:
    """The settings of the run in ``folder``; None if it has not begun, or they are lost."""
    try:
        return read_settings(folder) if has_begun(folder) else None
    except InputError:
        return None


def is_unmarked_run(folder: Path) -> bool:
    """Whether a folder without a marker holds a run of an early version: an undamaged checkpoint or a result."""
    begun = CheckpointFolder(folder / CHECKPOINTS).about_run() is not None or read_result(folder) is not None
    return begun and (folder / SETTINGS).exists()


class Workdir:
    """``settings.json``, ``metrics.csv``, ``checkpoints/``, ``best.keras``, ``last.keras`` and ``result.json``.

    A marker shows that the folder belongs to this package. Only files with these names are written or removed in it,
    and anything unusable in the place of one is renamed.

    Args:
        path: the folder: new, empty, or that of a run.
        settings: the run's settings as plain values.
        defaults: the default of each setting, for those that an earlier version did not know.
        growing: settings that may be larger than before, which lengthens the run.
        chief: whether this worker writes; the others only read checkpoints.
        together: calls a function, and fails on all workers if it fails on one.

    Attributes:
        grown: the earlier, smaller values by name, if the run is lengthened.
        metrics: the points of its curves.

    Raises:
        InputError: the folder cannot be written, is in use by another process, or holds a run of other settings or
            something else.
    """

    def __init__(
        self,
        path: Path,
        settings: dict,
        defaults: dict | None = None,
        growing: tuple[str, ...] = (),
        chief: bool = True,
        together: Callable[[Callable[[], Any]], Any] = lambda work: work(),
    ):
        self.path, self.settings, self.chief, self.together = Path(path), settings, chief, together
        self.defaults, self.growing = defaults or {}, growing
        self.grown: dict[str, float] = {}
        self.checkpoints = CheckpointFolder(self.path / CHECKPOINTS, settings.get("keep_every"))
        self.metrics = Metrics(self.path / METRICS)
        self._locked: Any = None  # the open file
        try:
            together(self._take if chief else lambda: None)
        except BaseException:
            self.close()
            raise

    def _take(self) -> None:
        """Create the folder, or check that it is this run's, and lock it."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            check_owned(self.path, RUN, is_unmarked_run)
            self._lock()
            mark(self.path, RUN)
            for part in unfinished(self.path, FILES):  # left by a killed process
                part.unlink()
            for name in (*FILES, CHECKPOINTS, *EVENTS):
                place, is_right = self.path / name, Path.is_file if name in FILES else Path.is_dir
                if os.path.lexists(place) and not is_right(place):
                    set_aside(place, f"it is not a {'file' if name in FILES else 'folder'}")
            self.checkpoints.prepare()
            self._agree()
            self.write_json(SETTINGS, self.settings)
        except OSError as error:
            raise InputError(
                f"The workdir {self.path} cannot be written ({error.strerror}): choose another --workdir."
            ) from error

    def _lock(self):
        place = self.path / LOCK
        if os.path.lexists(place) and not is_own_file(place):
            raise InputError(f"{place} is not a lock file of this package: remove it.")
        self._locked = open(place, "a")  # noqa: SIM115  the system releases it when the process ends
        try:
            fcntl.flock(self._locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"{self.path} is in use by another process: wait for it, stop it, or give another --workdir."
            ) from error
        except OSError as error:
            if error.errno in NO_LOCKS:
                raise InputError(
                    f"{self.path} is on a file system without locks ({error.strerror}), which a run needs to keep a "
                    "second process out: give a --workdir on another one."
                ) from error
            raise

    def close(self) -> None:
        """Release the folder for other processes."""
        if self._locked is not None:
            self._locked.close()

    def _agree(self) -> None:
        """Check that the run in the folder, if one has begun, has these settings."""
        if not has_begun(self.path):  # nothing is lost: at most a step 0 of other settings
            self.checkpoints.clear()
            return
        before = self._earlier_settings()
        changed = {} if before is None else differing(before, self.settings, self.defaults)
        check_agreement(self.path, changed, self.growing)
        self.grown = {key: old for key, (old, _) in changed.items()}
        for key, value in self.settings.items():
            unknown = before is not None and key not in before and self.defaults.get(key) is None
            if unknown and value is not None and key not in MAY_CHANGE:
                print(f"{self.path} began in a version without {key}: it now has {value!s:.{MAX_VALUE}}", flush=True)
        if not goes_on(self.path):
            print(f"{self.checkpoints.path} has no checkpoint of a later step: starting again at step 0", flush=True)

    def _earlier_settings(self) -> dict | None:
        """The settings of the run in the folder, preferably from its newest checkpoint; a damaged file is renamed."""
        saved = (self.checkpoints.about_run() or {}).get("settings")
        in_file, place = None, self.path / SETTINGS
        try:
            in_file = read_object(place)
            if saved and differing(self._fixed(in_file), self._fixed(saved), self.defaults):
                raise ValueError("it does not match the checkpoints")
            if self.settings and not in_file.keys() & self.settings.keys():
                raise ValueError("it has no setting of a run")
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            set_aside(place, f"{error!s:.200}")
            in_file = None
        return saved or in_file or (read_result(self.path) or {}).get("settings")

    def _fixed(self, settings: dict) -> dict:
        """The ``settings`` without those that may grow."""
        return {key: value for key, value in settings.items() if key not in self.growing}

    def _check_present(self) -> None:
        """Raise :class:`InputError` if the folder or its lock was deleted or moved while the run went on."""
        place = self.path / LOCK
        if place.exists() and os.path.samestat(place.stat(), os.fstat(self._locked.fileno())):
            return
        if self.path.exists():
            raise InputError(
                f"{place} was removed while the run went on, so that another process may write there too: run the "
                "same command again, which continues from the last checkpoint."
            )
        raise InputError(
            f"{self.path} was deleted or moved while the run went on, with its checkpoints: put it back to continue "
            "from the last one; without it the same command starts at step 0."
        )

    def write(self, name: str, write: Callable[[Path], object]) -> None:
        """Write the file ``name`` whole, by ``write(path)`` on a temporary path; only the chief does.

        Raises:
            InputError: it cannot be written.
        """
        if self.chief:
            self.writing(name, lambda: write_whole(self.path / name, write))

    def writing(self, name: str, work: Callable[[], object]) -> None:
        """Call ``work``, which writes to ``name``; raises :class:`InputError` if it fails or the folder is gone."""
        self._check_present()
        try:
            work()
        except OSError as error:
            raise InputError(
                f"{self.path / name} cannot be written ({error.strerror}); the checkpoints are intact: "
                f"{remedy(error)}, then run the same command again."
            ) from error

    def write_json(self, name: str, content: dict) -> None:
        """Write ``content`` as ``name``."""
        self.write(name, lambda path: path.write_text(json.dumps(content, indent=2) + "\n"))

    def save_checkpoint(self, model: Step, state: State) -> None:
        """Save everything that a continued run needs; all workers must call this."""
        arrays = model_values(model)

        def save():
            self._check_present()
            if self.metrics.path.is_file():
                sync(self.metrics.path)
            self.checkpoints.save(arrays, asdict(state), self.settings, self.metrics.last())

        self.together(save if self.chief else lambda: None)

    def restore(self, model: Step) -> tuple[State, dict[str, np.ndarray]] | None:
        """Load the newest undamaged checkpoint into the compiled ``model``.

        Returns:
            Its state, and the values for :meth:`restore_metrics`; None if there are no checkpoints.
        """
        newest = self.together(self.checkpoints.newest)
        if newest is None:
            return None
        arrays, state = newest
        metric_values = assign_model(model, arrays)
        model.bad_step.assign(-1)
        return State(**state), metric_values

    def restore_rows(self, step: int, columns: tuple[str, ...]) -> None:
        """Restore the curves to ``step``, that of the restored checkpoint, or 0 without one."""
        if self.chief:
            saved = self.checkpoints.rows(step) if step in self.checkpoints.steps() else []
            self.writing(METRICS, lambda: self.metrics.go_back(step, columns, saved))

    def add_row(self, row: dict) -> None:
        """Append a point of the curves."""
        if self.chief:
            self.writing(METRICS, lambda: self.metrics.add(row))
        else:
            self.metrics.rows.append(row)

    def restore_metrics(self, model: Step, values: dict[str, np.ndarray]) -> None:
        """Restore the metrics to their values in the middle of a window."""
        assign_values(model.metric_variables(), values)

    def save_model(self, name: str, network: Network) -> None:
        """Save the network alone, without optimizer, as the ``.keras`` file ``name``; all workers must call this."""
        self.together(lambda: self.write(name, network.save))
