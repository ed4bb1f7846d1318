"""Command lines answer before Keras and TensorFlow are imported."""

import ast
import importlib
import json
import subprocess
import sys
import types

import pytest
from conftest import ROOT

HEAVY = ("h5py", "keras", "keras_cv", "matplotlib", "scipy", "sklearn", "tensorflow", "tensorflow_datasets")
PROGRAMS = sorted(
    path.relative_to(ROOT)
    for folder in ("recipes", "recipes/studies", "tools")
    for path in (ROOT / folder).glob("*.py")
    if "__main__" in path.read_text()
)
ASK = """
import contextlib, io, json, os, runpy, sys
sys.path.insert(0, os.path.dirname({program!r}))  # as Python does
os._exit = sys.exit
sys.argv = [{program!r}, *{arguments!r}]
said = io.StringIO()
try:
    with contextlib.redirect_stdout(said):
        runpy.run_path({program!r}, run_name="__main__")
except SystemExit as end:  # recipes that refuse would end the process themselves
    print(json.dumps([end.code or 0, len(said.getvalue()), [name for name in {heavy!r} if name in sys.modules]]))
"""


def imported(code):
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert completed.returncode == 0, completed.stderr
    return json.loads(completed.stdout.splitlines()[-1])


def test_the_package_imports_nothing_heavy():
    code = f"import json, sys, keras_resnet; print(json.dumps([n for n in {(*HEAVY, 'numpy')!r} if n in sys.modules]))"
    assert imported(code) == []


@pytest.mark.parametrize("program", PROGRAMS, ids=str)
def test_help_is_there_before_anything_heavy(program):
    status, length, heavy = imported(ASK.format(program=str(ROOT / program), arguments=["--help"], heavy=HEAVY))
    assert (status, heavy) == (0, [])
    assert length > 200


@pytest.mark.parametrize(
    "command",
    [
        "recipes/imagenet.py --batch-size 0",
        "recipes/imagenet.py --data /nope",
        "recipes/cifar10.py --data /nope",
        "recipes/coco.py --model a.keras --data /nope",
        "recipes/voc.py --model a.keras --anchor-scales 0",
        "recipes/localization.py --model a.keras --data /nope",
        f"recipes/finetune.py --model {__file__} --data /nope",
        "recipes/studies/seeds.py --data /nope",
        "recipes/studies/seeds.py --seeds 0",
        "tools/evaluate.py --model a.keras --data demo --batch-size 0",
        "tools/export.py --model a.keras --data demo --out /dev/null/nope",
        "tools/benchmark.py train --rounds 0",
        "tools/table1.py --formt csv",
    ],
)
def test_a_refusal_is_there_before_anything_heavy(command):
    program, *arguments = command.split()
    status, _, heavy = imported(ASK.format(program=str(ROOT / program), arguments=arguments, heavy=HEAVY))
    assert (status, heavy) == (2, [])


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


@pytest.mark.parametrize("module", ["weights.named", "weights.values", "layers.block_loop", "network", "data.augment"])
@pytest.mark.long
def test_keras_knows_the_classes_of_saved_networks_whichever_module_imports_it(module):
    code = f"""
import importlib, json
importlib.import_module("keras_resnet.{module}")
import keras
names = ("Network", "BatchNormalization", "BlockLoop", "IdentityShortcut", "Maxout", "StochasticDepth")
print(json.dumps([n for n in names if keras.saving.get_registered_object(f"keras_resnet>{{n}}") is None]))
"""
    assert imported(code) == []
