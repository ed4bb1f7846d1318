"""What the stages of localization take over from each other, and when they are done again."""

import json
import shutil
from dataclasses import replace

import keras
import pytest
from run_folders import run_of

from keras_resnet import InputError
from keras_resnet.localization import LocalizationSettings, load_localizer, open_localization_sets, run_stages
from keras_resnet.localization.localization_settings import STAGES
from keras_resnet.localization.stages import _to_test, _Work
from keras_resnet.training.files.workdir import RESULT, Workdir
from keras_resnet.training.settings import as_json

pytestmark = pytest.mark.long


@pytest.fixture
def finished(rectangles, classifier, rpn, rcnn, tmp_path):
    """The settings of a run, with its folder as the first three stages leave it; the networks are not trained."""
    classifier.class_names = ("red", "blue")
    classifier.save(tmp_path / "classifier.keras")
    settings = LocalizationSettings(
        model=str(tmp_path / "classifier.keras"), data=str(rectangles), workdir=tmp_path / "run", image_size=96,
        region_size=64, proposals=3, batch_size=4, base_lr=0.5, epochs=1, rcnn_steps=1, schedule="cosine",
        anchor_shares=(0.25, 0.5, 1.0), anchor_ratios=(0.5, 1.0, 2.0),
    )  # fmt: skip
    folder = tmp_path / "run" / "rpn"
    folder.mkdir(parents=True)
    rpn.save(folder / "last.keras")
    again(settings, "extract")
    of_rcnn = replace(settings, workdir=tmp_path / "run" / "rcnn", stages=STAGES, steps=1, epochs=None)
    run_of(of_rcnn.workdir, as_json(of_rcnn), steps=[1])
    workdir = Workdir(of_rcnn.workdir, as_json(of_rcnn))
    workdir.write_json(RESULT, {"settings": as_json(of_rcnn)})
    workdir.save_model("last.keras", rcnn)
    workdir.close()
    shutil.copy(tmp_path / "run" / "proposals" / "proposals.json", of_rcnn.workdir)
    return settings


def again(settings, *stages):
    run_stages(replace(settings, stages=stages), open_localization_sets(settings.data))


def test_an_r_cnn_does_not_go_on_with_the_boxes_of_another_rpn(finished):
    """The RPN was lengthened, and its boxes extracted anew, for an R-CNN that is finished or has begun."""
    again(finished, "rcnn")  # nothing
    network = load_localizer(finished.workdir / "rpn" / "last.keras")
    network.weights[0].assign(network.weights[0] + 0.01)
    network.save(finished.workdir / "rpn" / "last.keras")
    with pytest.raises(InputError, match="holds the proposals of another network"):
        again(finished, "rcnn")
    shutil.rmtree(finished.workdir / "proposals")
    rcnn = finished.workdir / "rcnn"
    boxes = (rcnn / "proposals.json").rename(finished.workdir / "kept.json")
    again(finished, "rcnn")  # nothing, as in an earlier version, which kept no such file
    boxes.rename(rcnn / "proposals.json")
    for stage in ("rcnn", "rcnn", "test"):
        with pytest.raises(InputError) as refused:
            again(finished, stage)
        assert f"The R-CNN in {rcnn} learned from the boxes of another RPN" in str(refused.value)
        (rcnn / RESULT).unlink(missing_ok=True)  # then it is not finished, but has begun


def test_a_validation_photo_that_does_not_decode_is_left_out_of_the_test(finished, rectangles, tmp_path, capsys):
    shutil.rmtree(finished.workdir / "rcnn")  # fewer rows
    shutil.copytree(rectangles, tmp_path / "data")
    photo = tmp_path / "data" / "val" / "3.png"
    photo.write_bytes(photo.read_bytes()[:-400])
    again(replace(finished, data=str(tmp_path / "data")), "test")
    assert json.loads((finished.workdir / "rows.json").read_text())["photos"] == 5
    assert f"left out {photo}: " in capsys.readouterr().err


def test_the_rows_depend_on_networks_photos_and_numbers_of_boxes(classifier, photos, tmp_path):
    other = keras.models.clone_model(classifier)
    first = photos.photos[0]
    moved = replace(first, objects=replace(first.objects, boxes=first.objects.boxes + 1))
    settings = LocalizationSettings(workdir=tmp_path, proposals=3)
    for stage in ("rpn", "rcnn"):
        (tmp_path / stage).mkdir()
        (tmp_path / stage / "last.keras").write_text(stage)

    def depends(settings=settings, network=classifier, data=photos):
        return json.dumps(_to_test(_Work(settings, network, {}), data))

    different = {
        depends(),
        depends(network=other),
        depends(replace(settings, proposals=9)),
        depends(data=photos.first(11)),
        depends(data=replace(photos, photos=(moved, *photos.photos[1:]))),
    }
    (tmp_path / "rcnn" / "last.keras").unlink()
    different |= {depends(), depends()}
    assert len(different) == 6
