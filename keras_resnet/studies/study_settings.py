"""The settings of studies, and the command line of those of networks."""

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
"""Values of settings left out, by protocol; ``pocket`` of a study goes before the pocket protocol's."""


@dataclass(frozen=True)
class StudySettings:
    """How long to train, and how many times."""

    data: str = "cifar10"
    """The name of a TFDS data set, demo, or a folder with train/<class>/* and val/<class>/*."""
    data_dir: Path | None = None
    """Where TFDS data sets are prepared."""
    workdir: ByPreset[Folder] = BY_PRESET
    """Folder for runs and result.json, where the same command continues. Default: runs/studies/<study>, followed by
    the name of the protocol if it is not the paper's."""
    protocol: Literal["paper", "pocket"] = "paper"
    """The paper's (Sec. 4.2), or pocket: images of 16 pixels and 0.32 of the steps; studies of overfitting use fewer
    images and steps. The settings below override it."""
    scale: ByPreset[Annotated[float, Between(1e-6, 1_000)]] = BY_PRESET
    """Share of the paper's 64,000 steps; the rate falls at the same shares of the run. Default: the protocol's."""
    seeds: ByPreset[Annotated[int, Between(1, 10_000)]] = BY_PRESET
    """Number of runs of each arm, with seeds 0, 1, ..."""
    most_seeds: Annotated[int, Between(2, 10_000)] | None = None
    """Continue to the number of seeds needed to find a difference of 0.5 points, estimated from those above, if it is
    at most this."""
    arms: Annotated[tuple[str, ...], Length(1, 1_000)] | None = None
    """Train only these arms; the others are reported as not run."""
    earlier: Annotated[tuple[Path, ...], Length(1, 1_000)] | None = None
    """result.json files from other machines or studies, whose runs of the same networks are not trained again."""
    batch_size: Count = BATCH_SIZE
    """Images per step; the rate is scaled with it."""
    base_lr: Positive = BASE_LR
    """Learning rate for a batch of 128."""
    train_images: Count | None = None
    """Train on this many training images, evenly spaced; default: all, or the protocol's."""
    image_size: ByPreset[Pixels] = BY_PRESET
    """Side to which the images are resized; half the side takes a quarter of the time. Default: the protocol's."""
    precision: Precision = "float32"
    """Number format of the layers."""

    def __post_init__(self):
        check_fields(self)

    def check(self) -> None:
        """Raise :class:`InputError` for settings that no run can use."""
        CifarSettings(batch_size=self.batch_size, train_images=self.train_images).check()

    def resolve(self, study: Study) -> "StudySettings":
        """These settings, with those left out filled in from the protocol and the study."""
        pocket = self.protocol == "pocket"
        folder = Path("runs/studies") / (f"{study.name}-{self.protocol}" if pocket else study.name)
        left_out: dict[str, Any] = {"workdir": folder, "seeds": study.seeds} | PROTOCOLS[self.protocol]
        left_out |= study.pocket if pocket else {}
        return replace(self, **{name: value for name, value in left_out.items() if getattr(self, name) is None})

    @property
    def steps(self) -> int:
        """Steps of each run."""
        return max(1, round(self.scale * STEPS))


@dataclass(frozen=True)
class RecipeStudySettings:
    """What every study of a recipe can be asked."""

    data: str = "demo"
    """demo, or a folder with train/<class>/* and val/<class>/*."""
    workdir: ByPreset[Folder] = BY_PRESET
    """Folder for runs and result.json, where the same command continues. Default: runs/studies/<study>."""
    seeds: Annotated[tuple[Annotated[int, Between(0, 2**31 - 1)], ...], Length(1, 1_000)] = (0, 1, 2)
    """Seeds of the runs of each arm."""
    arms: Annotated[tuple[str, ...], Length(1, 1_000)] | None = None
    """Train only these arms; default: all."""

    def __post_init__(self):
        check_fields(self)

    def check(self) -> None:
        """Nothing conflicts."""

    def named(self, study: str) -> "RecipeStudySettings":
        """These settings with the study's folder, if none is given."""
        return self if self.workdir else replace(self, workdir=Path("runs/studies") / study)


def command_line(study: Study, description: str) -> None:
    """Run ``study`` as a program."""

    def main(settings: StudySettings) -> None:
        settings = settings.resolve(study)
        check_data(settings)  # before TensorFlow is loaded
        studies.run_study(study, settings)

    training.command_line(main, StudySettings(seeds=study.seeds), description)
