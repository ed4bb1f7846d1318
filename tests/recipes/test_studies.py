"""The arms of the studies match their names, and a study runs from the command line."""

import json

import pytest
from conftest import ROOT
from programs import load_program, run

import keras_resnet
from keras_resnet import InputError
from keras_resnet.training.cifar import CifarSettings
from keras_resnet.weights import CAFFE, write

FILES = sorted((ROOT / "recipes" / "studies").glob("*.py"))


PROGRAMS = {path.stem: load_program(path) for path in FILES}
STUDIES = {name: program.STUDY for name, program in PROGRAMS.items() if hasattr(program, "STUDY")}


@pytest.mark.parametrize("name", STUDIES)
def test_arms_can_be_trained_and_pairs_are_arms(name):
    study = STUDIES[name]
    names = [arm.name for arm in study.arms]
    assert study.name == name
    assert len(set(names)) == len(names)
    assert {name for pair in study.pairs for name in pair} <= set(names)
    for arm in study.arms:
        CifarSettings(model=arm.model, change=arm.change or None, **arm.settings).check()


def test_the_center_of_the_study_of_fine_tuning_is_the_recipe_s_default():
    recipe, center = load_program("recipes/finetune.py"), PROGRAMS["finetuning"].CENTER
    settings = recipe.Settings(model="a.keras")
    chosen = recipe.preset(settings, PROGRAMS["finetuning"].Settings().photos) | {"layer_decay": settings.layer_decay}
    assert {name: chosen[name] for name in center} == center


def cost(study, name):
    return next(arm for arm in STUDIES[study].arms if arm.name == name).cost()


@pytest.mark.long
def test_bottlenecks_match_basic_blocks():
    """Within 1.5 %, in the quantity of their name, by the package's own count (checked against Table 1 elsewhere)."""
    for arm in STUDIES["bottleneck"].arms:
        if arm.name.startswith("bottleneck"):
            quantity = "multiply_adds" if arm.name.endswith("multiply-adds") else "parameters"
            basic = cost("bottleneck", "basic20" if arm.model == "ResNet20" else "basic56")
            assert arm.cost()[quantity] == pytest.approx(basic[quantity], rel=0.015)


@pytest.mark.long
def test_depth_is_traded_for_width_at_equal_parameters():
    """As many as ResNet-110 or, for two arms, ResNet-20 in Table 6: 1.7 and 0.27 million."""
    for arm in STUDIES["depth_for_width"].arms:
        parameters = 269_722 if arm.name in ("ResNet20", "ResNet110-thin") else 1_727_962
        assert arm.cost()["parameters"] == pytest.approx(parameters, rel=0.015)


@pytest.mark.long
def test_a_study_runs_and_an_unknown_arm_ends_in_one_sentence(photo_folder, tmp_path):
    study = ("recipes/studies/degradation.py", "--data", photo_folder)
    short = ("--scale", 2 / 64_000, "--batch-size", 4, "--seeds", 1, "--workdir", tmp_path / "d")
    done = run(*study, *short, "--arms", "PlainNet20", "ResNet20")
    assert done.returncode == 0, done.stderr
    assert "| ResNet20 | 269,722 | 40,551,040 |" in done.stdout
    assert "cannot decide: a single run" in done.stdout
    wrong = run(*study, *short, "--arms", "ResNet21")
    assert wrong.returncode == 2
    assert wrong.stderr.splitlines()[-1].startswith("degradation.py: --arms 'ResNet21'")


@pytest.fixture
def trained(tmp_path):
    """A network of random weights as NAME:WEIGHTS."""
    model = keras_resnet.ResNet20()
    model.preprocessing = CAFFE
    write(model, tmp_path / "trained.npz")
    return f"ResNet20:{tmp_path / 'trained.npz'}"


@pytest.mark.long
def test_the_study_of_fine_tuning_needs_a_name_and_judges_a_probe(trained, photo_folder, tmp_path):
    study = ("recipes/studies/finetuning.py", "--data", photo_folder, "--photos", 3, "--workdir", tmp_path / "f")
    done = run(*study, "--model", trained, "--seeds", 4, 5, "--arms", "linear probe")
    assert done.returncode == 0, done.stderr
    measured = json.loads((tmp_path / "f" / "result.json").read_text())["measured"]["linear probe"]
    assert list(measured) == ["4", "5"]
    wrong = run(*study, "--model", "trained.keras")
    assert wrong.returncode == 2
    assert "--model must be NAME:WEIGHTS" in wrong.stderr


@pytest.mark.parametrize("name", ["finetuning", "balance"])
def test_studies_of_single_photos_refuse_records(name, photo_folder, tmp_path):
    records, study = tmp_path / "records", PROGRAMS[name]
    load_program("tools/make_records.py").MakeRecords(records, str(photo_folder)).run()
    settings = study.Settings(data=str(records), model="ResNet20:a.npz", workdir=tmp_path / "study")
    with pytest.raises(InputError, match="records has no photos in files of their own: give a folder or a list"):
        study.main(settings)
    assert not (tmp_path / "study").exists()


def test_a_class_without_validation_photos_is_none_of_the_errors_of_balance():
    rows = [{"class": "cat", "right": 0, "photos": 0}, {"class": "dog", "right": 3, "photos": 4}]
    result = {"val_error": 25.0, "val_by_class": {"classes": rows, "balanced_error": 25.0}}
    assert PROGRAMS["balance"].errors(result, "dog")["error of the rarest class"] == 25.0


@pytest.mark.slow
def test_the_study_of_balance_looks_at_the_rarest_class(trained, photo_folder, tmp_path):
    """Of six cats and two dogs; each arm is a run of the recipe with its flag."""
    for number in range(2, 6):
        (photo_folder / "train" / "dog" / f"{number}.JPEG").unlink()
    study = ("recipes/studies/balance.py", "--data", photo_folder, "--model", trained, "--workdir", tmp_path / "b")
    done = run(*study, "--steps", 2, "--seeds", 0)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "b" / "result.json").read_text())
    assert (result["rare"], result["photos"]) == ("dog", {"cat": 6, "dog": 2})
    for balance in ("none", "weights", "sampling"):
        of_run = json.loads((tmp_path / "b" / f"{balance}-seed0" / "result.json").read_text())
        assert of_run["settings"]["balance"] == balance
        dog = of_run["val_by_class"]["classes"][1]
        expected = {"error": of_run["val_error"], "balanced error": of_run["val_by_class"]["balanced_error"]}
        expected["error of the rarest class"] = 100 * (1 - dog["right"] / dog["photos"])
        assert result["measured"][balance]["0"] == pytest.approx(expected)


def test_the_study_of_balance_needs_validation_photos_of_the_rarest_class(photo_folder, tmp_path):
    program, photos = PROGRAMS["balance"], sorted((photo_folder / "train" / "dog").iterdir())
    for photo in [*photos[1:], *(photo_folder / "val" / "dog").iterdir()]:
        photo.unlink()
    settings = program.Settings(data=str(photo_folder), workdir=tmp_path / "study", model="ResNet20:none.npz")
    with pytest.raises(InputError, match="has no validation photo of dog, its rarest class"):
        program.main(settings)
    assert not (tmp_path / "study").exists()
