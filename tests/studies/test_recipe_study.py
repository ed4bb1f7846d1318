"""Arms that are runs of a recipe: what is measured, compared and kept."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ROOT

from keras_resnet import InputError
from keras_resnet.studies import RecipeStudySettings, compare, compare_arms, train
from keras_resnet.tables import Table

ERRORS = {"old": {0: 30.0, 1: 34.0, 2: 31.0}, "new": {0: 25.0, 1: 28.5, 2: 26.0}, "third": {0: 1.0, 1: 2.0, 2: 3.0}}
PAIRS = [("new", "old"), ("third", "old")]


def arms_of(errors):
    return {name: lambda seed, by_seed=by_seed: {"error": by_seed[seed]} for name, by_seed in errors.items()}


def test_arms_are_compared_by_their_errors(tmp_path, capsys):
    result = compare_arms("s", RecipeStudySettings(workdir=tmp_path), arms_of(ERRORS), PAIRS, question="Which?")
    stored = json.loads((tmp_path / "result.json").read_text())
    assert (stored["instrument"], stored["question"], stored["data"]) == ("s", "Which?", "demo")
    assert stored["comparisons"] == json.loads(json.dumps(result["comparisons"]))
    assert (stored["measured"]["new"]["1"], stored["seeds"]) == ({"error": 28.5}, [0, 1, 2])
    assert result["comparisons"][0]["error"] == compare(ERRORS["new"], ERRORS["old"], 2)
    table = Table("", **stored["tables"]["arms"])
    assert table.rows[0] == ["old", "31.67 ± 2.08", "3"]
    low, high = result["comparisons"][1]["error"]["interval"]
    assert stored["tables"]["differences"]["rows"][1] == ["third - old", f"**-29.67 ({low:+.2f} to {high:+.2f})**"]
    assert "| new | 26.50 ± 1.80 | 3 |" in capsys.readouterr().out
    assert "command" in stored


def test_the_intervals_of_all_pairs_and_measures_hold_together(tmp_path):
    arms = {
        name: lambda seed, by_seed=by_seed: {"error": by_seed[seed], "balanced error": 2 * by_seed[seed]}
        for name, by_seed in ERRORS.items()
    }
    result = compare_arms("s", RecipeStudySettings(workdir=tmp_path), arms, PAIRS)
    assert result["comparisons"][0]["error"] == compare(ERRORS["new"], ERRORS["old"], 4)


def test_fewer_arms_and_seeds_can_be_asked_for(tmp_path):
    settings = RecipeStudySettings(workdir=tmp_path, arms=("third",), seeds=(2,))
    result = compare_arms("s", settings, arms_of(ERRORS), PAIRS)
    assert (result["measured"], result["comparisons"]) == ({"third": {2: {"error": 3.0}}}, [])
    assert result["tables"]["arms"]["rows"] == [["third", "3.00", "1"]]
    with pytest.raises(InputError, match="--arms 'fourth'"):
        compare_arms("s", RecipeStudySettings(workdir=tmp_path, arms=("fourth",)), arms_of(ERRORS), PAIRS)


def test_arms_and_seeds_of_earlier_calls_stay_in_the_result(tmp_path):
    arms = arms_of(ERRORS)
    for chosen, seeds in ((("new",), (0, 2)), (("old",), (0, 1, 2)), (("new",), (1,))):
        settings = RecipeStudySettings(workdir=tmp_path, arms=chosen, seeds=seeds)
        parts = compare_arms("s", settings, arms, PAIRS, question="Which?", photos=5)
    other = tmp_path / "other"
    settings = RecipeStudySettings(workdir=other, arms=("old", "new"))
    whole = compare_arms("s", settings, arms, PAIRS, question="Which?", photos=5)
    assert parts == whole
    text = (tmp_path / "result.json").read_text()
    for study, photos, words in (("s", 6, "photos was 5 and is 6"), ("t", 5, "instrument was s and is t")):
        with pytest.raises(InputError, match=rf"other settings \({words}\).*another --workdir"):
            compare_arms(study, replace(settings, workdir=tmp_path), arms, PAIRS, question="What?", photos=photos)
    assert (tmp_path / "result.json").read_text() == text
    (tmp_path / "result.json").write_text("mine")
    with pytest.raises(InputError, match=r"not a valid result of the study .*move it away"):
        compare_arms("s", replace(settings, workdir=tmp_path), arms, PAIRS, question="Which?", photos=5)


@pytest.mark.long
def test_a_run_of_a_recipe_is_trained_once(photo_folder, tmp_path):
    values = {
        "model": "ResNet20",
        "change": ("blocks=[1]", "filters=[8]"),
        "image_size": 32,
        "batch_size": 4,
        "steps": 2,
    }
    values["recipe"] = "paper"
    first = train("imagenet", tmp_path / "run", data=str(photo_folder), **values)
    written = (tmp_path / "run" / "result.json").stat().st_mtime_ns
    assert (first["steps"], first["settings"]["recipe"]) == (2, "paper")
    assert train("imagenet", tmp_path / "run", data=str(photo_folder), **values) == first
    assert (tmp_path / "run" / "result.json").stat().st_mtime_ns == written
    with pytest.raises(InputError, match="holds a run of other settings"):
        train("imagenet", tmp_path / "run", data=str(photo_folder), **values | {"batch_size": 6})


def test_lists_of_few_photos_are_drawn_by_seed(tmp_path, photo_folder):
    """Two photos a class to train on and the other four, with the validation part's two, to validate on."""
    from programs import load_program

    from keras_resnet import data

    program, opened = load_program(ROOT / "recipes" / "studies" / "finetuning.py"), data.open_data(str(photo_folder))
    chosen = []
    for seed in (0, 0, 1):
        settings = program.Settings(workdir=tmp_path, photos=2)
        drawn = data.open_data(program.drawn(opened, (0, 1), settings, seed))
        parts = [{split.file(at) for at in range(len(split))} for split in (drawn.train, drawn.validation)]
        assert [len(part) for part in parts] == [4, 12]
        assert not parts[0] & parts[1]
        chosen.append(parts[0])
    assert chosen[0] == chosen[1] != chosen[2]


def test_a_study_does_not_continue_with_other_photos(tmp_path, photo_folder):
    """Its runs name their list of photos by its path, so that a list of other photos would reuse them."""
    from programs import load_program

    from keras_resnet import data

    program, opened = load_program(ROOT / "recipes" / "studies" / "finetuning.py"), data.open_data(str(photo_folder))
    path = program.drawn(opened, (0, 1), program.Settings(workdir=tmp_path, photos=2), 0)
    before = Path(path).read_bytes()
    assert program.drawn(opened, (0, 1), program.Settings(workdir=tmp_path, photos=2), 0) == path
    with pytest.raises(InputError, match=r"seed0.csv is the list of a study of other photos.*another --workdir"):
        program.drawn(opened, (0, 1), program.Settings(workdir=tmp_path, photos=3), 0)
    assert Path(path).read_bytes() == before
