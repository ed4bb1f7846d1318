"""A study trains each arm and seed once, compares the arms, and continues where it stopped."""

import json
import shutil
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from conftest import write_photos

from keras_resnet import InputError, load_model
from keras_resnet.studies import Arm, Study, StudySettings, run_study
from keras_resnet.studies.arm_curves import MAX_POINTS, last_train_error, thinned
from keras_resnet.studies.report import plan_sentence, report
from keras_resnet.studies.study_run import _finished, _settings

pytestmark = pytest.mark.long

SMALL = ("blocks=[1]", "filters=[4]")
STUDY = Study(
    "gates",
    "Do gates help?",
    arms=(
        Arm("identity", "ResNet20", SMALL, paper=8.75),
        Arm("gated", "ResNet20", (*SMALL, "shortcut=highway"), {"augmentation": "mixed"}),
        Arm("never", "ResNet110"),
    ),
    pairs=(("gated", "identity"), ("never", "identity")),
    costed=(Arm("ResNet34", "ResNet34"),),
    pocket={"train_images": 2000, "scale": 0.05},
)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A study of two arms and two seeds, three steps of four images each."""
    folder = tmp_path_factory.mktemp("study")
    settings = StudySettings(
        data=str(write_photos(folder)), workdir=folder / "gates", scale=3 / 64_000, seeds=2, batch_size=4,
        arms=("identity", "gated"), image_size=24,
    )  # fmt: skip
    return settings, run_study(STUDY, settings)


def test_the_result_has_every_arm_with_its_cost_and_runs(done):
    settings, result = done
    assert json.loads((settings.workdir / "result.json").read_text()) == json.loads(json.dumps(result))
    identity, gated, never = (result["arms"][name] for name in ("identity", "gated", "never"))
    assert [run["seed"] for run in gated["runs"]] == [0, 1]
    assert gated["parameters"] > identity["parameters"]
    assert identity["val_error"]["mean"] == pytest.approx(sum(run["val_error"] for run in identity["runs"]) / 2)
    assert (never["runs"], never["val_error"]["mean"]) == ([], None)
    assert result["costed"]["ResNet34"]["multiply_adds"] == 3_663_761_408
    whole, classifier = STUDY.arms[0].cost()["multiply_adds"], 4 * 10  # of 32 pixels; the arm's images have 24
    assert identity["multiply_adds"] - classifier == (whole - classifier) * 24**2 / 32**2
    assert [(c["first"], c["second"]) for c in result["comparisons"]] == [("gated", "identity")]
    assert (result["steps"], result["batch_size"], result["seeds"]) == (3, 4, 2)
    assert {"command", "commit", "hardware", "versions"} <= result.keys()
    for name in ("figure.png", "curves.png", "identity-seed0/result.json", "gated-seed1/last.keras"):
        assert (settings.workdir / name).exists()


def test_each_run_has_the_settings_of_its_arm(done):
    settings, _ = done
    saved = json.loads((settings.workdir / "gated-seed1" / "settings.json").read_text())
    assert (saved["change"], saved["augmentation"]) == ([*SMALL, "shortcut=highway"], "mixed")
    assert (saved["seed"], saved["steps"], saved["batch_size"], saved["image_size"]) == (1, 3, 4, 24)
    assert load_model(settings.workdir / "gated-seed1" / "last.keras").input_shape == (None, 24, 24, 3)


def test_the_training_error_is_the_mean_of_the_last_tenth_of_the_steps():
    """Windows have 50 steps, or fewer at the end of an epoch: points are weighted by their steps."""
    rows = [{"split": "train", "step": step, "error": error} for step, error in ((450, 9.0), (468, 7.0), (470, 90.0))]
    rows += [{"split": "validation", "step": 470, "error": 50.0}, {"split": "train", "step": 500, "error": 5.0}]
    assert last_train_error(rows, 500) == pytest.approx((18 * 7.0 + 2 * 90.0 + 30 * 5.0) / 50)


def test_a_finished_study_trains_nothing(done, capsys):
    settings, result = done
    before = (settings.workdir / "gated-seed0" / "result.json").stat().st_mtime_ns
    again = run_study(STUDY, settings)
    assert again["arms"] == result["arms"]
    assert (settings.workdir / "gated-seed0" / "result.json").stat().st_mtime_ns == before
    assert "settings:" not in capsys.readouterr().out


def test_arms_of_earlier_calls_stay_in_the_result(done):
    settings, result = done
    again = run_study(STUDY, replace(settings, arms=("identity",)))
    assert again["arms"] == result["arms"]


def test_runs_that_another_process_finishes_meanwhile_are_in_the_result(done, tmp_path):
    """A thread puts them into the folder while this process trains another arm; it copies what a process has left."""
    settings, result = done
    workdir = tmp_path / "there"

    def finish_elsewhere():
        while not (workdir / "identity-seed0" / "settings.json").exists():
            time.sleep(0.01)
        shutil.copytree(settings.workdir / "gated-seed0", workdir / "gated-seed0")

    other = threading.Thread(target=finish_elsewhere, daemon=True)
    other.start()
    alone = run_study(STUDY, replace(settings, workdir=workdir, seeds=1, arms=("identity",)))
    other.join(60)
    assert alone["arms"]["gated"]["runs"] == result["arms"]["gated"]["runs"][:1]
    stored = json.loads((workdir / "result.json").read_text())
    assert stored["arms"]["gated"]["runs"] == alone["arms"]["gated"]["runs"]


def test_runs_of_other_machines_are_read_from_their_results(done, tmp_path, capsys):
    """Only the missing seed is trained, and the runs of both machines are compared and drawn together."""
    settings, result = done
    other = replace(settings, workdir=tmp_path / "there", earlier=(settings.workdir / "result.json",), seeds=3)
    joined = run_study(STUDY, replace(other, arms=("gated",)))
    assert capsys.readouterr().out.count("== gates") == 1
    gated = joined["arms"]["gated"]["runs"]
    assert [run["seed"] for run in gated] == [0, 1, 2]
    assert gated[:2] == result["arms"]["gated"]["runs"]
    assert joined["arms"]["identity"] == result["arms"]["identity"]
    assert (other.workdir / "curves.png").exists()
    assert [path.name for path in other.workdir.glob("*-seed*")] == ["gated-seed2"]


def test_runs_of_another_study_serve_if_network_and_training_are_the_same(done, tmp_path):
    """The other study changed a shortcut in other words, and has an arm and a measure that are not of this one."""
    settings, result = done
    other = json.loads(json.dumps(result)) | {"study": "other", "measure": "train_error"}
    identity, gated = other["arms"]["identity"], other["arms"]["gated"]
    identity["change"] = [*identity["change"], "shortcut=A"]
    other["arms"] = {"A": identity, "deeper": gated | {"model": "ResNet32"}}
    path = tmp_path / "result.json"
    path.write_text(json.dumps(other))
    joined = run_study(STUDY, replace(settings, workdir=tmp_path / "there", earlier=(path,), arms=("identity",)))
    assert joined["arms"]["identity"] == result["arms"]["identity"]
    assert joined["arms"]["gated"]["runs"] == []
    path.write_text(json.dumps(other | {"arms": {"deeper": other["arms"]["deeper"]}}))
    with pytest.raises(InputError, match="no network of this study: it is of study other"):
        run_study(STUDY, replace(settings, workdir=tmp_path / "here", earlier=(path,)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"steps": 4, "image_size": 16}, r"has other settings \(steps, image_size\)"),
        ({"arms": {"gated": {"model": "ResNet32"}}}, r"has other settings \(arm gated\)"),
        ({"arms": {"new": {}}}, "has other settings"),
        ({"arms": {"gated": {"runs": [{"seed": 0}]}}}, "is not a valid result of a study"),
        (
            {"arms": {"gated": {"runs": [{"seed": 0, "val_error": 1.0}]}}},
            "a run lacks its train_error, seconds",
        ),
        ({"arms": {"gated": {"spoil": {"val_error": float("nan")}}}}, "is not a finite number"),
        (
            {"arms": {"gated": {"spoil": {"curves": {"train": {"step": [1], "error": []}}}}}},
            "more or fewer errors than steps",
        ),
        ({"arms": []}, "is not a valid result of a study"),
    ],
)
def test_invalid_results_and_those_of_other_settings_are_refused(done, tmp_path, change, words):
    settings, result = done
    changed = json.loads(json.dumps(result | change))
    if isinstance(changed["arms"], dict):
        changed["arms"] = {
            n: json.loads(json.dumps(result["arms"]["gated"])) | arm for n, arm in changed["arms"].items()
        }
        for arm in changed["arms"].values():
            arm["runs"][:1] = [run | arm.pop("spoil", {}) for run in arm["runs"][:1]]
    path = tmp_path / "result.json"
    path.write_text(json.dumps(changed))
    folder = tmp_path / "here"
    for file in (path, tmp_path / "nothing.json"):
        expected = words if file == path else "is not a valid result of a study"
        with pytest.raises(InputError, match=expected):
            run_study(STUDY, replace(settings, workdir=folder, earlier=(file,)))
    assert not folder.exists()


def test_a_study_says_how_many_seeds_half_a_point_needs_and_obeys_most_seeds(done, capsys):
    settings, result = done
    plan = result["plan"]
    errors = [[run["val_error"] for run in result["arms"][name]["runs"]] for name in ("identity", "gated")]
    assert plan["std"] == pytest.approx(np.sqrt(np.mean([np.var(two, ddof=1) for two in errors])))
    assert (plan["freedom"], plan["difference"]) == (2, 0.5)
    again = run_study(STUDY, replace(settings, most_seeds=2))
    assert again["arms"] == result["arms"]
    printed = capsys.readouterr().out
    assert plan_sentence(plan) in printed
    assert "out of reach of --most-seeds 2: 2 stay" in printed


def test_the_plan_is_followed_if_it_is_within_most_seeds(done, tmp_path):
    """Two runs of another machine have a standard deviation of 0.14 points, so half a point needs three seeds."""
    settings, result = done
    earlier = json.loads(json.dumps(result))
    earlier["arms"]["gated"]["runs"] = []
    for run, error in zip(earlier["arms"]["identity"]["runs"], (50.0, 50.2), strict=True):
        run["val_error"] = error
    (tmp_path / "result.json").write_text(json.dumps(earlier))
    other = replace(settings, workdir=tmp_path / "there", earlier=(tmp_path / "result.json",), arms=("identity",))
    joined = run_study(STUDY, replace(other, most_seeds=3))
    assert [run["seed"] for run in joined["arms"]["identity"]["runs"]] == [0, 1, 2]


def test_settings_left_out_follow_the_protocol():
    paper, pocket = (StudySettings(protocol=name).resolve(STUDY) for name in ("paper", "pocket"))
    assert (paper.steps, paper.image_size, paper.train_images, paper.seeds) == (64_000, 32, None, 3)
    assert (pocket.steps, pocket.image_size, pocket.train_images) == (3_200, 16, 2000)
    assert (str(paper.workdir), str(pocket.workdir)) == ("runs/studies/gates", "runs/studies/gates-pocket")
    given = StudySettings(protocol="pocket", scale=0.5, image_size=24).resolve(STUDY)
    assert (given.steps, given.image_size, given.train_images) == (32_000, 24, 2000)


def test_thinned_curves_have_few_points_which_are_means():
    rows = [{"split": "train", "step": step, "error": float(step)} for step in range(1, 601)]
    rows += [{"split": "train", "step": 601}, {"split": "validation", "step": 600, "error": 1 / 3}]
    curves = thinned(rows)
    assert curves["validation"] == {"step": [600], "error": [0.333]}
    assert len(curves["train"]["step"]) == MAX_POINTS
    assert curves["train"]["step"][:2] == [10, 20]
    assert curves["train"]["error"][:2] == [5.5, 15.5]
    assert thinned([])["train"] == {"step": [], "error": []}


def test_other_settings_are_refused_in_the_same_folder(done):
    settings, _ = done
    other = replace(settings, scale=4 / 64_000)
    with pytest.raises(InputError, match=r"steps was 3 and is 4.*another --workdir"):
        run_study(STUDY, other)


def test_the_report_names_arms_not_run_and_undecided_comparisons(done):
    lines = report(done[1])
    assert "3 steps of 4 (" in lines[1]
    assert " at 24 pixels, 2 seeds" in lines[1]
    assert any(line.startswith("| never |") and "not run | not run" in line for line in lines)
    assert any(line.startswith("| identity |") and line.endswith("| 8.75 |") for line in lines)
    assert any(line.startswith("- gated - identity:") and "decide" in line for line in lines)


def test_unknown_arms_and_lengths_are_named():
    with pytest.raises(InputError, match="--arms 'x'"):
        run_study(STUDY, StudySettings(arms=("x",)))
    with pytest.raises(InputError, match="--scale -1"):
        StudySettings(scale=-1).check()


def test_a_folder_of_other_files_is_refused_and_left_as_it_is(photo_folder, tmp_path):
    folder = tmp_path / "others"
    folder.mkdir()
    (folder / "result.json").write_text("mine")
    with pytest.raises(InputError, match=r"does not hold a study but other files \(result.json\)"):
        run_study(STUDY, StudySettings(data=str(photo_folder), workdir=folder, seeds=1))
    assert [path.name for path in folder.iterdir()] == ["result.json"]


def test_a_run_with_damaged_results_or_curves_does_not_count_as_finished(done):
    settings, _ = done
    wanted = _settings(STUDY.arms[0], 0, settings)
    assert _finished(wanted) is not None
    for name, content in (("result.json", b"{"), ("result.json", b"[]"), ("metrics.csv", b"\xff")):
        path = wanted.workdir / name
        whole = path.read_bytes()
        path.write_bytes(content)
        assert _finished(wanted) is None
        path.write_bytes(whole)
