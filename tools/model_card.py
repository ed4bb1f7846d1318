"""Write a model card: README.md beside a run's model, as Hugging Face shows it, and all that an upload takes.

    python tools/model_card.py runs/RUN --licence apache-2.0                    runs/RUN/README.md
    python tools/model_card.py runs/RUN --licence apache-2.0 --upload pets      the same, and pets/ to upload
    hf upload USER/pets pets

The card has the data and its split, the results by class, the preprocessing, the licence, the command and the
environment, of the network in last.keras. The folder has this network as Keras loads it from hf://USER/pets, the card,
and the confusion matrix and the reliability as pictures; photos stay at home, and so do the folders of this machine.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tyro.conf import Positional

from keras_resnet.command_line import Folder, run_tool
from keras_resnet.errors import InputError
from keras_resnet.files import is_own_file, part_of, write_text

if TYPE_CHECKING:
    from keras_resnet.network import Network


@dataclass(frozen=True)
class MakeModelCard:
    """Which run, and under which licence."""

    workdir: Positional[Path]
    """The folder of a finished run of a classifier."""
    licence: str | None = None
    """The model's licence as Hugging Face abbreviates it, such as apache-2.0 or cc-by-4.0; default: unknown."""
    name: str | None = None
    """The model's name; default: that of the run's folder."""
    upload: Folder | None = None
    """A new folder for all files of an upload."""

    def run(self) -> None:
        from keras_resnet.evaluation.class_report import MATRIX_PNG, RELIABILITY_PNG
        from keras_resnet.reporting.model_card import ModelCard
        from keras_resnet.training.files import read_result
        from keras_resnet.training.files.workdir import CARD, LAST, RESULT

        result = read_result(self.workdir)
        if result is None or "val_error" not in result or "train_split" not in result:
            raise InputError(
                f"{self.workdir} is not the folder of a finished run of a classifier: give one with a result.json."
            )
        card = self.workdir / CARD
        for path in (self.upload, card):
            if path is not None and path.exists():
                raise InputError(f"{path} exists already: remove or rename it, so that nothing in it is lost.")
        import keras_resnet

        network = keras_resnet.load_model(self.workdir / LAST)
        if getattr(network, "spec", None) is None:
            raise InputError(f"{self.workdir / LAST} is not a network of keras_resnet: train it again.")
        name = self.name or (self.upload or self.workdir).resolve().name
        pictures = tuple(file for file in (MATRIX_PNG, RELIABILITY_PNG) if is_own_file(self.workdir / file))
        try:
            text = ModelCard(name, result, network, self.licence, pictures).markdown()
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"{self.workdir / RESULT} is damaged ({error!r:.100}): run the same command again."
            ) from error
        write_text(card, text)
        print(f"{card} describes {LAST}")
        if self.upload is not None:
            self._gather(network, (CARD, *pictures), self.upload)
            print(f"{self.upload} is what to upload: hf upload USER/{name} {self.upload}")

    def _gather(self, network: "Network", names: tuple[str, ...], folder: Path) -> None:
        """Write ``folder``, whole or not at all."""
        import keras

        part = part_of(folder)
        try:
            keras.saving.save_model(network, part, zipped=False)
            for name in names:
                shutil.copyfile(self.workdir / name, part / name)
            os.rename(part, folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)


if __name__ == "__main__":
    run_tool(MakeModelCard, __doc__)
