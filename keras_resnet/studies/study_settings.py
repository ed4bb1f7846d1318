"""What a study is told, and its command line."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from keras_resnet import studies, training
from keras_resnet.bounds import BY_PRESET, Between, ByPreset, Count, Length, Pixels, Positive, check_fields
from keras_resnet.command_line import Folder
from keras_resnet.studies.study import Study
from keras_resnet.training.cifar import BASE_LR, BATCH_SIZE, IMAGE_SIZE, STEPS, CifarSettings, check_data
from keras_resnet.training.settings import Precision

PROTOCOLS: dict[str, dict[str, Any]] = {
    "paper": {"scale": 1.0, "image_size": IMAGE_SIZE},
    "pocket": {"scale": 0.32, "image_size": 16},
}
"""What the settings are that are left out. A study's own ``pocket`` goes before that of here."""


@dataclass(frozen=True)
class StudySettings:
    """How long to train, and how often."""

    data: str = "cifar10"
    """The name of a TFDS data set, demo, or a folder with train/<class>/* and val/<class>/*."""
    data_dir: Path | None = None
    """Where TFDS data sets are prepared."""
    workdir: ByPreset[Folder] = BY_PRESET
    """Where runs and result.json go; the same command continues there. Default: runs/studies/<study>, with the
    protocol's name behind it if that is not the paper's."""
    protocol: Literal["paper", "pocket"] = "paper"
    """The paper's (Sec. 4.2), or pocket: images of 16 pixels, 0.32 of the steps; studies of overfitting take fewer
    images and steps. The settings below go before it."""
    scale: ByPreset[Annotated[float, Between(1e-6, 1_000)]] = BY_PRESET
    """Share of the paper's 64,000 steps; the rate falls at the same shares. Default: the protocol's."""
    seeds: ByPreset[Annotated[int, Between(1, 10_000)]] = BY_PRESET
    """How many runs of each arm; seeds 0, 1, ..."""
    most_seeds: Annotated[int, Between(2, 10_000)] | None = None
    """Go on to as many seeds as a difference of 0.5 points needs, judged by those above, if that is not more than
    this."""
    arms: Annotated[tuple[str, ...], Length(1, 1_000)] | None = None
    """Only these arms; the others are reported as not run."""
    earlier: Annotated[tuple[Path, ...], Length(1, 1_000)] | None = None
    """Files result.json of the same study, from other machines: their runs are not trained again."""
    batch_size: Count = BATCH_SIZE
    """Images a step; the rate is scaled by it."""
    base_lr: Positive = BASE_LR
    """Learning rate for a batch of 128."""
    train_images: Count | None = None
    """Train on so many of the training images, evenly spaced; default: all, or the protocol's."""
    image_size: ByPreset[Pixels] = BY_PRESET
    """Side of the images; other sizes are resized to it: half of it takes a quarter of the time. Default: the
    protocol's."""
    precision: Precision = "float32"
    """Number format of the layers."""

    def __post_init__(self):
        check_fields(self)

    def check(self) -> None:
        """Raise :class:`InputError` for settings that no run can have."""
        CifarSettings(batch_size=self.batch_size, train_images=self.train_images).check()

    def of(self, study: Study) -> "StudySettings":
        """These settings with what they leave out: the protocol's, and the study's own."""
        pocket = self.protocol == "pocket"
        folder = Path("runs/studies") / (f"{study.name}-{self.protocol}" if pocket else study.name)
        left_out: dict[str, Any] = {"workdir": folder, "seeds": study.seeds} | PROTOCOLS[self.protocol]
        left_out |= study.pocket if pocket else {}
        return replace(self, **{name: value for name, value in left_out.items() if getattr(self, name) is None})

    @property
    def steps(self) -> int:
        """Steps of each run."""
        return max(1, round(self.scale * STEPS))


def command_line(study: Study, description: str) -> None:
    """The program of a study."""

    def main(settings: StudySettings) -> None:
        settings = settings.of(study)
        check_data(settings)  # before TensorFlow is loaded
        studies.run_study(study, settings)

    training.command_line(main, StudySettings(seeds=study.seeds), description)
