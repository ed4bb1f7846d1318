"""Command lines answer before Keras and TensorFlow are imported."""

import ast
import importlib
import json
import subprocess
import sys
import types

import numpy as np
import pytest
from conftest import ROOT

from keras_resnet.training.files.checkpoints import CheckpointFolder

HEAVY = ("h5py", "keras", "keras_cv", "matplotlib", "scipy", "sklearn", "tensorflow", "tensorflow_datasets")
PROGRAMS = sorted(
    path.relative_to(ROOT)
    for folder in ("recipes", "recipes/studies", "tools")
    for path in (ROOT / folder).glob("*.py")
    if "__main__" in path.read_text()
)
ANSWERS = """
import contextlib, io, json, os, runpy, sys
os._exit = sys.exit  # recipes that refuse would end the process themselves
answers = []
for program, *arguments in {commands!r}:
    sys.path.insert(0, os.path.dirname(program))  # as Python does
    sys.argv = [program, *arguments]
    said = io.StringIO()
    status = None
    try:
        with contextlib.redirect_stdout(said):
            runpy.run_path(program, run_name="__main__")
    except SystemExit as end:
        status = end.code or 0
    del sys.path[0]
    answers.append([status, len(said.getvalue()), [name for name in {heavy!r} if name in sys.modules]])
print(json.dumps(answers))
"""


def answers(commands):
    """The status of each command, the length of what it prints, and what is heavy and loaded by it or one before it."""
    commands = [[str(ROOT / program), *arguments] for program, *arguments in commands]
    return imported(ANSWERS.format(commands=commands, heavy=HEAVY))


def imported(code):
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert completed.returncode == 0, completed.stderr
    return json.loads(completed.stdout.splitlines()[-1])


def test_the_package_imports_nothing_heavy():
    code = f"import json, sys, keras_resnet; print(json.dumps([n for n in {(*HEAVY, 'numpy')!r} if n in sys.modules]))"
    assert imported(code) == []


@pytest.mark.long
def test_help_is_there_before_anything_heavy():
    commands = [[str(program), "--help"] for program in PROGRAMS]
    for program, (status, length, heavy) in zip(PROGRAMS, answers(commands), strict=True):
        assert (status, heavy) == (0, []), program
        assert length > 200, program


REFUSED = [
    "recipes/imagenet.py --batch-size 0",
    "recipes/imagenet.py --data /nope",
    "recipes/cifar10.py --data /nope",
    "recipes/coco.py --model a.keras --data /nope",
    "recipes/voc.py --model a.keras --anchor-scales 0",
    "recipes/localization.py --model a.keras --data /nope",
    "recipes/studies/seeds.py --data /nope",
    "recipes/studies/seeds.py --seeds 0",
    "tools/evaluate.py --model a.keras --data demo --batch-size 0",
    "tools/inspect_data.py /nope",
    "tools/classify.py cat.jpg --model nothing.keras",
    "tools/classify.py cat.jpg --model ResNet51",
    "tools/detect.py cat.jpg --model nothing.keras",
    "tools/embed.py write --model nothing.keras --data demo --out photos.npz",
    "tools/evaluate.py --model ResNet50:nothing.h5 --data demo",
    "tools/evaluate_detection.py --model nothing.keras --data demo",
    "tools/export.py --model nothing.keras --data demo --out model.onnx",
    "tools/export_detector.py --model nothing.keras --out model.onnx",
    "tools/find_mislabelled.py demo --model nothing.keras",
    "tools/localize.py cat.jpg --rpn nothing.keras --classifier ResNet18:imagenet",
    "tools/analyze.py responses --model nothing.keras",
    "recipes/finetune.py --model nothing.keras --data demo",
    "tools/export.py --model a.keras --data demo --out /dev/null/nope",
    "tools/benchmark.py train --rounds 0",
    "tools/table1.py --formt csv",
]


@pytest.mark.long
def test_a_refusal_is_there_before_anything_heavy(tmp_path):
    for suffix in (".keras", ".weights.h5", ".safetensors", ".npz", ".pth", ".txt"):
        (tmp_path / f"text{suffix}").write_text("no model")
    np.savez(tmp_path / "arrays.npz", kernel=np.zeros(3))
    commands = [
        *REFUSED,
        f"recipes/finetune.py --model {tmp_path}/arrays.npz --data /nope",
        f"tools/evaluate.py --model {tmp_path}/arrays.npz --data /nope",
        f"tools/detect.py cat.jpg --model {tmp_path}/text.keras",
        f"tools/classify.py cat.jpg --model {tmp_path}/text.weights.h5",
        f"tools/evaluate.py --model ResNet50:{tmp_path}/text.npz --data demo",
        f"recipes/finetune.py --model {tmp_path}/text.safetensors --data demo",
        f"tools/find_mislabelled.py demo --model {tmp_path}/text.pth",
        f"tools/analyze.py responses --model {tmp_path}/text.txt",
    ]
    for command, (status, _, heavy) in zip(commands, answers([line.split() for line in commands]), strict=True):
        assert (status, heavy) == (2, []), command


@pytest.mark.long
def test_the_folder_of_a_run_of_other_settings_is_refused_before_anything_heavy(photo_folder, tmp_path):
    """Of a finished run, and of one that has a checkpoint."""
    finished, begun = tmp_path / "finished", tmp_path / "begun"
    for folder in (finished, begun):
        (folder / "checkpoints").mkdir(parents=True)
        (folder / "settings.json").write_text(json.dumps({"seed": 1}))
    (finished / "result.json").write_text(json.dumps({"settings": {"seed": 1}}))
    CheckpointFolder(begun / "checkpoints").save({"kernel": np.zeros(3)}, {"step": 3}, {"seed": 1})
    commands = [
        ["recipes/cifar10.py", "--workdir", str(finished)],
        ["recipes/imagenet.py", "--workdir", str(finished), "--data", str(photo_folder)],
        ["recipes/cifar10.py", "--workdir", str(begun)],
    ]
    for command, (status, _, heavy) in zip(commands, answers(commands), strict=True):
        assert (status, heavy) == (2, []), command


PACKAGES = sorted(path.parent.relative_to(ROOT) for path in (ROOT / "keras_resnet").rglob("__init__.pyi"))


@pytest.mark.parametrize("package", PACKAGES, ids=str)
def test_every_name_that_a_stub_lists_is_there(package):
    """Each name is what its stub says: a module would hide a function of the same name."""
    module = importlib.import_module(".".join(package.parts))
    listed = {}
    for line in ast.parse((ROOT / package / "__init__.pyi").read_text()).body:
        listed |= {name.asname: line.module for name in line.names}
    assert listed.keys() == set(module.__all__)
    for name, source in listed.items():
        assert isinstance(getattr(module, name), types.ModuleType) == (source is None), name


@pytest.mark.long
def test_keras_after_an_import_of_the_package():
    """It knows the classes of saved networks, whichever module imports it, and its settings are open: the first layer
    or input fixes the dtype policy, and a float type that is set later is ignored.

    In a process each, forked from one that has loaded Keras alone.
    """
    code = """
import importlib, json, os
import keras
names = ("Network", "BatchNormalization", "BlockLoop", "IdentityShortcut", "Maxout", "StochasticDepth")
known = []
for module in ("weights.named", "weights.values", "layers.block_loop", "network", "data.augment"):
    child = os.fork()
    if not child:
        importlib.import_module(f"keras_resnet.{module}")
        unknown = any(keras.saving.get_registered_object(f"keras_resnet>{name}") is None for name in names)
        keras.config.set_floatx("float64")
        os._exit(unknown or keras.config.dtype_policy().name != "float64")
    known.append(os.waitpid(child, 0)[1])
print(json.dumps(known))
"""
    assert imported(code) == [0] * 5


def test_no_garbage_is_collected_while_a_library_is_imported(tmp_path):
    """A module in TensorFlow's place makes objects that would start hundreds of collections."""
    (tmp_path / "tensorflow.py").write_text(
        "import types\n"
        "config = types.SimpleNamespace(list_physical_devices=list)\n"
        "made = [[number] for number in range(500_000)]\n"
    )
    code = f"""
import gc, json, sys
import keras_resnet
sys.path.insert(0, {str(tmp_path)!r})
collections = []
gc.callbacks.append(lambda phase, info: collections.append(phase))
import tensorflow
during = len(collections)
assert len(tensorflow.made) == 500_000
print(json.dumps([during, len(gc.get_objects(generation=0)), gc.isenabled()]))
"""
    during, young, enabled = imported(code)
    assert enabled
    assert young < 10_000  # the others are in the oldest generation
    assert during <= 4  # the start and end of the first, or of two, once it is on again
