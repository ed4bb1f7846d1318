"""Wrong settings for every recipe and tool, mostly derived from the ranges in their declarations."""

import dataclasses
import functools
import itertools
import os
import random
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, get_args, get_origin

import tensorflow_datasets  # noqa: F401  what every case needs is imported before they are forked
from matplotlib import figure  # noqa: F401
from watching import Case

from keras_resnet import analysis, deployment, detection, evaluation, plots, reporting  # noqa: F401
from keras_resnet.bounds import Between, Length, flag_of, hints_of, marks
from keras_resnet.command_line import Output
from keras_resnet.detection import DetectionSettings
from keras_resnet.errors import shown
from keras_resnet.localization import LocalizationSettings
from keras_resnet.specs import SPECS
from keras_resnet.studies import StudySettings
from keras_resnet.training.cifar import CifarSettings
from keras_resnet.training.settings import RunSettings

PROMISE = "refused in one sentence with status 2 before any work, nothing left behind; a value in its range is taken"
ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))  # as for a tool that is started, whose files import each other
TOO_LONG, UNUSUAL = "x" * 5000, os.fsdecode(b"caf\xe9")
UNWRITABLE = {  # kind of target, as a function of the file's suffix
    "in no folder": lambda suffix: f"nope/out{suffix}",
    "below a device": lambda suffix: f"/dev/null/out{suffix}",
    "in the kernel's files": lambda suffix: f"/proc/out{suffix}",
    "a folder": lambda suffix: f"folder{suffix}",
    "a pipe": lambda suffix: f"pipe{suffix}",
    "of another kind": lambda suffix: "out.txt",
    "with a name longer than the disk takes": lambda suffix: "x" * (256 - len(suffix)) + suffix,
}
NO_FOLDER = {
    "a file": "file",
    "below a file": "file/deeper/out",
    "below a device": "/dev/null/out",
    "in the kernel's files": "/proc/out",
}
TOGETHER = (  # each value alone is valid
    ("recipes/imagenet.py", "--batch-size 2 --accumulate 8"),
    ("recipes/imagenet.py", "--steps 5 --epochs 1"),
    ("recipes/imagenet.py", "--profile 5 3"),
    ("recipes/imagenet.py", "--sync-bn --accumulate 2"),
    ("recipes/imagenet.py", "--model ResNet18 --image-size 20"),
    ("recipes/imagenet.py", "--model ResNet19"),
    ("recipes/imagenet.py", "--change width=2 width=3"),
    ("recipes/imagenet.py", "--change width=1e-9"),
    ("recipes/imagenet.py", "--change width=nan"),
    ("recipes/imagenet.py", "--change bn_epsilon=1e999"),
    ("recipes/imagenet.py", "--change blocks=[1000000000,1,1]"),
    ("recipes/imagenet.py", "--change filters=[16,32,10000000000]"),
    ("recipes/imagenet.py", "--change wide=3"),
    ("recipes/imagenet.py", "--change width"),
    ("recipes/imagenet.py", "--model PlainNet20 --change stochastic_depth=0.5"),
    ("recipes/imagenet.py", "--model ResNet20 --change blocks=[3,3]"),
    ("recipes/imagenet.py", "--data cifar10 --data-dir /nope"),
    ("recipes/imagenet.py", "--data nope/nope"),
    ("recipes/imagenet.py", "--data-dir /nope --data nothing-of-the-kind"),
    ("recipes/imagenet.py", "--workdir file/run"),
    ("recipes/imagenet.py", "--change stem=imagenet filters=[1,2,3,4]"),
    ("recipes/cifar10.py", "--data-dir /nope"),
    ("recipes/cifar10.py", "--data nope/nope"),
    ("recipes/cifar10.py", "--train-images 5"),
    ("recipes/cifar10.py", "--train-images all --schedule plateau"),
    ("recipes/finetune.py", "--data demo"),
    ("recipes/finetune.py", "--model ResNet19:nope.h5"),
    ("recipes/finetune.py", "--model nope.keras"),
    ("recipes/finetune.py", "--model ResNet20 --shortcut B"),
    ("recipes/coco.py", "--data demo"),
    ("recipes/coco.py", "--model ResNet18 --shorter-side 500 --longer-side 100"),
    ("recipes/coco.py", "--model ResNet20"),
    ("recipes/coco.py", "--model vgg16:nope.h5"),
    ("recipes/coco.py", "--model ResNet19"),
    ("recipes/coco.py", "--model nope.keras"),
    ("recipes/coco.py", "--model ResNet18 --data nope/nope"),
    ("recipes/coco.py", "--model ResNet18 --data coco/2014 --data-dir /nope"),
    ("recipes/voc.py", "--model ResNet18 --data nope/nope"),
    ("recipes/voc.py", "--model ResNet18 --data voc --data-dir /nope"),
    ("recipes/det.py", "--model ResNet18 --data nope/nope"),
    *((f"recipes/studies/{path.name}", "--data-dir /nope") for path in sorted(ROOT.glob("recipes/studies/*.py"))),
    ("recipes/studies/seeds.py", "--arms nobody"),
    ("recipes/studies/seeds.py", "--train-images 5"),
    ("tools/analyze.py", "training --workdir nope"),
    ("tools/analyze.py", "cost --model ResNet18 --image-size 20"),
    ("tools/analyze.py", "cost --change width=1e-9"),
    ("tools/analyze.py", "responses --model ResNet20 --data nope/nope"),
    ("tools/benchmark.py", "views --data nope/nope"),
    ("tools/benchmark.py", "input --data nope/nope"),
    ("tools/benchmark.py", "detect --model ResNet19"),
    ("tools/campaign.py", "nope.txt"),
    ("tools/campaign.py", "file"),
    ("tools/classify.py", "--model ResNet20"),
    ("tools/classify.py", "nope.jpg --model nope.keras"),
    ("tools/compare_detectors.py", ""),
    ("tools/compare_detectors.py", "a=nope.keras"),
    ("tools/convert_weights.py", "nope.pth out.keras"),
    ("tools/convert_weights.py", "imagenet out.keras"),
    ("tools/crash_test.py", "--kills 3 --while-saving 6"),
    ("tools/detect.py", "nope.jpg --model nope.keras"),
    ("tools/detect.py", "--model nope.keras"),
    ("tools/evaluate.py", "--model ResNet20 --data nope/nope"),
    ("tools/evaluate.py", "--model ResNet20 ResNet20 --data demo"),
    ("tools/evaluate.py", "--model ResNet20 --data demo --scales 224"),
    ("tools/evaluate_detection.py", "--model nope.keras"),
    ("tools/export.py", "--model nope.keras --data demo --out out"),
    ("tools/export.py", "--model ResNet20 --data demo --out file"),
    ("tools/find_mislabelled.py", "nope/nope --model ResNet20"),
    ("tools/find_mislabelled.py", "demo --model nope.keras"),
    ("tools/launch_local.py", "0 recipes/cifar10.py"),
    ("tools/launch_local.py", "100000 recipes/cifar10.py"),
    ("tools/launch_local.py", "² recipes/cifar10.py"),
    ("tools/launch_local.py", "2"),
    ("tools/launch_local.py", ""),
    ("tools/make_records.py", "--out out --data nope/nope"),
    ("tools/make_records.py", "--out out --data cifar10 --data-dir /nope"),
    ("tools/make_records.py", "--out out --verify"),
    ("tools/model_card.py", "nope"),
    ("tools/model_card.py", "file"),
    ("tools/report.py", "nope"),
    ("tools/report.py", "file"),
    ("tools/scaling.py", "--model ResNet19"),
)


@dataclasses.dataclass(frozen=True)
class Program:
    """A recipe, or a tool or one of its commands.

    Fields:
        words: the file, and the command.
        settings: the dataclass of its flags.
        needed: flags without which it does not start, with values.
    """

    words: tuple[str, ...]
    settings: type
    needed: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def name(self) -> str:
        return " ".join(self.words)


def programs() -> list[Program]:
    """All recipes and tools."""
    listed = [
        Program((f"recipes/studies/{p.name}",), _loaded(f"recipes/studies/{p.name}").get("Settings", StudySettings))
        for p in sorted(ROOT.glob("recipes/studies/*.py"))
    ]
    trained = {"model": "ResNet18"}
    settings_of = {"cifar10": CifarSettings, "coco": DetectionSettings, "localization": LocalizationSettings}
    for name in ("imagenet", "cifar10", "finetune", "coco", "voc", "det", "localization"):
        values = _loaded(f"recipes/{name}.py")
        kind = values.get("Settings") or settings_of[name]
        listed.append(Program((f"recipes/{name}.py",), kind, {} if name in ("imagenet", "cifar10") else trained))
    for name in sorted(path.stem for path in ROOT.glob("tools/*.py") if "__main__" in path.read_text()):
        values = _loaded(f"tools/{name}.py")
        classes = [v for v in values.values() if dataclasses.is_dataclass(v) and v.__module__ == f"tools/{name}"]
        for command, kind in values.get("COMMANDS", {}).items():
            listed.append(Program((f"tools/{name}.py", command), kind, _needed(kind)))
        if "COMMANDS" not in values and "run_tool" in values:
            kind = next(cls for cls in classes if hasattr(cls, "run"))
            listed.append(Program((f"tools/{name}.py",), kind, _needed(kind)))
    return listed


@functools.cache
def _loaded(file: str) -> dict:
    """The names in a program's file, which is not run."""
    return runpy.run_path(str(ROOT / file), run_name=file.removesuffix(".py"))


def _needed(kind: type) -> dict[str, str]:
    values = {"model": "ResNet20", "data": "demo", "out": "out", "workdir": "nope", "photos": "p.jpg"}
    values |= {"source": "w.pth", "target": "w.keras", "queue": "q.txt", "features": "f.npz"}
    values |= {"rpn": "rpn.keras", "classifier": "c.keras", "settings": "A=a.keras", "images": "i.npz", "below": "1"}
    missing = dataclasses.MISSING
    return {f.name: values[f.name] for f in dataclasses.fields(kind) if f.default is f.default_factory is missing}


def cases(seed: int, count: int) -> list[Case]:
    """At least ``count`` cases, evenly from every kind as long as it has more."""
    draw, kinds = random.Random(seed), {}
    for kind, case in itertools.chain(_together(), *map(_of_program, programs()), _of_library()):
        kinds.setdefault(kind, []).append(case)
    for cases_of_kind in kinds.values():
        draw.shuffle(cases_of_kind)
    turns = [case for turn in itertools.zip_longest(*kinds.values()) for case in turn if case is not None]
    return turns[:count]


def _together() -> Iterator[tuple[str, Case]]:
    for file, line in TOGETHER:
        yield "together", _case((file,), line.split())


def _of_program(program: Program) -> Iterator[tuple[str, Case]]:
    for name, hint in _flags(program.settings):
        for kind, words, *suffix in _wrong(hint):
            given = program.needed | {name: words}
            line = []
            for field, value in given.items():
                flag = flag_of(field, hint if field == name else hints_of(program.settings)[field])
                line += [flag] if flag.startswith("--") else []
                line += [value] if isinstance(value, str) else value
            yield kind, _case(program.words, line, *suffix)


def _flags(kind: type) -> Iterator[tuple[str, object]]:
    """The flags of a dataclass, and of dataclasses in it, by name with their annotations."""
    for name, hint in hints_of(kind).items():
        yield from _flags(hint) if dataclasses.is_dataclass(hint) else [(name, hint)]


def _wrong(hint) -> Iterator[tuple]:
    """Kinds of wrong values for an annotation, the words that give them, and the suffix of an output file."""
    parts = {*_parts(hint)}
    pair = get_origin(hint) is tuple and Ellipsis not in get_args(hint)
    for bounds in {mark for mark in marks(hint, Between) if type(mark) is Between}:
        for kind, word in _outside(bounds, float in parts):
            yield kind, [word, word] if pair else [word]
    if parts & {str, Path}:
        yield "a text too long", [TOO_LONG]
        yield "a name too long", ["x" * 256]
        yield "a text that is no UTF-8", [UNUSUAL]
    if str in parts:
        yield "an empty text", [""]
    for length in marks(hint, Length):
        yield "too many values", ["1"] * (length.most + 1)
    if Literal in parts:
        yield "no choice", ["nothing-of-the-kind"]
    for output in marks(hint, Output):
        for suffix in output.suffixes[:1]:
            for kind, name in UNWRITABLE.items():
                yield f"a target {kind}", [name(suffix)], suffix
        if not output.suffixes:
            for kind, name in NO_FOLDER.items():
                yield f"a folder that is {kind}", [name]


def _parts(hint) -> Iterator:
    """The types in an annotation."""
    yield Literal if get_origin(hint) is Literal else hint
    for part in get_args(hint)[: 1 if get_origin(hint) is Annotated else None]:
        if get_origin(hint) is not Literal:
            yield from _parts(part)


def _outside(bounds: Between, real: bool) -> Iterator[tuple[str, str]]:
    yield "a number too large", f"{bounds.most * 10:g}" if real else str(bounds.most + 1)
    yield "a number too small", f"{bounds.least / 10 if bounds.least else -1e-9:g}" if real else str(bounds.least - 1)
    yield "a huge number", "1e308" if real else str(10**20)
    yield "a number below all", "-1e308" if real else str(-(10**20))
    yield "thousands of digits", "9" * 5000
    yield "no number", "nan"
    yield "no finite number", "inf"


def _of_library() -> Iterator[tuple[str, Case]]:
    """Settings and networks made in Python, wrong ones and ones just within their bounds."""
    recipes = (_loaded(f"recipes/{name}.py")["Settings"]() for name in ("imagenet", "finetune", "voc"))
    for made in (CifarSettings(), DetectionSettings(), StudySettings(), *recipes, SPECS["ResNet20"]):
        for name, hint in hints_of(type(made)).items():
            for bounds in {mark for mark in marks(hint, Between) if type(mark) is Between}:
                many = tuple in map(get_origin, _parts(hint))
                for value in (bounds.least - 1, bounds.most * 10, float("nan"), float("inf"), 10**5000):
                    yield "in Python: a wrong number", _replaced(made, name, (value, value) if many else value)
                for value in (bounds.least, bounds.most) if isinstance(made, (RunSettings, StudySettings)) else ():
                    case = _replaced(made, name, (value, value) if many else value, must="served")
                    yield "in Python: a number at its bound", case
            for value in (object, b"x", [None], {"x": 1}):
                yield "in Python: of another type", _replaced(made, name, value)


def _replaced(made, name: str, value, must: str = "refused") -> Case:
    label = f"{type(made).__module__}.{type(made).__name__}.{name} = {shown(value)}"
    return Case(label, lambda folder: None, lambda folder: dataclasses.replace(made, **{name: value}), must=must)


def _case(words: tuple[str, ...], line: list[str], suffix: str = "") -> Case:
    def prepare(folder):
        for name in ("file", "p.jpg", "w.pth", "q.txt"):
            (folder / name).write_text("no more than this\n")
        if suffix:
            (folder / f"folder{suffix}").mkdir()
            os.mkfifo(folder / f"pipe{suffix}")

    def use(folder):
        sys.argv = [str(ROOT / words[0]), *words[1:], *line]
        runpy.run_path(sys.argv[0], run_name="__main__")

    shown = " ".join(word if len(word) < 60 else f"{word[:8]}...{len(word)}" for word in line)
    return Case(f"{' '.join(words)} {ascii(shown)[1:-1]}", prepare, use, must="refused")
