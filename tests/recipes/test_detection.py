"""The detection recipes and tools as a user runs them: train, stop, continue, score and detect."""

import json
import os
import shutil
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from programs import Program, load_program, run
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from keras_resnet import InputError
from keras_resnet.detection import (
    DetectionReport,
    Detector,
    FasterRCNN,
    ImageSize,
    Proposals,
    RegionHead,
    content_hashes,
    load_detector,
    open_coco,
    open_coco_sets,
    open_voc,
    read_photos,
)
from keras_resnet.training.files.metrics_file import read_metrics

pytestmark = pytest.mark.long

SMALL = ["--shorter-side", 96, "--longer-side", 96, "--anchor-scales", 1.5, 2.5, "--smallest", 4, "--regions", 8]
SMALL += ["--batch-size", 4, "--base-lr", 0.02, "--save-every", 2]


@pytest.fixture(scope="module")
def trained(rectangles, classifier, tmp_path_factory):
    """A run of recipes/coco.py that a signal stopped and the same command finished: folder, arguments and output."""
    folder = tmp_path_factory.mktemp("runs")
    classifier.save(folder / "classifier.keras")
    arguments = ["--model", folder / "classifier.keras", "--data", rectangles, *SMALL, "--epochs", 2]
    arguments += ["--workdir", folder / "stopped"]
    with Program("recipes/coco.py", *arguments) as program:
        while not (folder / "stopped" / "checkpoints" / "step-000000003").exists() and program.poll() is None:
            time.sleep(0.05)
        program.send_signal(signal.SIGTERM)
        stopped = program.ended()
    assert stopped.returncode == 128 + signal.SIGTERM, stopped.stderr
    done = run("recipes/coco.py", *arguments)
    assert done.returncode == 0, done.stderr
    assert "continuing at step" in done.stdout
    return folder, arguments, done.stdout


def test_a_stopped_run_is_bit_for_bit_one_that_was_not(trained):
    folder, arguments, _ = trained
    whole = run("recipes/coco.py", *arguments[:-1], folder / "whole")
    assert whole.returncode == 0, whole.stderr
    first, second = (load_detector(folder / name / "last.keras") for name in ("stopped", "whole"))
    for a, b in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy(), err_msg=a.path)
    rows = [read_metrics(folder / name / "metrics.csv") for name in ("stopped", "whole")]
    for a, b in zip(*rows, strict=True):
        assert {k: v for k, v in a.items() if k not in ("images_per_second", "input_wait")} == {
            k: v for k, v in b.items() if k not in ("images_per_second", "input_wait")
        }


def test_a_run_s_folder_holds_results_curves_and_pictures(trained):
    folder, _, output = trained
    result = json.loads((folder / "stopped" / "result.json").read_text())
    assert (result["steps"], result["val_examples"], result["settings"]["scheme"]) == (6, 6, "joint")
    assert 0 <= result["val_AP"] <= result["val_AP50"] <= 1
    assert "proposal recall at 300" in output
    assert "taken: 60 tensors" in output  # 12 convolutions with their normalization
    validation = EventAccumulator(str(folder / "stopped" / "validation")).Reload().Tags()
    train = EventAccumulator(str(folder / "stopped" / "train")).Reload().Tags()
    assert "detections" in validation["tensors"]
    assert {"inputs after augmentation", "transfer"} <= set(train["tensors"])
    tensors = {*train["tensors"], *validation["tensors"]}
    assert {"loss", "proposal_class_loss", "box_loss", "proposal_recall", "AP50", "AP"} <= tensors
    assert (folder / "stopped" / "curves.png").stat().st_size > 10_000
    assert "train: 12 photos with " in output
    assert "reached at 50 %" in output
    by_class = result["val_by_class"]
    assert [row["class"] for row in by_class["classes"]] == ["red", "blue"]
    assert by_class["AP50"][0] == pytest.approx(100 * result["val_AP50"])
    assert "at the scores of the highest F1 (" in output
    for name in ("boxes.jpg", "precision-recall.png", "confusion.png", "missed.jpg", "false.jpg", "classes.csv"):
        assert (folder / "stopped" / name).stat().st_size > 100
    assert "at the end/missed" in validation["tensors"]


def test_detect_draws_and_lists_boxes(trained, rectangles, tmp_path):
    folder, *_ = trained
    photos = sorted((rectangles / "val").iterdir())[:2]
    model = folder / "stopped" / "last.keras"
    done = run("tools/detect.py", *photos, "--model", model, "--out", tmp_path / "found", "--score", 0.02, "--refine")
    assert done.returncode == 0, done.stderr
    answers = json.loads((tmp_path / "found" / "detections.json").read_text())
    assert [answer["photo"] for answer in answers] == list(map(str, photos))
    objects = [detected for answer in answers for detected in answer["objects"]]
    assert objects
    assert {detected["class"] for detected in objects} <= {"red", "blue"}
    assert all(0 <= corner <= 96 for detected in objects for corner in detected["box"])
    picture = np.asarray(Image.open(tmp_path / "found" / f"{photos[0].stem}.png"))
    assert picture.shape[2] == 3


def test_each_network_keeps_the_scores_of_the_highest_f1_of_its_own(trained, rectangles):
    """As a report on the validation photos chooses them, of the best network and of the last."""
    data = open_coco(rectangles / "val.json", rectangles / "val")
    for name in ("best", "last"):
        model = load_detector(trained[0] / "stopped" / f"{name}.keras")
        detector = Detector([model])
        detections = {photo.id: detector(image) for photo, image in read_photos(data)}
        np.testing.assert_allclose(model.thresholds, DetectionReport(data, detections).thresholds, atol=2e-4)


def test_detect_takes_a_folder_of_frames_in_order_and_writes_what_the_recipes_read(
    trained, rectangles, tmp_path, monkeypatch, capsys
):
    """One line a frame, frame9 before frame10; boxes count by the scores that the network keeps for each class."""
    tool = load_program("tools/detect.py")
    monkeypatch.setattr(tool, "PATIENCE", 0.0)
    model = load_detector(trained[0] / "stopped" / "last.keras")
    model.thresholds = np.array([0.02, 0.9])
    model.save(tmp_path / "detector.keras")
    frames, out = tmp_path / "frames" / "images", tmp_path / "found"
    frames.mkdir(parents=True)
    for number, file in zip((8, 9, 10), sorted((rectangles / "val").iterdir()), strict=False):
        shutil.copy(file, frames / f"frame{number}.png")
    Image.new("RGB", (90, 70)).save(frames / "frame11.png")
    (frames / "frame12.png").write_bytes(b"damaged")
    tool.Detect((frames,), (tmp_path / "detector.keras",), out, ("json", "csv", "yolo")).run()
    output, errors = capsys.readouterr()
    assert "least scores by class, chosen on the validation photos of the run: red 0.02, blue 0.90" in output
    assert "frame12.png does not decode" in errors
    assert "\n4 of 5 photos, " in errors
    answers = json.loads((out / "detections.json").read_text())
    order = [f"frame{number}" for number in (8, 9, 10, 11)]
    assert [answer["photo"] for answer in answers] == [str(frames / f"{name}.png") for name in order]
    for line, answer in zip(output.splitlines()[1:-1], answers, strict=True):
        assert line.startswith(f"{answer['photo']}: ")
    assert all((out / f"{name}.png").exists() for name in order)
    detector = Detector([model])
    for answer in answers:
        detections = detector(np.asarray(Image.open(answer["photo"]).convert("RGB")))
        counting = detections.select(detections.scores >= model.thresholds[detections.classes])
        np.testing.assert_allclose([one["score"] for one in answer["objects"]], counting.scores, atol=1e-3)
    table = open_coco_sets(str(out / "detections.csv")).part("train")
    shutil.move(frames, out / "images")
    (out / "images" / "frame12.png").unlink()
    labels = open_coco_sets(str(out)).part("train")
    for data in (table, labels):
        by_name = {photo.file.stem: photo.objects for photo in data.photos}
        assert set(by_name) == set(order)
        for name, answer in zip(order, answers, strict=True):
            expected = np.array([one["box"] for one in answer["objects"]]).reshape(-1, 4)
            np.testing.assert_allclose(by_name[name].boxes, expected, atol=0.06)
            names = [data.classes[number] for number in by_name[name].classes]
            assert names == [one["class"] for one in answer["objects"]]


@pytest.mark.parametrize("patience", [0.0, 1000.0])
def test_a_detect_that_is_killed_has_written_the_boxes_so_far(trained, rectangles, tmp_path, monkeypatch, patience):
    """Of YOLO's files the list of classes comes first: without it the numbers in labels/ mean nothing."""
    tool = load_program("tools/detect.py")
    monkeypatch.setattr(tool, "PATIENCE", patience)
    together = tool._together

    def killed_after_one(decoded, most):
        yield next(together(decoded, 1))
        raise KeyboardInterrupt

    monkeypatch.setattr(tool, "_together", killed_after_one)
    photos = sorted((rectangles / "val").iterdir())[:2]
    with pytest.raises(KeyboardInterrupt):
        tool.Detect(tuple(photos), (trained[0] / "stopped" / "last.keras",), tmp_path, ("json", "yolo")).run()
    assert (tmp_path / "classes.txt").read_text() == "red\nblue\n"
    assert [file.stem for file in (tmp_path / "labels").iterdir()] == [photos[0].stem]
    if not patience:
        answers = json.loads((tmp_path / "detections.json").read_text())
        assert [answer["photo"] for answer in answers] == [str(photos[0])]


def test_detect_does_not_write_all_boxes_anew_after_each_photo(classifier, rectangles, tmp_path, monkeypatch):
    """Those of 150,000 photos take longer to write than the time between two writes."""
    tool = load_program("tools/detect.py")
    write, together, seconds, writes = tool.Detect._write, tool._together, [0.0], []

    def slow_write(self, answers):
        seconds[0] += 100
        writes.append(len(answers))
        return write(self, answers)

    def one_by_one(decoded, most):
        for group in together(decoded, 1):
            seconds[0] += tool.PATIENCE
            yield group

    monkeypatch.setattr(tool, "time", SimpleNamespace(perf_counter=lambda: seconds[0]))
    monkeypatch.setattr(tool.Detect, "_write", slow_write)
    monkeypatch.setattr(tool, "_together", one_by_one)
    photos, model = sorted((rectangles / "val").iterdir())[:4], tmp_path / "detector.keras"
    FasterRCNN(classifier, ["red", "blue"], Proposals((1.5, 2.5), smallest=4.0), RegionHead(), ImageSize(96, 96)).save(
        model
    )
    tool.Detect(tuple(photos), (model,), tmp_path / "found").run()
    assert writes == [0, 1, 4]  # first of nothing, then after a while, and at the end


def test_two_photos_that_have_one_name_are_named():
    photos = [Path(f"{number}.jpg") for number in range(10)]
    with pytest.raises(InputError, match=r"Several photos are called 7: detect in them one by one"):
        load_program("tools/detect.py")._by_name((*photos, Path("other/7.png")), Path("found"))


def test_labels_that_were_corrected_by_hand_are_not_replaced(tmp_path):
    photo, out = tmp_path / "a.jpg", tmp_path / "found"
    detect = load_program("tools/detect.py").Detect((photo,), (tmp_path / "model.keras",), out, formats=("yolo",))
    (out / "labels").mkdir(parents=True)
    files = out / "classes.txt", out / "a.png", out / "labels" / "a.txt"
    for file in files:
        file.touch()
    detect._check_replaced(["a"])
    for file in files[1:]:  # labels that were corrected, and a picture that was drawn again without labels
        os.utime(file, (time.time() + 60,) * 2)
        with pytest.raises(InputError, match=r"labels/a\.txt may have been changed by hand"):
            detect._check_replaced(["a"])
        file.touch()


def test_labels_are_not_mixed_with_those_of_other_classes(classifier, rectangles, tmp_path):
    """Their numbers would mean other classes by the new classes.txt; the same classes may be added to."""
    tool = load_program("tools/detect.py")
    photos, out = sorted((rectangles / "val").iterdir())[:2], tmp_path / "found"
    for first, second in (("red", "blue"), ("blue", "red")):
        parts = Proposals((1.5, 2.5), smallest=4.0), RegionHead(), ImageSize(96, 96)
        FasterRCNN(classifier, [first, second], *parts).save(tmp_path / f"{first}.keras")
    for photo in photos:
        tool.Detect((photo,), (tmp_path / "red.keras",), out, ("yolo",)).run()
    before = {file: file.stat().st_mtime_ns for file in out.rglob("*")}
    with pytest.raises(InputError, match=r"found/classes\.txt has other classes, by which labels/ beside it"):
        tool.Detect((photos[0],), (tmp_path / "blue.keras",), out, ("yolo",)).run()
    assert {file: file.stat().st_mtime_ns for file in out.rglob("*")} == before
    assert len(list((out / "labels").iterdir())) == 2


def test_a_detector_is_not_taken_for_a_classifier(trained, rectangles):
    done = run("tools/classify.py", rectangles / "val" / "0.png", "--model", trained[0] / "stopped" / "last.keras")
    assert (done.returncode, "last.keras holds a detector" in done.stderr.splitlines()[-1]) == (2, True)
    done = run("tools/detect.py", rectangles / "val" / "0.png", "--model", trained[0] / "classifier.keras")
    assert (done.returncode, "classifier.keras holds no detector" in done.stderr.splitlines()[-1]) == (2, True)


def test_evaluate_detection_prints_table_9_s_rows_and_writes_submissions(trained, rectangles, tmp_path):
    folder, *_ = trained
    models = [folder / "stopped" / "last.keras", folder / "stopped" / "best.keras"]
    table = tmp_path / "table.json"
    flags = ["--data", rectangles, "--out", tmp_path, "--json", table]
    done = run("tools/evaluate_detection.py", "--model", *models, *flags)
    assert done.returncode == 0, done.stderr
    rows = [line.split("|")[1].strip() for line in done.stdout.splitlines() if line.startswith("|")][2:]
    assert rows == ["baseline", "refinement", "multi-scale", "flip", "ensemble"]
    content = json.loads(table.read_text())
    truth = COCO(rectangles / "val.json")
    for row, scored in zip(rows, content["rows"], strict=True):
        submission = tmp_path / row / "detections_val_results.json"
        assert {entry["category_id"] for entry in json.loads(submission.read_text())} <= {3, 4}
        server = COCOeval(truth, truth.loadRes(str(submission)), "bbox")
        server.evaluate()
        server.accumulate()
        server.summarize()
        assert [scored["scores"][name] for name in ("AP", "AP50")] == pytest.approx(server.stats[:2], abs=1e-12)
        assert server.stats[1] > 0
    assert {"command", "commit", "versions", "hardware"} < set(content)
    assert [scored["row"] for scored in content["rows"]] == rows
    kept = content["tables"]["rows"]
    printed = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    assert [f"| {' | '.join(row)} |" for row in (kept["columns"], *kept["rows"])] == printed
    assert all(row["AP50"] == pytest.approx(row["scores"]["AP50"], abs=1e-12) for row in content["rows"])


@pytest.mark.slow
def test_the_four_steps_share_their_layers_in_the_end(trained, rectangles):
    """Steps 3 and 4 keep the shared layers of step 2; finished steps are not repeated."""
    folder, arguments, _ = trained
    workdir = folder / "alternating"
    arguments = [*arguments[:-1], workdir, "--scheme", "alternating", "--epochs", 1]
    done = run("recipes/coco.py", *arguments)
    assert done.returncode == 0, done.stderr
    models = {path.name: load_detector(path / "last.keras") for path in sorted(workdir.iterdir())}
    assert list(models) == ["1-proposals", "2-regions", "3-proposals", "4-regions"]

    def equal(part, a, b):
        pairs = zip(getattr(models[a], part).weights, getattr(models[b], part).weights, strict=True)
        return all(np.array_equal(x.numpy(), y.numpy()) for x, y in pairs)

    assert not equal("shared", "1-proposals", "2-regions")
    assert equal("shared", "2-regions", "3-proposals")
    assert equal("shared", "3-proposals", "4-regions")
    assert equal("rpn", "3-proposals", "4-regions")
    assert not equal("rpn", "1-proposals", "3-proposals")
    assert equal("head", "2-regions", "3-proposals")
    assert not equal("head", "3-proposals", "4-regions")
    settings = [json.loads((workdir / name / "settings.json").read_text())["batch_size"] for name in models]
    assert settings == [4, 8, 4, 8]
    stamp = (workdir / "1-proposals" / "result.json").stat().st_mtime
    shutil.rmtree(workdir / "4-regions")
    again = run("recipes/coco.py", *arguments)
    assert again.returncode == 0, again.stderr
    assert (workdir / "1-proposals" / "result.json").stat().st_mtime == stamp
    assert (workdir / "4-regions" / "result.json").exists()


def test_voc_trains_and_is_scored_by_its_own_rule_on_photos_it_has_not_seen(rectangles, classifier, tmp_path):
    """The rectangles in VOC's folders: with VOC's classes and inclusive boxes from 1; 2012's val is part of its
    trainval."""
    photos = [
        *open_coco(rectangles / "train.json", rectangles / "train").photos,
        *open_coco(rectangles / "val.json", rectangles / "val").photos,
    ]
    parts = {
        ("VOC2007", "trainval"): photos[:6],
        ("VOC2012", "trainval"): photos[6:12],
        ("VOC2012", "val"): photos[9:12],
        ("VOC2007", "test"): photos[12:],
    }
    for (year, part), part_photos in parts.items():
        base = tmp_path / "devkit" / year
        for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
            (base / folder).mkdir(parents=True, exist_ok=True)
        names = [f"{photo.file.parent.name}{photo.id:03d}" for photo in part_photos]
        (base / "ImageSets" / "Main" / f"{part}.txt").write_text("\n".join(names))
        for name, photo in zip(names, part_photos, strict=True):
            Image.open(photo.file).save(base / "JPEGImages" / f"{name}.jpg", quality=95)
            objects = "".join(
                f"<object><name>{('dog', 'cat')[c]}</name><difficult>0</difficult><bndbox><xmin>{x1 + 1:.0f}</xmin>"
                f"<ymin>{y1 + 1:.0f}</ymin><xmax>{x2:.0f}</xmax><ymax>{y2:.0f}</ymax></bndbox></object>"
                for (x1, y1, x2, y2), c in zip(photo.objects.boxes, photo.objects.classes, strict=True)
            )
            size = "<size><width>96</width><height>96</height><depth>3</depth></size>"
            (base / "Annotations" / f"{name}.xml").write_text(f"<annotation>{size}{objects}</annotation>")
    classifier.save(tmp_path / "classifier.keras")
    arguments = ["--model", tmp_path / "classifier.keras", "--data", tmp_path / "devkit", *SMALL, "--steps", 2]
    done = run("recipes/voc.py", *arguments, "--workdir", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert (result["train_examples"], result["val_examples"]) == (12, 6)
    assert 0 <= result["val_mAP"] <= 1
    assert result["train_split"] == "VOC2007-trainval+VOC2012-trainval"
    trained_on = load_detector(tmp_path / "run" / "last.keras").trained_on
    for parts, count in (((("VOC2007", "test"),), 0), ((("VOC2012", "val"),), 3)):
        assert np.isin(content_hashes(open_voc(tmp_path / "devkit", parts)), trained_on).sum() == count
    done = run("recipes/voc.py", *arguments, "--test", "12", "--workdir", tmp_path / "other")
    assert done.returncode == 2
    assert "is trained on 3 of the 3 photos of VOC2012-val" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "other").exists()


def test_what_cannot_be_trained_is_refused_in_one_sentence(rectangles, renumbered, tmp_path):
    for arguments, words in (
        ([], "--model must name a trained classifier"),
        (["--model", "ResNet20"], "ResNet20 is a CIFAR network, of stride 4"),
        (["--model", "ResNet18", "--data", tmp_path], "holds no detection data in COCO's layout"),
        (
            ["--model", "ResNet18", "--anchor-scales", 0],
            "--anchor-scales 0.0 must be values, each a finite number from 0.01",
        ),
        (["--model", "VGG16:none.h5"], "There is no weight file none.h5"),
        (["--model", "ResNet18", "--data", renumbered], "Class 0 is red in train and blue in val"),
    ):
        done = run("recipes/coco.py", "--data", rectangles, *arguments, "--workdir", tmp_path / "run")
        assert (done.returncode, words in done.stderr.splitlines()[-1]) == (2, True), done.stderr[-500:]
    assert not (tmp_path / "run" / "checkpoints").exists()
    done = run("tools/detect.py", rectangles / "val" / "0.png", "--model", tmp_path / "no.keras")
    assert (done.returncode, "There is no model file" in done.stderr.splitlines()[-1]) == (2, True)
