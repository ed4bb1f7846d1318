"""Settings left unset follow the preset, and wrong ones are named."""

import errno
import os
import re
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ROOT

from keras_resnet import InputError
from keras_resnet.detection import DetectionSettings
from keras_resnet.training import Settings, command_line, resolve
from keras_resnet.training.flags import read_flags

PRESET = {"model": "ResNet18", "batch_size": 32, "steps": 100, "image_size": 64, "base_lr": 0.2}


@pytest.fixture(autouse=True)
def empty_folder(tmp_path_factory, monkeypatch):
    """The current folder of these tests, because a default workdir may hold a run where the tests are started."""
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))


def test_unset_settings_follow_the_preset():
    demo = resolve(Settings(), PRESET, "imagenet")
    assert (demo.model, demo.steps, demo.workdir) == ("ResNet18", 100, Path("runs/imagenet-demo-ResNet18-seed0"))
    chosen = resolve(Settings(data="my/photos", model="ResNet34", batch_size=64), PRESET, "imagenet")
    assert (chosen.model, chosen.batch_size, chosen.steps, chosen.base_lr) == ("ResNet34", 64, 100, 0.2)
    assert chosen.workdir == Path("runs/imagenet-my-photos-ResNet34-seed0")


def test_default_folders_of_different_runs_differ(tmp_path):
    """Two folders called photos, changed networks, and weights of two runs."""
    for parent in ("a", "b"):
        (tmp_path / parent / "photos").mkdir(parents=True)
        (tmp_path / parent / "best.keras").touch()
    chosen = [
        {},
        {"shortcut": "B"},
        {"change": ("blocks=[1,1,1]", "placement=full_preactivation")},
        {"data": "coco/2014"},
        *({"data": str(tmp_path / parent / "photos")} for parent in ("a", "b")),
        *({"model": str(tmp_path / parent / "best.keras")} for parent in ("a", "b")),
        {"model": f"ResNet50:{tmp_path / 'a' / 'best.keras'}"},
    ]
    names = [resolve(Settings(**changes), PRESET, "imagenet").workdir.name for changes in chosen]
    assert len(set(names)) == len(names)
    assert names[1:4] == [
        "imagenet-demo-ResNet18-B-seed0",
        "imagenet-demo-ResNet18-blocks=-1,1,1-placement=full_preactivation-seed0",
        "imagenet-coco-2014-ResNet18-seed0",
    ]
    assert all(re.fullmatch(r"[\w.=,+-]+", name) for name in names)


@pytest.mark.parametrize("weights", ["", ":imagenet", ":Some/File.h5"])
def test_a_network_s_name_in_another_case_is_the_same_run(weights):
    """So a run is found and continued however its network's name is written."""
    given = [resolve(Settings(model=name + weights), PRESET, "imagenet") for name in ("ResNet20", "resnet20")]
    assert given[0] == given[1]
    assert given[0].model == "ResNet20" + weights


def test_a_length_replaces_the_preset_s_other_length():
    resolved = resolve(Settings(epochs=2), PRESET, "imagenet")
    assert (resolved.epochs, resolved.steps) == (2, None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "ResNet19"}, ["model 'ResNet19'", "ResNet18", "PlainNet110"]),
        ({"precision": "float8"}, ["precision 'float8'", "mixed_bfloat16"]),
        ({"shortcut": "D"}, ["shortcut 'D'", "highway"]),
        ({"batch_size": 0}, ["--batch-size 0", "from 1 to 1,000,000"]),
        ({"batch_size": 10**20}, ["--batch-size 1000", "from 1 to 1,000,000"]),
        ({"batch_size": 10**5000}, ["--batch-size of 16,610 bits", "from 1 to 1,000,000"]),
        ({"batch_size": 2.5}, ["--batch-size 2.5", "a whole number"]),
        ({"batch_size": True}, ["--batch-size True", "a whole number"]),
        ({"batch_size": 2, "accumulate": 8}, ["--accumulate 8", "2 images"]),
        ({"epochs": 1e308}, ["--epochs 1e+308", "to 1,000,000"]),
        ({"epochs": 1e-300}, ["--epochs 1e-300", "from 1e-06"]),
        ({"image_size": -5}, ["--image-size -5", "from 1 to 10,000"]),
        ({"base_lr": 0.0}, ["--base-lr 0.0", "from 1e-30"]),
        ({"base_lr": float("inf")}, ["--base-lr inf", "a finite number"]),
        ({"profile": (-1, -1)}, ["--profile -1 -1", "2 values, each a whole number from 0"]),
        ({"profile": (5, 3)}, ["--profile 5 3", "first step, then the last"]),
        ({"data": ""}, ["--data ''", "a text"]),
        ({"data": "x" * 5000}, ["--data 'xxx", "1 to 4,096 bytes"]),
        ({"data": "x" * 256}, ["--data 'xxx", "255 between slashes"]),
        ({"data_dir": Path("a\0b")}, ["--data-dir", "a path"]),
        ({"data": "\udcff"}, ["--data", "UTF-8"]),
        ({"change": ("width=1e-9",)}, ["width", "from 0.01 to 100"]),
        ({"change": ("width=2", "width=3")}, ["width twice"]),
        ({"shortcut": "C", "change": ("shortcut=B",)}, ["--shortcut C and --change shortcut=B are two shortcuts"]),
        ({"steps": 5, "epochs": 1}, ["--steps and --epochs", "one of them"]),
        ({"seed": -1}, ["--seed -1"]),
        ({"model": "ResNet20", "change": ("placement=first",)}, ["placement=first", "full_preactivation"]),
        ({"model": "PlainNet20", "change": ("stochastic_depth=0.5",)}, ["stochastic_depth needs shortcuts"]),
    ],
)
def test_wrong_settings_are_named(change, words):
    with pytest.raises(InputError) as caught:
        replace(Settings(), **change).check()
    assert all(word in str(caught.value) for word in words)


def test_values_of_the_preset_are_checked_together_with_given_ones():
    """A side, or a number of parts, that is wrong only together with another value of the preset."""
    filled = resolve(DetectionSettings(model="vgg16", shorter_side=2000), {"longer_side": 1000}, "coco")
    with pytest.raises(InputError, match="--shorter-side 2000 is more than --longer-side 1000"):
        filled.check()
    with pytest.raises(InputError, match="--accumulate 40 is more than the 32 images"):
        resolve(Settings(accumulate=40), PRESET, "imagenet").check()
    with pytest.raises(InputError, match="height 16 is too small for the strides of ResNet18"):
        resolve(Settings(image_size=16), PRESET, "imagenet").check()


@pytest.mark.parametrize("name", ["ResNet18", "VGG16"])
def test_weights_of_a_user_who_is_not_known_are_refused(name):
    with pytest.raises(InputError, match=r"~nobody-of-this-name/w\.h5 begins with the home folder of an unknown user"):
        DetectionSettings(model=f"{name}:~nobody-of-this-name/w.h5").check()


def test_vgg16_is_found_in_any_case_as_other_networks_are():
    names = [resolve(DetectionSettings(model=name), {}, "coco").model for name in ("vgg16", "VGG16", "Vgg16:w.H5")]
    assert names == ["VGG16", "VGG16", "VGG16:w.H5"]


RECIPES = sorted([*(ROOT / "recipes").glob("*.py"), *(ROOT / "recipes" / "studies").glob("*.py")])


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_help_fits_two_screens_and_shows_the_values_that_will_be_used(recipe, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("sys.argv", [str(recipe), "--help"])
    with pytest.raises(SystemExit) as done:
        runpy.run_path(str(recipe), run_name="__main__")
    text = capsys.readouterr().out
    assert done.value.code == 0
    assert len(text.splitlines()) <= 100
    assert "(default: None)" not in text
    if recipe.parent.name == "recipes":
        common, rare = text.split("rare options")
        assert "--save-every" in rare
        assert re.search(r"Images per step, over all devices. \(default: \d", re.sub(r"[│\s]+", " ", common))


def test_flags_become_settings(monkeypatch):
    words = [
        "--profile",
        "3",
        "5",
        "--change",
        "width=0.5",
        "remat=true",
        "--no-sync-bn",
        "--steps",
        "7",
        "--seed",
        "4",
    ]
    monkeypatch.setattr("sys.argv", ["recipe", *words])
    wanted = Settings(data="d", profile=(3, 5), change=("width=0.5", "remat=true"), steps=7, seed=4)
    assert read_flags(Settings(data="d"), "", {}) == wanted


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOENT, "make sure that it exists and that you may use it, then run the same command again."),
        (errno.ESTALE, "make sure that it exists and that you may use it, then run the same command again."),
        (errno.ENOSPC, "what was saved before is intact: make room, then run the same command again."),
        (errno.EFBIG, "what was saved before is intact: make room, then run the same command again."),
    ],
)
def test_a_file_that_the_system_refuses_ends_a_run_in_one_sentence(number, words, monkeypatch, capsys):
    """Such as one in a shared folder that vanished after the run began."""

    def main(_):
        raise OSError(number, os.strerror(number), "runs/photos-train.npz")

    monkeypatch.setattr(os, "_exit", sys.exit)
    monkeypatch.setattr(sys, "argv", ["imagenet.py"])
    with pytest.raises(SystemExit) as end:
        command_line(main, Settings(), "A recipe.")
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert said.startswith("imagenet.py: ")
    assert said.count("\n") == 1
    assert "'runs/photos-train.npz'" in said
    assert said.endswith(f"{words}\n")
