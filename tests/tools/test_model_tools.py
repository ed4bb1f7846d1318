"""The tools for trained models, run as a user runs them."""

import csv
import io
import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image
from programs import run

import keras_resnet
from keras_resnet import data, drawing, evaluation
from keras_resnet.analysis import activation_map
from keras_resnet.data import augment
from keras_resnet.weights import TORCH

pytestmark = pytest.mark.long


def tool(name, *arguments, whole=False):
    """Run a tool; its exit status, output and last line of errors, or all of them."""
    completed = run(f"tools/{name}.py", *arguments)
    return (
        completed.returncode,
        completed.stdout,
        completed.stderr if whole else (completed.stderr.strip().splitlines() or [""])[-1],
    )


@pytest.fixture
def saved(tmp_path):
    """A small random network for the two classes of the photo folder."""
    model = keras_resnet.ResNet20(blocks=(1, 2, 1), classes=2)
    model.preprocessing, model.class_names, model.licence = TORCH, ("cat", "dog"), "CC0"
    model.save(tmp_path / "m.keras")
    return tmp_path / "m.keras"


def test_table_1_has_the_paper_s_numbers():
    status, text, _ = tool("table1", "--format", "csv")
    rows = {row["network"]: row for row in csv.DictReader(io.StringIO(text))}
    assert status == 0
    assert set(rows) == {*keras_resnet.SPECS, "VGG16", "VGG19"}
    for name, column, value in (
        ("ResNet152", "multiply-adds", 11_282_415_616),
        ("ResNet152", "parameters", 60_192_808),
        ("PlainNet34", "parameters", 21_623_848),
        ("ResNet1202", "parameters", 19_421_274),
        ("VGG19", "multiply-adds", 19_632_062_464),
    ):
        assert int(rows[name][column]) == value
    assert [rows["ResNet34"][f"conv{i}"] for i in range(1, 6)] == ["112x112", "56x56", "28x28", "14x14", "7x7"]
    assert rows["ResNet56"]["conv5"] == ""
    assert rows["ResNet101"]["paper"] == "7.6e9"


def test_evaluate_prints_members_and_their_average(saved, photo_folder, tmp_path):
    for path in (photo_folder / "train").rglob("*.JPEG"):
        path.write_bytes(b"nothing is scored on these, so nothing looks at them")
    other = tmp_path / "other.npz"
    assert tool("convert_weights", saved, other)[0] == 0
    kept = tmp_path / "errors.json"
    how = ("--view", "multi-scale", "--choose", "2", "--flips", "--json", kept)
    status, text, _ = tool("evaluate", "--model", saved, other, "--data", photo_folder, *how)
    assert status == 0
    assert "photos, val: 4 images; view multi-scale with flips" in text
    rows = [line.split(" | ")[1] for line in text.splitlines() if line.startswith(("| /", "| average"))]
    assert len(rows) == 3
    assert len(set(rows)) == 1  # the same weights twice: the same errors three times
    content = json.loads(kept.read_text())
    table = content["tables"]["errors"]
    assert [f"| {' | '.join(row)} |" for row in (table["columns"], *table["rows"])] == [
        line for line in text.splitlines() if line.startswith("| ")
    ]
    assert [f"{100 * errors['top-1'] / 4:.2f}" for errors in content["wrong"].values()] == [
        row.split()[0] for row in rows
    ]
    assert content["photos"] == 4
    assert {"command", "commit", "versions", "hardware", "environment"} < set(content)
    status, _, error = tool("evaluate", "--model", saved, "--data", photo_folder, "--split", "test")
    assert (status, error) == (2, "evaluate.py: photos has no test split: choose --split val.")


def test_evaluate_says_which_classes_fail(saved, photo_folder, tmp_path):
    """The temperature is that of validation, whatever part the answers are of."""
    out, kept = tmp_path / "classes", tmp_path / "errors.json"
    how = ("--data", photo_folder, "--split", "train", "--by-class", out, "--json", kept)
    status, text, error = tool("evaluate", "--model", saved, *how)
    assert status == 0, error
    content = json.loads(kept.read_text())
    by_class = content["by_class"]
    assert sum(row["photos"] - row["right"] for row in by_class["classes"]) == content["wrong"][str(saved)]["top-1"]
    rows = [f"| {' | '.join(row)} |" for row in content["tables"]["classes"]["rows"]]
    assert rows == [line for line in text.splitlines() if line.startswith(("| cat", "| dog"))]
    table = list(csv.DictReader((out / "classes.csv").open(newline="")))
    assert [int(row["right"]) for row in table] == [row["right"] for row in by_class["classes"]]
    assert [float(row["recall, %"]) for row in table] == [row["recall"][0] for row in by_class["classes"]]
    assert sorted(path.name for path in out.iterdir()) == [
        "classes.csv", "confused.png", "confusion.csv", "confusion.png", "reliability.png",
    ]  # fmt: skip
    assert all(Image.open(path).size[0] > 100 for path in out.glob("*.png"))
    model, folder = keras_resnet.load_model(str(saved)), data.open_data(str(photo_folder))
    temperature = evaluation.fit_temperature(evaluation.score(model, folder.validation))
    assert by_class["calibration"]["temperature"] == pytest.approx(temperature, rel=1e-3)
    assert f"at temperature {temperature:.2f}" in text


def test_convert_weights_says_what_it_carries(saved, tmp_path):
    status, text, _ = tool("convert_weights", saved, tmp_path / "w.safetensors")
    assert status == 0
    assert "ResNet20, 93,938 parameters" in text
    assert "shortcut='A', zero_channels='after'" in text
    assert "licence: CC0" in text
    assert "preprocessing: RGB, mean 123.675 116.28 103.53, deviation 58.395 57.12 57.375, crop 0.875\n" in text
    status, _, error = tool("convert_weights", tmp_path / "nothing.pth", tmp_path / "x.keras")
    assert (status, error.split(":")[0]) == (2, "convert_weights.py")
    assert "There is no weight file" in error
    assert not (tmp_path / "x.keras").exists()


def test_classify_names_draws_and_keeps_and_leaves_out_what_is_no_photo(saved, photo_folder, tmp_path):
    """The model has two classes, fewer than are named by default."""
    photos = sorted((photo_folder / "val").rglob("*.JPEG"))
    bad = photo_folder / "val" / "cat" / "no.jpg"
    bad.write_text("no photo")
    wide = np.full((40, 200, 3), (255, 0, 0), np.uint8)  # its ends are outside the view that the network sees
    wide[:, 50:150] = 255
    Image.fromarray(wide).save(tmp_path / "wide.png")
    kept = [tmp_path / name for name in ("answers.png", "answers.json", "answers.csv")]
    flags = [word for flag, path in zip(("--draw", "--json", "--csv"), kept, strict=True) for word in (flag, path)]
    status, text, errors = tool(
        "classify", photo_folder / "val", tmp_path / "wide.png", "--model", saved, *flags, whole=True
    )
    assert status == 0, errors
    assert f"left out: {bad} does not decode: its content is no photo of a known format." in errors.splitlines()
    lines = text.splitlines()
    assert [line for line in lines if line.startswith("/")] == [*map(str, photos), str(tmp_path / "wide.png")]
    assert sorted(line.split()[-1] for line in lines[1:3]) == ["cat", "dog"]
    answers = json.loads(kept[1].read_text())
    rows = list(csv.DictReader(kept[2].open(newline="")))
    for row, (photo, answer) in zip(rows, [(a["photo"], c) for a in answers for c in a["classes"]], strict=True):
        assert (row["photo"], row["class"], float(row["probability"])) == (
            photo,
            answer["class"],
            answer["probability"],
        )
    printed = [line.split() for line in lines if line.startswith(" ")]
    assert [[f"{float(row['probability']):.2%}", row["class"]] for row in rows] == printed
    assert [row["rank"] for row in rows[:2]] == ["1", "2"]
    red = (np.asarray(Image.open(kept[0]).convert("RGB")) == (255, 0, 0)).all(-1)
    assert red.sum() > 400  # the whole photo is drawn, not its middle alone
    status, text, error = tool("classify", bad, tmp_path / "nothing.jpg", "--model", saved, "--top", "2")
    assert (status, text) == (2, "")
    assert error == "classify.py: None of the 2 files is a photo that decodes: give JPEG, PNG or other photos."


@pytest.mark.parametrize("block", [None, "conv3_block2"])
def test_classify_draws_what_the_model_saw_and_which_places_spoke_for_its_answer(saved, photo_folder, tmp_path, block):
    photos = sorted((photo_folder / "val").rglob("*.JPEG"))
    where = ("--explain", tmp_path / "why.png", *(("--explain-at", block) if block else ()))
    status, text, errors = tool("classify", *photos, "--model", saved, "--top", "1", *where)
    assert status == 0, errors
    answers = [line.split() for line in text.splitlines() if line.startswith(" ")]
    model, pictures, titles = keras_resnet.load_model(str(saved)), [], []
    for photo, (probability, name) in zip(photos, answers, strict=True):
        small, large = (augment.center_view(photo.read_bytes(), size, 7 / 8).numpy() for size in (32, 300))
        (values,) = activation_map(model, TORCH(small[None]), [("cat", "dog").index(name)], block)
        seen = large.clip(0, 255).astype(np.uint8)
        pictures += [seen, drawing.heat(seen, values)]
        titles += [photo.name, f"{name} {float(probability.rstrip('%')):.0f}%"]
    expected = drawing.photo_grid(pictures, titles).astype(int)
    drawn = np.asarray(Image.open(tmp_path / "why.png")).astype(int)
    assert drawn.shape == expected.shape
    assert np.abs(drawn - expected).mean() < 1  # other sizes of batches round otherwise


def test_classify_draws_the_first_hundred_of_more_photos(saved, photo_folder, tmp_path):
    photo = next((photo_folder / "val").rglob("*.JPEG"))
    for number in range(101):
        os.link(photo, photo_folder / "val" / "dog" / f"more {number}.JPEG")
    where = ("--draw", tmp_path / "all.png", "--explain", tmp_path / "why.png")
    status, text, errors = tool(
        "classify", photo_folder / "val" / "dog", "--model", saved, "--top", "1", *where, whole=True
    )
    assert status == 0, errors
    assert sum(line.startswith("/") for line in text.splitlines()) == 103
    rows = drawing.photo_grid([np.zeros((1, 1, 3), np.uint8)], [""]).shape[0]  # the height of a row
    for name, pictures in (("all", 100), ("why", 200)):
        assert Image.open(tmp_path / f"{name}.png").height == rows * pictures / drawing.PHOTOS_IN_A_ROW


def test_classify_refuses_an_explanation_at_a_block_that_is_not_there(saved, photo_folder, tmp_path):
    photo = next((photo_folder / "val").rglob("*.JPEG"))
    for flags, words in (
        (("--explain-at", "conv2_block1"), "--explain-at is an option of --explain: give --explain FILE.png as well."),
        (
            ("--explain", tmp_path / "x.png", "--explain-at", "conv9"),
            "ResNet20 has no block or layer conv9: choose one",
        ),
    ):
        status, text, error = tool("classify", photo, "--model", saved, "--top", "1", *flags)
        assert (status, text) == (2, "")
        assert words in error


@pytest.mark.parametrize("name", ["classify", "export"])
def test_scores_that_are_not_finite_are_no_answer(saved, photo_folder, tmp_path, name):
    """Scores of NaN would choose the same class for every photo, the first; weights of NaN are refused at loading."""
    model = keras_resnet.load_model(str(saved))
    top = model.get_layer("predictions")
    top.kernel.assign(np.full(top.kernel.shape, 3e38))  # sums of which are beyond float32
    model.save(tmp_path / "bad.keras")
    top.bias.assign([np.nan, 0])
    model.save(tmp_path / "nan.keras")
    photo = photo_folder / "val" / "cat" / "0.JPEG"
    where = ("--data", photo_folder, "--formats", "litert", "--out", tmp_path / "out") if name == "export" else (photo,)
    status, text, error = tool(
        name, "--model", tmp_path / "bad.keras", "--top" if name == "classify" else "--photos", "2", *where
    )
    assert (status, text) == (2, "")
    assert "ResNet20 gives scores that are not finite for" in error
    assert str(photo) in error
    status, text, error = tool(
        name, "--model", tmp_path / "nan.keras", "--top" if name == "classify" else "--photos", "2", *where
    )
    assert (status, text) == (2, "")
    assert "nan.keras: predictions/bias has NaN or infinite numbers" in error
    assert not (tmp_path / "out").exists()


def test_export_takes_the_division_of_the_model_s_own_run(saved, photo_folder, tmp_path):
    """Of 12 photos without a split, the second of three folds is for comparison."""
    flags = ("--model", saved, "--data", photo_folder / "train", "--out", tmp_path / "out", "--formats", "litert-int8")
    status, _, error = tool("export", *flags, "--folds", 3, "--fold", 2)
    assert status == 2
    assert "--photos 200 of the 4 validation photos of train are too few" in error


def test_export_compares_on_the_photos_there_are_and_refuses_too_few(saved, photo_folder, tmp_path):
    """With fewer than 20 photos, a single difference would be more than the 5 % allowed."""
    model = keras_resnet.load_model(str(saved))
    model.get_layer("predictions").bias.assign([50, -50])  # so far apart that int8 chooses the same
    model.save(saved)
    out, kept = tmp_path / "out", tmp_path / "files.json"
    flags = ("--model", saved, "--data", photo_folder, "--formats", "litert-int8", "--out", out, "--json", kept)
    status, text, error = tool("export", *flags)
    assert (status, text) == (2, "")
    assert error == (
        "export.py: --photos 200 of the 4 validation photos of photos are too few to compare int8: give 20 or more, or "
        "leave litert-int8 out of --formats."
    )
    for number in range(8):
        for name in ("cat", "dog"):
            shutil.copy(photo_folder / "val" / name / "0.JPEG", photo_folder / "val" / name / f"more{number}.JPEG")
    status, text, error = tool("export", *flags)
    assert status == 0, error
    assert "ResNet20 on 20 photos of photos, val, fewer than --photos 200" in text
    assert [entry.name for entry in out.iterdir()] == ["model-int8.tflite"]
    content = json.loads(kept.read_text())
    rows = content["tables"]["files"]["rows"]
    assert [f"| {' | '.join(row)} |" for row in rows] == [
        line for line in text.splitlines() if line[:3] in ("| K", "| m")
    ]
    assert content["files"][1]["same_first_choice"] == 1.0


@pytest.fixture
def exported(real_data, tmp_path):
    """A function that changes the last layer's kernel and bias of a random network and exports it, compared on photos.

    It gives the exit status, what was printed, the last line of errors and the int8 file's agreement in percent.
    """
    data = real_data("imagenette")

    def export(change, *arguments):
        model = keras_resnet.ResNet18(blocks=(1, 1, 1, 1), classes=10, input_shape=(32, 32, 3), width=0.25)
        model.preprocessing = TORCH
        last = model.get_layer("predictions")
        last.set_weights(change(*last.get_weights()))
        model.save(tmp_path / "random.keras")
        where = ("--model", tmp_path / "random.keras", "--data", data, "--out", tmp_path / "out", "--photos", 50)
        status, text, error = tool("export", *where, *arguments)
        assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith("part-")] == []
        int8 = next((line for line in text.splitlines() if line.startswith("| model-int8")), "|||||")
        return status, text, error, int8.split("|")[5].strip()

    return export


def test_export_keeps_files_that_give_the_models_answers_on_photos(exported, tmp_path):
    """The bias decides the first choice of this network, so rounding to eight bits cannot change it."""

    def decide(kernel, bias):
        return kernel, bias + 100 * np.eye(10)[4]  # of logits that span some 65

    status, text, error, agreement = exported(decide)
    assert (status, agreement) == (0, "100.0%"), error
    assert sorted(entry.name for entry in (tmp_path / "out").iterdir()) == [
        "model-int8.tflite", "model.onnx", "model.tflite", "saved_model",
    ]  # fmt: skip
    float_rows = [line.split("|") for line in text.splitlines() if line.startswith(("| saved", "| model."))]
    assert len(float_rows) == 3
    assert all(float(row[4]) < 1e-4 for row in float_rows)
    status, _, error, _ = exported(decide)
    assert (status, "exists already: choose another --out" in error) == (2, True)


def test_export_keeps_nothing_where_the_int8_file_chooses_otherwise(exported, tmp_path):
    """Ten nearly equal columns: their scores differ by less than eight bits resolve."""

    def level(kernel, bias):
        return kernel[:, :1] + 1e-4 * kernel, bias

    status, _, error, agreement = exported(level, "--formats", "litert-int8")
    assert status == 2
    assert float(agreement.rstrip("%")) < 60
    assert f"model-int8.tflite agrees on {agreement} of the photos, less than 95%: nothing was kept." in error
    assert not (tmp_path / "out").exists()
