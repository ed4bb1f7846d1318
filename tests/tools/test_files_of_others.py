"""Tools replace what they wrote before, and no file of something else: neither their input nor a result of a run."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image
from programs import load_program, run

from keras_resnet import InputError
from keras_resnet.analysis.instrument_result import write_result
from keras_resnet.evaluation import check_folder
from keras_resnet.evaluation.embeddings import Embeddings
from keras_resnet.evaluation.projector import write_projector
from keras_resnet.files import check_not_read, check_replaceable


@pytest.fixture
def folder(tmp_path):
    """Two photos, a file that begins as a network does, and files that other programs wrote."""
    for number in range(2):
        Image.new("RGB", (32, 32)).save(tmp_path / f"{number}.png")
    with zipfile.ZipFile(tmp_path / "network.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    (tmp_path / "mine.csv").write_text("file,label\n0.png,cat\n1.png,dog\n")
    (tmp_path / "classes.csv").write_text("class,colour\ncat,red\n")
    (tmp_path / "mine.json").write_text(json.dumps({"images": []}))
    (tmp_path / "result.json").write_text(json.dumps({"val_error": 8.75}))
    return tmp_path


@pytest.mark.long
@pytest.mark.parametrize(
    ("command", "kept"),
    [
        (["tools/find_mislabelled.py", "mine.csv", "--model", "network.keras", "--out", "mine.html"], "mine.csv"),
        (["tools/inspect_data.py", ".", "--out", "mine.html"], "mine.json"),
        (["tools/evaluate.py", "--model", "network.keras", "--data", "mine.csv", "--by-class", "."], "classes.csv"),
        (["tools/analyze.py", "responses", "--model", "network.keras", "--data", "demo", "--out", "."], "result.json"),
        (["tools/detect.py", ".", "--model", "network.keras", "--out", "."], "0.png"),
        (["tools/detect.py", "1.png", "--model", "network.keras", "--out", "."], "1.png"),
        (["tools/classify.py", "0.png", "1.png", "--model", "network.keras", "--draw", "1.png"], "1.png"),
        (["tools/embed.py", "near", "features.npz", "1.png", "--draw", "1.png"], "1.png"),
        (["tools/study_on_jax.py", "degradation", "--images", "none.npz", "--workdir", "."], "result.json"),
        (["tools/localize.py", "1.png", "--classifier", "ResNet18", "--rpn", "network.keras", "--out", "."], "1.png"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else value,
)
def test_a_file_of_something_else_is_named_and_stays(command, kept, folder):
    before = {path: path.read_bytes() for path in folder.iterdir()}
    environment = {"KERAS_BACKEND": "jax"} if "jax" in command[0] else {}
    done = run(*command, folder=folder, environment=environment)
    line = done.stderr.splitlines()[-1]
    assert (done.returncode, kept in line, line.endswith("choose another place.")) == (2, True, True), done.stderr
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_result_replaces_that_of_an_instrument_alone(folder):
    with pytest.raises(InputError, match=r"result.json was not written by this program and would be replaced"):
        write_result(folder, "responses", {}, {})
    for value in (1, 2):
        write_result(folder / "new", "responses", {"value": value}, {})
    assert json.loads((folder / "new" / "result.json").read_text()) == {"instrument": "responses", "value": 2}
    (folder / "new" / "figure.png").write_bytes(b"drawn by the instrument")
    write_result(folder / "new", "responses", {}, {})
    (folder / "paper").mkdir()
    (folder / "paper" / "figure.png").write_bytes(b"drawn by hand")
    with pytest.raises(InputError, match=r"paper/figure.png was not written by this program and would be replaced"):
        write_result(folder / "paper", "responses", {}, {})


@pytest.mark.long
@pytest.mark.parametrize(
    "command",
    [
        ("tools/detect.py", "1.jpg", "--model", "network.keras", "--out", "."),
        ("tools/localize.py", "1.jpg", "--classifier", "ResNet18", "--rpn", "network.keras", "--out", "."),
    ],
    ids=lambda words: words[0],
)
def test_the_mask_of_a_photo_is_not_replaced_by_its_drawing(command, folder):
    Image.new("RGB", (32, 32)).save(folder / "1.jpg")
    before = (folder / "1.png").read_bytes()
    done = run(*command, folder=folder)
    assert (done.returncode, (folder / "1.png").read_bytes()) == (2, before)
    assert "1.png was not written by this program and would be replaced: choose another place." in done.stderr


def test_answers_by_class_replace_earlier_ones_alone(tmp_path):
    (tmp_path / "confusion.png").write_bytes(b"drawn by something else")
    with pytest.raises(InputError, match=r"confusion.png was not written by this program and would be replaced"):
        check_folder(tmp_path)
    (tmp_path / "classes.csv").write_text("class,photos,answers,right,recall\n")
    check_folder(tmp_path)


def test_labels_that_were_made_by_hand_are_not_replaced_by_detections(folder):
    """In a YOLO folder, whose labels are where the tool would write its own; what it wrote itself has a drawing."""
    detect = load_program("tools/detect.py").Detect
    (folder / "labels").mkdir()
    (folder / "labels" / "1.txt").write_text("0 0.5 0.5 0.25 0.25\n")
    (folder / "images").mkdir()
    Image.new("RGB", (32, 32)).save(folder / "images" / "1.png")
    (folder / "1.png").unlink()
    tool = detect((folder / "images",), (folder / "network.keras",), folder, ("json", "yolo"))
    with pytest.raises(InputError, match=r"labels/1.txt was not written by this program .* choose another place"):
        tool.run()
    assert (folder / "labels" / "1.txt").read_text() == "0 0.5 0.5 0.25 0.25\n"
    detect((folder / "images",), (folder / "network.keras",), folder, ("json",))._check_replaced(["1"])
    tool._begin(("cat",))  # as before the drawing
    Image.new("RGB", (32, 32)).save(folder / "1.png")
    tool._check_replaced(["1"])


@pytest.mark.parametrize("kept", ["detections.json", "detections.csv", "localization.json"])
def test_lists_of_boxes_of_something_else_stay(kept, folder):
    (folder / kept).write_text("boxes of something else")
    photo, model = ((folder / "0.png").rename(folder / "0.jpg"),), (folder / "network.keras",)
    if kept == "localization.json":
        tool = load_program("tools/localize.py").Localize(photo, ("ResNet18",), model, out=folder)
    else:
        tool = load_program("tools/detect.py").Detect(photo, model, folder, ("json", "csv"))
    with pytest.raises(InputError, match=rf"{kept} was not written by this program .* choose another place\.$"):
        tool.run()
    assert (folder / kept).read_text() == "boxes of something else"


@pytest.mark.parametrize("name", ["metadata.tsv", "photos.png", "features.tsv", "projector_config.pbtxt"])
def test_a_view_for_the_projector_replaces_an_earlier_view_alone(name, tmp_path):
    made = Embeddings(
        np.eye(2, dtype=np.float16), np.arange(2), *(np.array(["train", "val"]) for _ in range(4)), model="m.keras"
    )
    view, other = tmp_path / "view", tmp_path / "other"
    assert [write_projector(made, view) for _ in range(2)] == [2, 2]
    other.mkdir()
    (other / name).write_text("a file of something else")
    with pytest.raises(InputError, match=f"{name} was not written by this program and would be replaced"):
        write_projector(made, other)
    assert [(path.name, path.read_text()) for path in other.iterdir()] == [(name, "a file of something else")]


def test_drawings_of_earlier_photos_are_no_photos(folder):
    by_name, drawings = load_program("tools/detect.py")._by_name, folder / "detections"
    drawings.mkdir()
    Image.new("RGB", (32, 32)).save(drawings / "0.png")
    assert list(by_name((folder,), drawings).values()) == ["0", "1"]
    assert list(by_name((drawings,), folder).values()) == ["0"]


def test_what_may_be_replaced(folder):
    check_replaceable(folder / "nothing.csv", "place,path")
    check_replaceable(folder / "mine.csv", "file,label")
    with pytest.raises(InputError, match=r"mine.csv was not written by this program"):
        check_replaceable(folder / "mine.csv", "place,path")
    (folder / "link.png").symlink_to(folder / "0.png")
    check_not_read([folder / "2.png"], [folder / "0.png"])
    with pytest.raises(InputError, match=r"link.png is one of the photos"):
        check_not_read([folder / "link.png"], [folder / "0.png"])
