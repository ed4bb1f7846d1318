"""A run's folder is marked, and other programs' files in it or in other folders are left alone."""

import json
import shutil

import pytest
from run_folders import FULL, run_of

from keras_resnet import InputError
from keras_resnet.training.files.checkpoints import CheckpointFolder
from keras_resnet.training.files.ownership import MARKER, STUDY, mark
from keras_resnet.training.files.workdir import Workdir


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


FOREIGN = {
    "Spark's output": ["part-00000-of-00010", "part-0001.parquet", "_SUCCESS"],
    "photos": ["cat/0.jpg", "notes.txt"],
    "checkpoints of another program": ["checkpoints/step-000000005/model.bin", "checkpoints/latest"],
    "files of our names": ["settings.json", "metrics.csv", "best.keras", "result.json"],
    "a lock with content": ["lock"],
    "a marker of another package": [MARKER],
}


@pytest.mark.parametrize("files", FOREIGN)
def test_a_folder_with_other_files_is_refused_by_name_and_left_as_it_is(files, tmp_path):
    for name in FOREIGN[files]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('{"package": "other", "model": 1, "settings": {}}')
    if files == "files of our names":
        (tmp_path / "result.json").write_text('{"settings": 3}')
    before = contents(tmp_path)
    with pytest.raises(InputError, match=r"does not hold a run but other files .* new or an empty folder as --workdir"):
        Workdir(tmp_path, {})
    assert contents(tmp_path) == before


def test_a_run_is_marked_and_foreign_files_in_it_stay(tmp_path):
    run_of(tmp_path)
    assert json.loads((tmp_path / MARKER).read_text())["holds"] == "a run"
    foreign = ("notes.txt", "part-7-notes.txt", "part-x-best.keras", "checkpoints/part-0.bin", "checkpoints/part-7x/a",
               "checkpoints/step-000000000/notes.txt", "checkpoints/step-000000005.bak/state.json",
               "checkpoints/step-abc/variables.npz", "train/mine")  # fmt: skip
    for name in foreign:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    for name in ("part-7-best.keras", "part-12-metrics.csv"):  # left by a killed process
        (tmp_path / name).write_text("")
    run_of(tmp_path, steps=(5, 6, 7, 8, 9))
    assert {name: (tmp_path / name).read_text() for name in foreign} == {name: name for name in foreign}
    assert {path.name for path in tmp_path.glob("part-*")} == {"part-7-notes.txt", "part-x-best.keras"}
    assert CheckpointFolder(tmp_path / "checkpoints").steps() == [7, 8, 9]


def test_a_run_of_an_early_version_without_a_marker_is_accepted_and_marked(tmp_path):
    """Also one with damaged settings, and one with a result but no checkpoints."""
    run_of(tmp_path)
    path = tmp_path / "checkpoints" / "step-000000005" / "state.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in content.items() if not key.startswith("run")}))
    for settings in (json.dumps(FULL), "{"):
        (tmp_path / MARKER).unlink()
        (tmp_path / "settings.json").write_text(settings)
        Workdir(tmp_path, FULL).close()
        assert (tmp_path / MARKER).exists()
    (tmp_path / MARKER).unlink()
    shutil.rmtree(tmp_path / "checkpoints")
    (tmp_path / "result.json").write_text(json.dumps({"settings": FULL}))
    with pytest.raises(InputError, match="seed was 0 and is 1"):
        Workdir(tmp_path, FULL | {"seed": 1})


@pytest.mark.parametrize("left", [[], ["lock"], ["lock", f"part-12-{MARKER}"]])
def test_a_folder_left_by_a_process_killed_at_its_start_counts_as_new(left, tmp_path):
    for name in left:
        (tmp_path / name).write_text("")
    Workdir(tmp_path, {}).close()
    assert not list(tmp_path.glob("part-*"))


def test_folders_of_a_study_and_of_a_later_version_are_refused(tmp_path):
    mark(tmp_path, STUDY)
    with pytest.raises(InputError, match="holds a study, not a run: choose another --workdir"):
        Workdir(tmp_path, {})
    (tmp_path / MARKER).write_text('{"package": "keras_resnet", "holds": "a run", "format": 99}')
    with pytest.raises(InputError, match="written by a later version"):
        Workdir(tmp_path, {})
