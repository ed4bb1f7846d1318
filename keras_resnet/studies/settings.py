"""What a study is told, and its command line."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from keras_resnet import studies, training
from keras_resnet.bounds import Between, Count, Length, Pixels, Positive, check_fields
from keras_resnet.command_line import Folder
from keras_resnet.studies.study import Study
from keras_resnet.training.cifar import PAPER, CifarSettings, check_data
from keras_resnet.training.settings import Precision


@dataclass(frozen=True)
class StudySettings:
    """How long to train, and how often."""

    data: str = "cifar10"
    """The name of a TFDS data set, demo, or a folder with train/<class>/* and val/<class>/*."""
    data_dir: Path | None = None
    """Where TFDS data sets are prepared."""
    workdir: Folder | None = None
    """Where runs and result.json go; the same command continues there. Default: runs/studies/<study>."""
    scale: Annotated[float, Between(1e-6, 1_000)] = 1.0
    """Share of the paper's 64,000 steps; the rate falls at the same shares."""
    seeds: Annotated[int, Between(1, 10_000)] | None = None
    """How many runs of each arm; seeds 0, 1, ..."""
    arms: Annotated[tuple[str, ...], Length(1, 1_000)] | None = None
    """Only these arms; the others are reported as not run."""
    batch_size: Count = PAPER["batch_size"]
    """Images a step; the rate is scaled by it."""
    base_lr: Positive = PAPER["base_lr"]
    """Learning rate for a batch of 128."""
    train_images: Count | None = None
    """Train on so many of the training images, evenly spaced; default: all."""
    image_size: Pixels = PAPER["image_size"]
    """Side of the images; other sizes are resized to it: half of it takes a quarter of the time."""
    precision: Precision = "float32"
    """Number format of the layers."""

    def __post_init__(self):
        check_fields(self)

    def check(self) -> None:
        """Raise :class:`InputError` for settings that no run can have."""
        CifarSettings(batch_size=self.batch_size, train_images=self.train_images).check()

    @property
    def steps(self) -> int:
        """Steps of each run."""
        return max(1, round(self.scale * PAPER["steps"]))


def command_line(study: Study, description: str) -> None:
    """The program of a study."""

    def main(settings: StudySettings) -> None:
        check_data(settings)  # before TensorFlow is loaded
        studies.run_study(study, settings)

    training.command_line(main, StudySettings(seeds=study.seeds), description)
