"""A run's folder: its settings, its checkpoints and its result, each written whole or not at all."""

import errno
import fcntl
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from keras_resnet.errors import InputError
from keras_resnet.evaluation import class_report
from keras_resnet.files import is_own_file, read_object, remedy, set_aside, sync, unfinished, write_whole
from keras_resnet.network import Network
from keras_resnet.training.files.checkpoints import RUNNING, CheckpointFolder, assign_model, assign_values, values_of
from keras_resnet.training.files.metrics_file import Metrics, read_metrics
from keras_resnet.training.files.ownership import LOCK, MARKER, RUN, check_owned, mark
from keras_resnet.training.state import State
from keras_resnet.training.stepping.step import Step

SETTINGS, METRICS, RESULT, BEST, LAST, CURVES = (
    *("settings.json", "metrics.csv", "result.json"),
    *("best.keras", "last.keras", "curves.png"),
)
PHOTOS = {part: f"photos-{part}.npz" for part in ("train", "validation", "test")}  # written by photo_lists
MISTAKES = "mistakes.png"
FILES = (MARKER, SETTINGS, METRICS, RESULT, BEST, LAST, CURVES, MISTAKES, *class_report.FILES, *PHOTOS.values())
CHECKPOINTS, EVENTS = "checkpoints", ("train", "validation")  # folders; EVENTS are TensorBoard's
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
SAME_RUN = ("workdir", "data_dir", "save_every", "keep_every", "profile")  # may differ when a run continues
MOST_NAMED, LONGEST = 8, 60  # settings that a sentence lists, and characters of a value


def differing(before: dict, settings: dict, defaults: dict) -> dict[str, tuple]:
    """Before and now of those of ``settings`` that are not those ``before``.

    A setting that the earlier version did not know was at its default; one whose default is None follows a preset.
    One that this version does not know has changed, unless it was None.
    """
    changed = {}
    for key, value in before.items():
        if key not in settings and key not in SAME_RUN and value is not None:
            changed[key] = (value, "unknown to this version")
    for key, value in settings.items():
        unknown = value if defaults.get(key) is None else defaults[key]
        if key not in SAME_RUN and before.get(key, unknown) != value:
            changed[key] = (before.get(key, unknown), value)
    return changed


def read_result(folder: Path) -> dict | None:
    """The ``result.json`` of a finished run; None where there is none that is whole."""
    try:
        result = read_object(folder / RESULT)
    except (OSError, ValueError):
        return None
    return result if isinstance(result.get("settings"), dict) else None


def read_settings(folder: Path) -> dict:
    """The settings of the run in ``folder``; raises InputError where there are none."""
    try:
        return read_object(folder / SETTINGS)
    except (OSError, ValueError) as error:
        kept = (CheckpointFolder(folder / CHECKPOINTS).about_run() or {}).get("settings")
        if kept is None:
            raise InputError(
                f"{folder} is no folder of a run: there is no {SETTINGS} in it that can be read ({error!s:.200})."
            ) from error
        return kept


def is_unmarked_run(folder: Path) -> bool:
    """Whether a folder without a marker holds a run of before there were any: a whole checkpoint or a result."""
    begun = CheckpointFolder(folder / CHECKPOINTS).about_run() is not None or read_result(folder) is not None
    return begun and (folder / SETTINGS).exists()


class Workdir:
    """``settings.json``, ``metrics.csv``, ``checkpoints/``, ``best.keras``, ``last.keras`` and ``result.json``.

    A marker makes the folder one of this package. In it only files of these names are written or removed, and what is
    in the place of one but cannot be used is renamed.

    Args:
        path: the folder: new, empty, or that of a run.
        settings: the run's settings, plain values.
        defaults: the defaults of settings, for those that an earlier version of the run did not know.
        growing: settings that may be larger than before: the run is lengthened.
        chief: whether this worker writes; the others only read checkpoints.
        together: calls what it is given, and fails on all workers where it fails on one.

    Attributes:
        grown: by name the smaller values of before, if the run is lengthened.
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
        """Make the folder, or see that it is this run's, and keep others out of it."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            check_owned(self.path, RUN, is_unmarked_run)
            self._lock()
            mark(self.path, RUN)
            for part in unfinished(self.path, FILES):  # of a killed process
                part.unlink()
            for name in (*FILES, CHECKPOINTS, *EVENTS):
                place, is_right = self.path / name, Path.is_file if name in FILES else Path.is_dir
                if os.path.lexists(place) and not is_right(place):
                    set_aside(place, f"it is no {'file' if name in FILES else 'folder'}")
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
            raise InputError(f"{place} is no file that keeps other processes out: remove it.")
        self._locked = open(place, "a")  # noqa: SIM115  held, and let go by the system, with the process
        try:
            fcntl.flock(self._locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"{self.path} is in use by another process: wait for it, stop it, or give another --workdir."
            ) from error
        except OSError as error:
            if error.errno in NO_LOCKS:
                raise InputError(
                    f"{self.path} is on a file system without locks ({error.strerror}), which keep a second process "
                    "out: give a --workdir on another one."
                ) from error
            raise

    def close(self) -> None:
        """Let another process of this user take the folder."""
        if self._locked is not None:
            self._locked.close()

    def _agree(self) -> None:
        """See that the run in the folder, if one has begun, is of these settings."""
        steps = self.checkpoints.steps()
        begun = any(steps) or any((self.path / name).exists() for name in (RESULT, BEST))
        begun = begun or any(row["split"] == "validation" for row in read_metrics(self.path / METRICS))
        if not begun:  # nothing is lost: step 0 alone is maybe of other settings
            self.checkpoints.clear()
            return
        before = self._settings_of_before()
        changed = {} if before is None else differing(before, self.settings, self.defaults)
        other = [key for key, (old, new) in changed.items() if key not in self.growing or not _grows(old, new)]
        if other:
            named = [
                f"{key} was {changed[key][0]!s:.{LONGEST}} and is {changed[key][1]!s:.{LONGEST}}"
                for key in other[:MOST_NAMED]
            ]
            named += [f"and {len(other) - MOST_NAMED} more"] if len(other) > MOST_NAMED else []
            raise InputError(
                f"{self.path} holds a run of other settings ({'; '.join(named)}): "
                "give those settings, or another --workdir."
            )
        self.grown = {key: old for key, (old, _) in changed.items()}
        for key, value in self.settings.items():
            unknown = before is not None and key not in before and self.defaults.get(key) is None
            if unknown and value is not None and key not in SAME_RUN:
                print(f"{self.path} began in a version without {key}: it goes on with {value!s:.{LONGEST}}", flush=True)
        if not any(steps):
            print(f"{self.checkpoints.path} has no checkpoint of a later step: starting again at step 0", flush=True)

    def _settings_of_before(self) -> dict | None:
        """Of the run in the folder, from its newest checkpoint if it has them; a damaged file of them is set aside."""
        kept = (self.checkpoints.about_run() or {}).get("settings")
        found, place = None, self.path / SETTINGS
        try:
            found = read_object(place)
            if kept and differing(self._fixed(found), self._fixed(kept), self.defaults):
                raise ValueError("it is not that of the checkpoints")
            if self.settings and not found.keys() & self.settings.keys():
                raise ValueError("it has no setting of a run")
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            set_aside(place, f"{error!s:.200}")
            found = None
        return kept or found or (read_result(self.path) or {}).get("settings")

    def _fixed(self, settings: dict) -> dict:
        """Those of ``settings`` that may not grow."""
        return {key: value for key, value in settings.items() if key not in self.growing}

    def _check_there(self) -> None:
        """Raise :class:`InputError` if the folder was deleted or moved, or its lock, while the run went on."""
        place = self.path / LOCK
        if place.exists() and os.path.samestat(place.stat(), os.fstat(self._locked.fileno())):
            return
        if self.path.exists():
            raise InputError(
                f"{place} was removed while the run went on, so that another process may write there too: run the "
                "same command again, which continues from the last checkpoint."
            )
        raise InputError(
            f"{self.path} was deleted or moved while the run went on, and its checkpoints with it: put it back to "
            "continue by the same command, which starts at step 0 without it."
        )

    def write(self, name: str, write: Callable[[Path], object]) -> None:
        """Call ``write(path)`` on a file that then becomes ``name``; only the chief does.

        Raises:
            InputError: it cannot be written.
        """
        if self.chief:
            self.writing(name, lambda: write_whole(self.path / name, write))

    def writing(self, name: str, work: Callable[[], object]) -> None:
        """Call ``work``, which writes to ``name``; raises :class:`InputError` if the folder is gone or it fails."""
        self._check_there()
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
        """Keep everything that a continued run needs; on several workers all must call it."""
        running = {f"{RUNNING}{name}": value for name, value in values_of(model.running_variables()).items()}
        arrays = values_of(model.own_variables()) | running

        def save():
            self._check_there()
            if self.metrics.path.is_file():
                sync(self.metrics.path)
            self.checkpoints.save(arrays, asdict(state), self.settings, self.metrics.last())

        self.together(save if self.chief else lambda: None)

    def restore(self, model: Step) -> tuple[State, dict] | None:
        """Load the newest whole checkpoint into the compiled ``model``; None where there is none.

        Returns its state and the values for :meth:`restore_metrics`.
        """
        found = self.together(self.checkpoints.newest)
        if found is None:
            return None
        arrays, state = found
        running = assign_model(model, arrays)
        model.bad_step.assign(-1)
        return State(**state), running

    def restore_rows(self, step: int, columns: tuple[str, ...]) -> None:
        """Put the curves back to where they were at ``step``, that of the checkpoint, or at 0 without one."""
        if self.chief:
            kept = self.checkpoints.rows(step) if step in self.checkpoints.steps() else []
            self.writing(METRICS, lambda: self.metrics.go_back(step, columns, kept))

    def add_row(self, row: dict) -> None:
        """Append a point of the curves."""
        if self.chief:
            self.writing(METRICS, lambda: self.metrics.add(row))
        else:
            self.metrics.rows.append(row)

    def restore_metrics(self, model: Step, running: dict) -> None:
        """Put the metrics back to where they were in the middle of a window."""
        assign_values(model.running_variables(), running)

    def save_model(self, name: str, network: Network) -> None:
        """Save the network, without optimizer and metrics, as ``name``, a ``.keras`` file; all workers must call it."""
        self.together(lambda: self.write(name, network.save))


def _grows(before, now) -> bool:
    return all(isinstance(value, int | float) for value in (before, now)) and now >= before
