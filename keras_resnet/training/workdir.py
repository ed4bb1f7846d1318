"""A run's folder: its settings, its checkpoints and its result, each written whole or not at all."""

import errno
import fcntl
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from keras_resnet.errors import InputError
from keras_resnet.files import write_whole
from keras_resnet.network import Network
from keras_resnet.training.checkpoints import RUNNING, CheckpointFolder, assign_model, assign_values, values_of
from keras_resnet.training.state import State
from keras_resnet.training.step import Step

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
SAME_RUN = ("workdir", "data_dir", "save_every", "keep_every", "profile")  # may differ when a run continues


def differing(before: dict, settings: dict, defaults: dict) -> dict[str, tuple]:
    """Before and now of those of ``settings`` that are not those ``before``.

    A setting that the earlier version did not know was at its default; one whose default is None follows a preset.
    """
    changed = {}
    for key, value in settings.items():
        unknown = value if defaults.get(key) is None else defaults[key]
        if key not in SAME_RUN and before.get(key, unknown) != value:
            changed[key] = (before.get(key, unknown), value)
    return changed


class Workdir:
    """``settings.json``, ``metrics.csv``, ``checkpoints/``, ``best.keras``, ``last.keras`` and ``result.json``.

    Args:
        path: the folder.
        settings: the run's settings, plain values.
        defaults: the defaults of settings, for those that an earlier version of the run did not know.
        growing: settings that may be larger than before: the run is lengthened.
        chief: whether this worker writes; the others only read checkpoints.
        together: calls what it is given, and fails on all workers where it fails on one.

    Attributes:
        grown: by name the smaller values of before, if the run is lengthened.

    Raises:
        InputError: the folder cannot be written, is in use by another process, or holds a run of other settings.
    """

    def __init__(
        self,
        path: Path,
        settings: dict,
        defaults: dict | None = None,
        growing: tuple[str, ...] = (),
        chief: bool = True,
        together: Callable[[Callable], None] = lambda work: work(),
    ):
        self.path, self.chief, self.together = Path(path), chief, together
        self.defaults, self.growing, self.grown = defaults or {}, growing, {}
        self.checkpoints = CheckpointFolder(self.path / "checkpoints", settings.get("keep_every"))
        if chief:
            together(lambda: self._take(settings))
        else:
            together(lambda: None)

    def _take(self, settings: dict) -> None:
        """Make the folder, or see that it is this run's, and keep others out of it."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock()
            for unfinished in self.path.glob("part-*"):  # of a killed process
                unfinished.unlink()
            self.checkpoints.prepare()
            self.write_json("settings.json", self._agreeing(settings))
        except OSError as error:
            raise InputError(
                f"The workdir {self.path} cannot be written ({error.strerror}): choose another --workdir."
            ) from error

    def _lock(self):
        self._locked = open(self.path / "lock", "w")  # noqa: SIM115  held, and let go by the system, with the process
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
        if self.chief:
            self._locked.close()

    def _agreeing(self, settings: dict) -> dict:
        found = self.path / "settings.json"
        begun = any(self.checkpoints.steps()) or (self.path / "result.json").exists()  # else nothing is lost
        if found.exists() and begun:
            changed = differing(json.loads(found.read_text()), settings, self.defaults)
            other = [
                f"{key} was {before} and is {now}"
                for key, (before, now) in changed.items()
                if key not in self.growing or None in (before, now) or now < before
            ]
            if other:
                raise InputError(
                    f"{self.path} holds a run of other settings ({'; '.join(other)}): "
                    "give those settings, or another --workdir."
                )
            self.grown = {key: before for key, (before, _) in changed.items()}
        elif not begun and self.checkpoints.steps():  # step 0 alone, maybe of other settings
            shutil.rmtree(self.checkpoints.path)
            self.checkpoints.prepare()
        return settings

    def write_json(self, name: str, content: dict) -> None:
        """Write ``content`` as ``name``."""
        if self.chief:
            write_whole(self.path / name, lambda path: path.write_text(json.dumps(content, indent=2) + "\n"))

    def save_checkpoint(self, model: Step, state: State) -> None:
        """Keep everything that a continued run needs; on several workers all must call it."""
        running = {f"{RUNNING}{name}": value for name, value in values_of(model.running_variables()).items()}
        arrays = values_of(model.own_variables()) | running
        self.together(lambda: self.checkpoints.save(arrays, asdict(state)) if self.chief else None)

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

    def restore_metrics(self, model: Step, running: dict) -> None:
        """Put the metrics back to where they were in the middle of a window."""
        assign_values(model.running_variables(), running)

    def save_model(self, name: str, network: Network) -> None:
        """Save the network, without optimizer and metrics, as ``name``, a ``.keras`` file; all workers must call it."""

        def save():
            try:
                write_whole(self.path / name, network.save)
            except OSError as error:
                raise InputError(
                    f"{self.path / name} cannot be written ({error.strerror}); the checkpoints are intact: make room "
                    "there, then run the same command again."
                ) from error

        self.together(save if self.chief else lambda: None)
