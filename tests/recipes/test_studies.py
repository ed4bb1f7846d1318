"""The arms of the studies match their names, and a study runs from the command line."""

import pytest
from conftest import ROOT
from programs import load_program, run

from keras_resnet.training.cifar import CifarSettings

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
