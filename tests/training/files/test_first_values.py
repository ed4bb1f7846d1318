"""A continued run keeps the mean image, the colours and the images that it began with."""

import shutil

import numpy as np
import pytest

from keras_resnet import InputError, data
from keras_resnet.training import check_first_images, first_colours, first_mean
from keras_resnet.training.cifar import CifarSettings, cifar_run


@pytest.fixture
def run(tmp_path):
    """The folder of a run, whose first checkpoint ``begin`` makes."""
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def begin(run):
    (run / "checkpoints" / "step-000000001").mkdir(parents=True)
    (run / "checkpoints" / "step-000000001" / "state.json").touch()


@pytest.mark.long
def test_mean_and_colours_are_kept_without_the_cache_and_with_a_lost_photo(photo_folder, run, capsys):
    train = data.open_data(str(photo_folder)).train
    mean, colours = first_mean(run, train, 16), first_colours(run, train, 16)
    np.testing.assert_array_equal(mean, data.mean_image(train, 16))
    assert colours == data.principal_colours(train, 16)
    begin(run)
    (photo_folder / "train" / "cat" / "0.JPEG").unlink()
    shutil.rmtree(data.cache.cache_folder() / "statistics")
    np.testing.assert_array_equal(first_mean(run, train, 16), mean)
    assert first_colours(run, train, 16) == colours
    now = data.open_data(str(photo_folder)).train
    for content in (b"damaged", (run / "colours.npy").read_bytes()):
        (run / "mean.npy").write_bytes(content)
        assert (first_mean(run, now, 16) != mean).any()
        assert "mean.npy is damaged: it is made again" in capsys.readouterr().err
    (run / "mean.npy").unlink()  # an earlier version wrote none
    assert first_mean(run, now, 16).shape == (16, 16, 3)
    assert (run / "mean.npy").exists()


@pytest.mark.long
def test_a_run_on_decoded_images_refuses_others(photo_folder, run):
    settings = CifarSettings(data=str(photo_folder), model="ResNet20", image_size=32, batch_size=4, workdir=run)

    def opened():
        from keras_resnet.training.cifar import decoded

        decoded.cache_clear()
        return cifar_run(settings)

    opened()
    begin(run)
    opened()
    shutil.copyfile(photo_folder / "val" / "cat" / "0.JPEG", photo_folder / "train" / "cat" / "9.JPEG")
    with pytest.raises(InputError, match=r"began \(16 images then, 17 now.*give the earlier data, or"):
        opened()
    (photo_folder / "train" / "cat" / "9.JPEG").unlink()
    opened()


def test_images_are_compared_by_label_and_contents_but_not_bit_for_bit(run):
    images = np.arange(4, dtype=np.uint8)[:, None, None, None] + np.zeros((4, 8, 8, 3), np.uint8)
    labels = np.array([0, 0, 1, 1], np.int32)

    def check(images, labels):
        check_first_images(run, [data.ArraySplit("train", images, labels), data.ArraySplit("val", images, labels)])

    check(images, labels)
    begin(run)
    again = images.copy()
    again[:, 0, 0] += 1  # as another decoder rounds
    check(again, labels)
    for others in ((images[::-1], labels), (images, labels[::-1])):
        with pytest.raises(InputError, match="8 images then, 8 now, of other labels, contents or order"):
            check(*others)
