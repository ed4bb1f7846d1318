"""A run's folder: its settings, its checkpoints and its result, each written whole or not at all."""

import json
import os
import shutil
from pathlib import Path

import keras

from keras_resnet.errors import InputError
from keras_resnet.models import Network

KEPT_CHECKPOINTS = 2
SAME_RUN = ("workdir", "data_dir")  # settings that may differ when a run continues


class Workdir:
    """``settings.json``, ``metrics.csv``, ``checkpoints/``, ``best.keras``, ``last.keras`` and ``result.json``.

    Raises:
        InputError: the folder cannot be written, or holds a run of other settings.
    """

    def __init__(self, path: Path, settings: dict):
        self.path = Path(path)
        self.checkpoints = self.path / "checkpoints"
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
            for unfinished in [*self.path.glob("part-*"), *self.checkpoints.glob("part-*")]:  # of a killed process
                shutil.rmtree(unfinished) if unfinished.is_dir() else unfinished.unlink()
            self.write_json("settings.json", self._agreeing(settings))
        except OSError as error:
            raise InputError(
                f"The workdir {self.path} cannot be written ({error.strerror}): choose another --workdir."
            ) from error

    def _agreeing(self, settings: dict) -> dict:
        found = self.path / "settings.json"
        if found.exists() and (self._complete() or (self.path / "result.json").exists()):  # else nothing is lost
            before = json.loads(found.read_text())
            differing = [
                f"{key} was {before.get(key)} and is {value}"
                for key, value in settings.items()
                if key not in SAME_RUN and before.get(key) != value
            ]
            if differing:
                raise InputError(
                    f"{self.path} holds a run of other settings ({'; '.join(differing)}): "
                    "give those settings, or another --workdir."
                )
        return settings

    def write_json(self, name: str, content: dict) -> None:
        """Write ``content`` as ``name``."""

        def write(path):
            path.write_text(json.dumps(content, indent=2) + "\n")

        write_whole(self.path / name, write)

    def save_model(self, name: str, model: Network) -> None:
        """Save the network alone, without optimizer and metrics, as ``name``, a ``.keras`` file."""
        alone = Network(model.input, model.output, name=model.name, spec=model.spec, preprocessing=model.preprocessing)
        write_whole(self.path / name, alone.save)

    def save_checkpoint(self, model: keras.Model, state: dict) -> None:
        """Keep weights, moving statistics, optimizer and ``state``, whose ``step`` names the checkpoint."""
        target = self.checkpoints / f"step-{state['step']:09d}"
        part = self.checkpoints / f"part-{os.getpid()}"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        model.save_weights(part / "model.weights.h5")
        (part / "state.json").write_text(json.dumps(state))
        for file in part.iterdir():
            sync(file)
        shutil.rmtree(target, ignore_errors=True)
        os.rename(part, target)
        sync(self.checkpoints)
        for old in self._complete()[:-KEPT_CHECKPOINTS]:
            shutil.rmtree(old)

    def restore(self, model: keras.Model) -> dict | None:
        """Load the newest checkpoint into the compiled ``model`` and return its state; None where there is none."""
        complete = self._complete()
        if not complete:
            return None
        model.optimizer.build(model.trainable_variables)
        model.load_weights(complete[-1] / "model.weights.h5")
        return json.loads((complete[-1] / "state.json").read_text())

    def _complete(self) -> list[Path]:
        return sorted(self.checkpoints.glob("step-*"))


def write_whole(target: Path, write) -> None:
    """Call ``write(path)`` on a new file beside ``target``, then put it in ``target``'s place."""
    part = target.with_name(f"part-{os.getpid()}-{target.name}")
    try:
        write(part)
        sync(part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Bring a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
