"""Train the runs of a study on Keras' JAX backend, as for a GPU without TensorFlow; the same command continues.

    python tools/pack_images.py --data-dir DIR --out cifar10                        where the data set is
    KERAS_BACKEND=jax python tools/study_on_jax.py degradation --images cifar10-0.npz     where the GPU is

Several processes on one or several GPUs that share --workdir take different runs. Each run is a small JSON file there;
the process that ends last writes them all to result.json, which the study's own program compares and draws:

    python recipes/studies/degradation.py --data-dir DIR --earlier runs/studies/degradation-jax/result.json
"""

import contextlib
import fcntl
import glob
import importlib
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import tyro
from pack_images import Images, Packed, read_images

from keras_resnet.bounds import Between, Length, Positive
from keras_resnet.command_line import run_tool
from keras_resnet.data.splits import evenly_spaced
from keras_resnet.errors import InputError, one_of
from keras_resnet.files import check_replaceable, read_object, write_json
from keras_resnet.programs import folder_of
from keras_resnet.studies import Arm, Study, StudySettings
from keras_resnet.studies.earlier import ARM_KEYS, SETTINGS_KEYS

if TYPE_CHECKING:
    from jax_trainer import JaxTrainer, State

STUDIES = folder_of("recipes") / "studies"
KNOWN_SETTINGS = ("weight_decay", "warm_up")  # of an arm
OF_THE_STUDY_ALONE = ("data_dir", "earlier", "most_seeds")
RESULT = "result.json"
BEGINS = '{\n "study": '  # a result of this program
AT_ONCE = 512  # steps in one call of the device
VALIDATIONS = 40  # of a run


@dataclass(frozen=True, kw_only=True)
class StudyOnJax(StudySettings):
    """The study, its packed images, and the settings of its runs."""

    study: tyro.conf.Positional[str] = "degradation"
    """Its name, such as degradation or shortcuts."""
    images: Annotated[tuple[Path, ...], Length(1, 100)]
    """The files of pack_images.py."""
    together: Annotated[int, Between(1, 64)] = 1
    """Seeds trained side by side as one program, which is faster on a GPU and slower on a processor."""
    keep: bool = False
    """Save each network as a .keras file."""
    keep_below: Annotated[tuple[Positive, ...], Length(1, 20)] | None = None
    """Save each network too when its training loss first falls below each of these values, to compare networks at equal
    loss."""
    commit: str | None = None
    """What to store as the commit of a copy of the tree without .git."""

    def run(self) -> None:
        names = sorted(path.stem for path in STUDIES.glob("*.py"))
        one_of("study", self.study, names)
        if os.environ.get("KERAS_BACKEND") != "jax":
            raise InputError("Keras does not run on JAX: set KERAS_BACKEND=jax before the command.")
        sys.path.insert(0, str(STUDIES))
        study = getattr(importlib.import_module(self.study), "STUDY", None)
        if not isinstance(study, Study):
            raise InputError(f"study {self.study} compares settings of a recipe, which run on TensorFlow alone.")
        for name in OF_THE_STUDY_ALONE:
            if getattr(self, name) is not None:
                raise InputError(f"--{name.replace('_', '-')} is for recipes/studies/{self.study}.py: leave it out.")
        if self.precision == "mixed_float16":
            raise InputError("--precision mixed_float16 needs a scaled loss, which is not here: take mixed_bfloat16.")
        settings = self.resolve(study)
        if settings.workdir == StudySettings().resolve(study).workdir:
            settings = replace(settings, workdir=settings.workdir.with_name(f"{settings.workdir.name}-jax"))
        arms = [arm for arm in study.arms if not self.arms or arm.name in self.arms]
        for name in self.arms or ():
            one_of("--arms", name, [arm.name for arm in study.arms])
        for arm in arms:
            unknown = ", ".join(name for name in arm.settings if name not in KNOWN_SETTINGS)
            if unknown:
                raise InputError(f"Arm {arm.name} sets {unknown}, which runs on TensorFlow alone: choose --arms.")
        check_replaceable(settings.workdir / RESULT, BEGINS)
        settings.workdir.mkdir(parents=True, exist_ok=True)
        for arm in study.arms:
            _check_runs(settings, arm)
        _train(settings, arms)
        _collect(study, settings)


def _train(settings: StudyOnJax, arms: list[Arm]) -> None:
    """Train what is missing and not in the hands of another process, a few seeds at a time."""
    packed: Packed | None = None
    for first in range(0, settings.seeds, settings.together):
        for arm in arms:
            with contextlib.ExitStack() as locks:
                paths = {
                    seed: settings.workdir / f"{arm.name}-seed{seed}.json"
                    for seed in range(first, min(first + settings.together, settings.seeds))
                }
                seeds = [s for s, path in paths.items() if locks.enter_context(_taken(path)) and not path.exists()]
                if not seeds:
                    continue
                if packed is None:
                    packed = read_images(settings.images, settings.image_size)
                    if packed.data != settings.data:
                        raise InputError(f"The images are of {packed.data}, not {settings.data}: give --data.")
                    if settings.train_images:
                        packed.parts["train"] = _spread(packed.parts["train"], settings.train_images)
                print(f"{arm.name}, seeds {', '.join(map(str, seeds))}", flush=True)
                for run in train_runs(settings, arm, seeds, packed):
                    write_json(paths[run["seed"]], {"run": run, "of": _about(settings, arm)}, indent=None)


def _about(settings: StudyOnJax, arm: Arm) -> dict:
    """What must be equal for two runs to be of one study's arm."""
    chosen = {key: getattr(settings, key) for key in SETTINGS_KEYS}
    return chosen | {"model": arm.model, "change": list(arm.change), "settings": arm.settings}


def _files(settings: StudyOnJax, arm: Arm) -> list[Path]:
    """The files of the finished runs of ``arm``."""
    return sorted(settings.workdir.glob(f"{glob.escape(arm.name)}-seed*.json"))


def _check_runs(settings: StudyOnJax, arm: Arm) -> None:
    """Raise :class:`InputError` for a finished run of ``arm`` with other settings, with which these were mixed."""
    for path in _files(settings, arm):
        stored = read_object(path).get("of", {})
        different = [key for key, value in _about(settings, arm).items() if stored.get(key) != value]
        if different:
            raise InputError(f"{path} is a run with other settings ({', '.join(different)}): give another --workdir.")


@contextlib.contextmanager
def _taken(path: Path) -> Iterator[bool]:
    """Whether this process has the lock of the run ``path`` within the context."""
    with open(path.with_suffix(".lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _spread(part: Images, count: int) -> Images:
    if count > len(part.labels):
        raise InputError(f"The packed images are {len(part.labels)} for training, not {count}: ask for fewer.")
    chosen = evenly_spaced(len(part.labels), count)
    return Images(part.images[chosen], part.labels[chosen])


def train_runs(settings: StudyOnJax, arm: Arm, seeds: list[int], packed: Packed) -> list[dict]:
    """The runs of ``seeds``, trained side by side, as entries of a study's ``result.json``."""
    import keras
    from jax_trainer import JaxTrainer

    import keras_resnet
    from keras_resnet.evaluation.recalibration import recalibration_batches
    from keras_resnet.specs import change_spec, find_spec, parse_changes
    from keras_resnet.studies.arm_curves import last_train_error, thinned
    from keras_resnet.training.cifar import BATCH_SIZE
    from keras_resnet.training.settings import Settings
    from keras_resnet.training.stepping import schedules

    start = time.perf_counter()
    keras.config.set_dtype_policy(settings.precision)
    spec, size = change_spec(find_spec(arm.model), **parse_changes(arm.change)), settings.image_size
    networks = []
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        networks.append(keras_resnet.build(spec, input_shape=(size, size, 3), classes=len(packed.classes)))
    parts, batch, steps = packed.parts, settings.batch_size, settings.steps
    train = parts["train"]
    trainer = JaxTrainer(networks, train, batch, arm.settings.get("weight_decay", Settings.weight_decay), seeds)
    base = settings.base_lr * batch / BATCH_SIZE
    rate = schedules.schedule("steps", base, steps, schedules.CIFAR_MILESTONES)
    warm_up = np.full(len(seeds), arm.settings.get("warm_up", schedules.starts_low(spec)))
    every = max(1, steps // AT_ONCE // VALIDATIONS)
    state, rows = trainer.start(), [[] for _ in seeds]  # type: ignore[var-annotated]
    kept: set[tuple[float, int]] = set()
    for number, first in enumerate(range(0, steps, AT_ONCE), start=1):
        done = min(first + AT_ONCE, steps)
        rates = np.array([rate(step, 0) for step in range(first, done)])
        factors = np.where(warm_up, schedules.WARM_UP_FACTOR, 1)
        state, losses, errors = trainer.train(state, first, factors[:, None] * rates)
        if not np.isfinite(losses).all():
            which = f"one of the seeds {', '.join(map(str, seeds))}" if len(seeds) > 1 else f"seed {seeds[0]}"
            others = ", or give --together 1, which shows which it is" if len(seeds) > 1 else ""
            raise InputError(
                f"{arm.name}, {which}: the loss is not finite before step {done}: lower --base-lr{others}."
            )
        warm_up &= errors >= schedules.WARM_UP_ERROR
        for row, loss, error in zip(rows, losses, errors, strict=True):
            row.append({"split": "train", "step": done, "loss": float(loss), "error": float(error)})
        if number % every == 0 or done == steps:
            final = trainer.recalibrated(state, done, recalibration_batches(len(train.labels), batch, done))
            for row, error in zip(rows, trainer.errors(final, parts["val"]), strict=True):
                row.append({"split": "validation", "step": done, "error": float(error)})
            for level in settings.keep_below or ():
                names = {
                    seed: f"{arm.name}-seed{seed}-loss{level:g}"
                    for seed, loss in zip(seeds, losses, strict=True)
                    if loss < level and (level, seed) not in kept
                }
                kept |= {(level, seed) for seed in names}
                _save(settings, trainer, final, packed, names)
            shown = " ".join(f"{row[-2]['error']:.2f}/{row[-1]['error']:.2f}" for row in rows)
            print(f"{arm.name}: step {done} of {steps}, training/validation error {shown} %, "
                  f"{time.perf_counter() - start:.0f} s", flush=True)  # fmt: skip
    seconds = time.perf_counter() - start
    if settings.keep:
        _save(settings, trainer, final, packed, {seed: f"{arm.name}-seed{seed}" for seed in seeds})
    tested = trainer.errors(final, parts["test"]).tolist() if "test" in parts else [None] * len(seeds)
    return [
        {
            "seed": seed,
            "train_error": last_train_error(row, steps),
            "val_error": row[-1]["error"],
            "test_error": test,
            "seconds": seconds / len(seeds),
            "images_per_second": len(seeds) * steps * batch / seconds,
            "skipped_batches": 0,
        } | _origin(settings) | {"curves": thinned(row)}
        for seed, row, test in zip(seeds, rows, tested, strict=True)
    ]  # fmt: skip


def _save(settings: StudyOnJax, trainer: "JaxTrainer", state: "State", packed: Packed, names: dict[int, str]) -> None:
    """Save the networks of some seeds, with the weights of ``state``, under their ``names``."""
    from keras_resnet.weights.preprocessing import Preprocessing

    if names:
        trainer.assign(state)
    for seed, name in names.items():
        network = trainer.networks[trainer.seeds.index(seed)]
        network.class_names = packed.classes
        network.preprocessing = Preprocessing(np.asarray(trainer.inputs.mean), crop=1.0)
        network.save(settings.workdir / f"{name}.keras")


def _origin(settings: StudyOnJax) -> dict:
    """Command, commit, versions, hardware and environment of this process."""
    from keras_resnet.training.files.run_result import provenance

    return provenance() | ({"commit": settings.commit} if settings.commit else {})


def _collect(study: Study, settings: StudyOnJax) -> None:
    """Write the runs of the folder to ``result.json``, in the form of a study's."""
    arms: dict[str, dict] = {}
    for arm in study.arms:
        _check_runs(settings, arm)
        runs = sorted((read_object(path)["run"] for path in _files(settings, arm)), key=lambda run: run["seed"])
        about = _about(settings, arm)
        arms[arm.name] = {key: about.pop(key) for key in ARM_KEYS} | {"runs": runs}
    result = {"study": study.name, "measure": study.measure} | about
    path = settings.workdir / RESULT
    write_json(path, result | {"arms": arms})
    print(f"{sum(len(arm['runs']) for arm in arms.values())} runs in {path}", flush=True)


if __name__ == "__main__":
    run_tool(StudyOnJax, __doc__)
