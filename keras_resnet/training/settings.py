"""Settings of a recipe: a dataclass, its command line, and presets for settings left unset."""

import errno
import hashlib
import os
import re
import shlex
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Literal, Protocol, TypeVar

from keras_resnet.bounds import BY_PRESET, Between, ByPreset, Count, Length, Pixels, Positive, Steps, check_fields
from keras_resnet.command_line import Folder, attempt, check_outputs
from keras_resnet.errors import InputError
from keras_resnet.specs import NetSpec, Shortcut, change_spec, find_spec, parse_changes, split_name
from keras_resnet.training.files.agreement import check_earlier
from keras_resnet.training.flags import Rare, read_flags
from keras_resnet.training.signals import Stopped, sigterm_stops
from keras_resnet.training.stepping.schedules import Schedule
from keras_resnet.training.strategy import check_parts, choose_strategy, several_workers
from keras_resnet.training.workers import linger, together


class Checked(Protocol):
    """Settings that can check themselves: conflicting ones raise an error of one sentence."""

    def check(self) -> None: ...


Flags = TypeVar("Flags", bound=Checked)
Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
Batch = Annotated[int, Between(0, 1_000_000_000)]  # a step's number in this process


@dataclass(frozen=True)
class RunSettings:
    """The settings of every run; those left out follow the data set's preset."""

    model: ByPreset[str] = BY_PRESET
    """Network: ResNet18 ... ResNet1202, PlainNet18 ... PlainNet110."""
    data: str = "demo"
    """demo, a folder of class folders, a CSV file of path,label[,split], or the name of a TFDS data set."""
    data_dir: Path | None = None
    """Where TFDS data sets are prepared."""
    workdir: ByPreset[Folder] = BY_PRESET
    """The run's folder, where the same command continues it. Default: runs/<recipe>-..."""
    batch_size: ByPreset[Count] = BY_PRESET
    """Images per step, over all devices."""
    steps: Steps | None = None
    """Length of the training in steps."""
    epochs: Annotated[float, Between(1e-6, 1_000_000)] | None = None
    """The length in epochs, instead of --steps."""
    precision: Precision = "float32"
    """Number format of the layers; weights stay float32."""
    seed: Annotated[int, Between(0, 2**31 - 1)] = 0
    """Seed of the initial weights, the order of the images and their augmentation."""
    base_lr: ByPreset[Positive] = BY_PRESET
    """Initial learning rate at the paper's batch size; scales with --batch-size."""
    schedule: Schedule | None = None
    """How the rate falls: by 10 at fixed steps or on a plateau, or to zero along a cosine."""
    accumulate: Rare[Count] = 1
    """Into how many parts each device splits its share of a batch, to fit into less memory."""
    save_every: Rare[Steps] = 500
    """Steps between checkpoints; one is also saved after each validation."""
    keep_every: Rare[Steps | None] = None
    """Steps between checkpoints to keep for analysis; default: only the newest three are kept."""
    track: Rare[Literal["none", "mlflow", "wandb"]] = "none"
    """Experiment tracker of the curves."""
    deterministic: Rare[bool] = False
    """Make GPU operations repeatable bit for bit, as the CPU's are, which costs speed."""
    profile: Rare[tuple[Batch, Batch] | None] = None
    """First and last step to profile in this process."""

    def __post_init__(self):
        check_fields(self)

    def network_name(self) -> str:
        """The network's part of the default folder's name."""
        return folder_name(self.model)

    def check_model(self) -> None:
        """Raise :class:`InputError` for an unknown model."""
        if self.model is not None:
            find_spec(self.model)

    def check(self) -> None:
        """Raise :class:`InputError` for settings that conflict; those left out are not checked yet."""
        self.check_model()
        if self.steps is not None and self.epochs is not None:
            raise InputError("--steps and --epochs both set the length: give only one of them.")
        if self.batch_size is not None:
            check_parts(self.batch_size, self.accumulate)
        if self.profile is not None and self.profile[0] > self.profile[1]:
            first, last = self.profile
            raise InputError(f"--profile {first} {last} ends before it begins: give the first step, then the last.")


@dataclass(frozen=True)
class Settings(RunSettings):
    """What to classify, and how; settings left out follow the data set's preset."""

    image_size: ByPreset[Pixels] = BY_PRESET
    """Side of the square images the network sees, in pixels."""
    shortcut: Shortcut | None = None
    """Shortcut option; default: the network's own (B on ImageNet, A on CIFAR)."""
    change: Rare[Annotated[tuple[str, ...], Length(1, 100)] | None] = None
    """Other fields of the network's NetSpec, as placement=full_preactivation width=0.5; for the shortcut, see
    --shortcut."""
    weight_decay: Rare[Annotated[float, Between(0, 1)]] = 1e-4
    """Factor of the weights in their gradient (Sec. 3.4); biases and normalization are not decayed."""
    sync_bn: Rare[bool] = False
    """Normalize over the whole batch instead of each device's share."""

    def check(self) -> None:
        super().check()
        changes = self.changes()
        if self.shortcut not in (None, changes.get("shortcut")):
            raise InputError(
                f"--shortcut {self.shortcut} and --change shortcut={changes['shortcut']} are two shortcuts: give one."
            )
        name = None if self.model is None else split_name(self.model)[0]
        if name is not None:
            spec = change_spec(find_spec(name), **changes)
            if self.image_size is not None:
                spec.check_shape((self.image_size, self.image_size, 3))
        if self.sync_bn and self.accumulate > 1:
            raise InputError(
                "--sync-bn normalizes whole batches and --accumulate parts of them: give only one of them."
            )

    def network_name(self) -> str:
        return "-".join([super().network_name(), *(folder_name(c) for c in (self.shortcut, *(self.change or ())) if c)])

    def changes(self) -> dict:
        """Fields in which the network is to differ from the one that ``model`` names."""
        shortcut = {} if self.shortcut is None else {"shortcut": self.shortcut}
        return shortcut | parse_changes(self.change or ())

    def spec(self) -> NetSpec:
        """The network to train."""
        return change_spec(find_spec(self.model), **self.changes())


def resolve(settings: RunSettings, preset: dict, recipe: str) -> RunSettings:
    """``settings`` with None filled in from ``preset``, and a workdir named after recipe, data, network and seed.

    The network's name gets the case it has in ``SPECS``.

    Raises:
        InputError: the workdir holds a run of other settings.
    """
    if settings.steps is not None or settings.epochs is not None:
        preset = {key: value for key, value in preset.items() if key not in ("steps", "epochs")}
    filled = replace(settings, **{key: value for key, value in preset.items() if getattr(settings, key) is None})
    filled = _with_known_name(filled)
    if filled.workdir is None:
        name = f"{recipe}-{folder_name(filled.data)}-{filled.network_name()}-seed{filled.seed}"
        filled = replace(filled, workdir=Path("runs") / name)
    _check_workdir(filled)
    return filled


def _with_known_name(settings: RunSettings) -> RunSettings:
    """``settings`` with the network's name in the case that it has in ``SPECS``."""
    if settings.model is None:
        return settings
    return replace(settings, model=":".join(filter(None, split_name(settings.model))))


def _check_workdir(settings: RunSettings) -> None:
    """Raise :class:`InputError` if the workdir, where it is known, holds a run of other settings."""
    if settings.workdir is not None:
        check_earlier(settings.workdir, as_json(_with_known_name(settings)), as_json(type(settings)()))


def folder_name(value: str) -> str:
    """``value`` as part of a folder's name; a file or folder becomes its last name and a hash of its whole path."""
    before, colon, weights = value.rpartition(":")  # NAME:WEIGHTS
    if Path(weights).exists():
        path = Path(weights).resolve()
        value = f"{before}{colon}{path.name}-{hashlib.sha256(str(path).encode()).hexdigest()[:6]}"
    return re.sub(r"[^\w.=,+]+", "-", value).strip("-")


def as_json(settings: RunSettings) -> dict:
    """The settings as plain values for ``settings.json`` and ``result.json``."""
    values = asdict(settings).items()
    return {k: str(v) if isinstance(v, Path) else list(v) if isinstance(v, tuple) else v for k, v in values}


def describe(settings: RunSettings) -> str:
    """The settings as the flags that give them, on one line."""
    words = []
    for field in fields(settings):
        value, switch = getattr(settings, field.name), field.default is False
        if value not in (None, ()) and not (switch and value is False):
            values = [] if switch else value if isinstance(value, tuple) else [value]
            words += [f"--{field.name.replace('_', '-')}", *(shlex.quote(str(item)) for item in values)]
    return " ".join(words)


def command_line(
    main: Callable[[Flags], None], defaults: Flags, description: str, presets: Mapping[str, dict] = {}
) -> None:
    """Read the command line into settings and call ``main``; bad input ends in one sentence and exit status 2.

    Args:
        main: the program.
        defaults: settings for flags that are not given.
        description: the text of ``--help`` before the flags.
        presets: a preset for each kind of data; ``--help`` shows its values for settings left unset.
    """

    def work():
        with sigterm_stops():
            settings = read_flags(defaults, description, presets)
            settings.check()

            def start():
                check_outputs(settings)
                if isinstance(settings, RunSettings):
                    _check_workdir(settings)  # before the data is read, which a preset may depend on
                main(settings)

            if several_workers():
                strategy = choose_strategy()  # before anything else uses TensorFlow
                try:  # a TensorFlow error on this worker alone reaches the others through TensorFlow
                    together(strategy, start, (InputError, OSError))
                finally:
                    linger(strategy)
            else:  # TensorFlow is loaded only when it is needed, after bad data is refused
                start()

    try:
        status = attempt(work, _cannot_continue)
    except (Stopped, KeyboardInterrupt) as stop:
        print("\nstopped; the same command continues", file=sys.stderr)
        status = stop.status if isinstance(stop, Stopped) else 130
    except Exception:
        traceback.print_exc()
        status = 1
    if not status:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # TensorFlow's threads, and other workers, may keep the interpreter from ending


def _cannot_continue(error: OSError) -> str | None:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS):
        return f"{error}; what was saved before is intact: make room, then run the same command again."
    if error.filename is None:
        return None
    return f"{error}: make sure that it exists and that you may use it, then run the same command again."
