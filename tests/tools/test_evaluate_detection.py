"""The rows of Table 9 with tiny untrained detectors, and a test part without annotations."""

import json
import shutil

import pytest
from programs import load_program

from keras_resnet.detection import FasterRCNN, ImageSize, Options, Proposals, RegionHead
from keras_resnet.errors import InputError

PROPOSALS = Proposals((2.0, 4.0), smallest=4.0)


@pytest.fixture(scope="module")
def tool():
    return load_program("tools/evaluate_detection.py")


@pytest.fixture(scope="module")
def models(classifier):
    """A detector with context, one without, and another one with context."""
    return [
        FasterRCNN(classifier, ["red", "blue"], PROPOSALS, RegionHead(context=context), ImageSize(48, 48))
        for context in (True, False, True)
    ]


@pytest.fixture(scope="module")
def files(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("detectors")
    for number, model in enumerate(models):
        model.save(folder / f"{number}.keras")
    return tuple(folder / f"{number}.keras" for number in range(len(models)))


@pytest.mark.long
def test_each_row_of_table_9_has_what_the_row_above_has(tool, models):
    """The paper's Table 9: + box refinement, + context, + multi-scale testing; the ensemble has all three."""
    first, plain, second = models
    scales = (32, 48)
    rows = tool.table_9(models, scales)
    assert rows == {
        "baseline": ([plain], Options()),
        "refinement": ([plain], Options(refine=True)),
        "context": ([first], Options(refine=True)),
        "multi-scale": ([first], Options(refine=True, scales=scales)),
        "flip": ([first], Options(refine=True, scales=scales, flip=True)),
        "ensemble": ([first, second], Options(refine=True, scales=scales)),
    }
    assert tuple(rows) == tool.ROWS
    assert list(tool.table_9([plain], scales)) == ["baseline", "refinement", "multi-scale", "flip"]
    assert tool.table_9([first], scales)["baseline"] == ([first], Options())


@pytest.mark.long
def test_chosen_rows_are_printed_under_the_baseline(tool, files, rectangles, tmp_path, capsys):
    flags = {"model": files, "data": str(rectangles), "first": 1, "scales": (32, 48)}
    tool.EvaluateDetection(**flags, rows=("ensemble",), json=tmp_path / "table.json").run()
    printed = [line.split("|")[1].strip() for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    table = json.loads((tmp_path / "table.json").read_text())
    assert printed[2:] == [row["row"] for row in table["rows"]] == ["baseline", "ensemble"]
    assert table["scales"] == [32, 48]
    assert all({"AP50", "interval", "seconds"} <= set(row) for row in table["rows"])
    with pytest.raises(InputError, match="The row context needs more detectors"):
        tool.EvaluateDetection(**{**flags, "model": files[:1]}, rows=("context",)).run()


@pytest.mark.long
def test_every_detector_must_have_the_classes_of_the_data(tool, classifier, files, rectangles, tmp_path):
    """The row context is of the first one that has context, and need not be the first of all."""
    other = tmp_path / "other.keras"
    FasterRCNN(classifier, ["blue", "red"], PROPOSALS, RegionHead(context=True), ImageSize(48, 48)).save(other)
    with pytest.raises(InputError, match=r"other.keras finds other classes than first 1 of val has"):
        tool.EvaluateDetection(model=(files[1], other), data=str(rectangles), first=1).run()


@pytest.mark.long
def test_a_test_part_without_annotations_gives_submission_files(tool, files, rectangles, tmp_path, capsys):
    """The folder holds no other part, like COCO's test-dev."""
    folder = tmp_path / "data"
    shutil.copytree(rectangles / "val", folder / "test")
    content = json.loads((rectangles / "val.json").read_text())
    del content["annotations"]
    (folder / "test.json").write_text(json.dumps(content))
    flags = {"model": files[1:2], "data": str(folder), "split": "test", "first": 2, "rows": ("baseline",)}
    tool.EvaluateDetection(**flags, out=tmp_path / "out").run()
    assert "AP" not in capsys.readouterr().out
    (file,) = (tmp_path / "out" / "baseline").iterdir()
    detections = json.loads(file.read_text())
    assert {row["image_id"] for row in detections} <= {0, 1}
    assert {row["category_id"] for row in detections} <= {3, 4}
    with pytest.raises(InputError, match="has no annotations to score by: give --out"):
        tool.EvaluateDetection(**flags).run()


@pytest.mark.long
def test_photos_without_objects_give_no_scores(tool, files, rectangles, tmp_path, capsys):
    """COCO's scorer says -1 of them, which was printed as -100 percent."""
    shutil.copytree(rectangles / "val", tmp_path / "val")
    content = json.loads((rectangles / "val.json").read_text())
    content["annotations"] = [entry for entry in content["annotations"] if entry["image_id"]]
    (tmp_path / "val.json").write_text(json.dumps(content))
    flags = {"model": files[1:2], "data": str(tmp_path), "first": 1, "rows": ("baseline",)}
    with pytest.raises(InputError, match="first 1 of val has no objects to score by: give --out"):
        tool.EvaluateDetection(**flags).run()
    tool.EvaluateDetection(**flags, out=tmp_path / "out").run()
    assert "AP" not in capsys.readouterr().out
    assert list((tmp_path / "out" / "baseline").iterdir())
