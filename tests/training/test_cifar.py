"""The settings of the CIFAR protocol, and what they change in a task."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_resnet
from keras_resnet import InputError
from keras_resnet.data import Shard
from keras_resnet.training import TrainingModel, run
from keras_resnet.training.cifar import CifarSettings, check_data, cifar_task
from keras_resnet.training.settings import describe
from keras_resnet.weights import named_arrays


def settings(photo_folder, **changes):
    return CifarSettings(data=str(photo_folder), model="ResNet20", image_size=32, batch_size=4, **changes)


@pytest.mark.long
def test_stronger_augmentation_mixes_labels(photo_folder):
    for augmentation, shape in ((None, (4,)), ("mixed", (4, 2))):
        task = cifar_task(settings(photo_folder, augmentation=augmentation))
        images, labels = next(iter(task.train_batches(0, Shard())))
        assert (images.shape, labels.shape) == ((4, 32, 32, 3), shape)
    np.testing.assert_allclose(np.sum(labels, axis=1), 1, rtol=1e-5)
    with pytest.raises(InputError, match="augmentation 'none'"):
        settings(photo_folder, augmentation="none").check()


@pytest.mark.long
def test_warm_up_follows_the_paper_unless_it_is_set(photo_folder):
    """From depth 110 on, with shortcuts (Sec. 4.2)."""
    shallow, deep, plain = (
        TrainingModel(keras_resnet.build(keras_resnet.SPECS[name], classes=2))
        for name in ("ResNet20", "ResNet110", "PlainNet110")
    )
    for warm_up, expected in ((None, (False, True, False)), (True, (True,) * 3), (False, (False,) * 3)):
        task = cifar_task(settings(photo_folder, warm_up=warm_up))
        assert tuple(task.needs_warm_up(model) for model in (shallow, deep, plain)) == expected


@pytest.mark.long
def test_weight_decay_follows_its_setting(photo_folder):
    """After one step at rate 1, two decays differ in exactly four times the smaller decay, times the kernel."""
    steps = {}
    for decay in (1e-4, 5e-4):
        wanted = settings(photo_folder, change=("width=0.25", "blocks=[1,1,1]"), base_lr=1.0, weight_decay=decay)
        keras.utils.set_random_seed(0)
        task = cifar_task(wanted)
        model = task.build_model(tf.distribute.get_strategy(), 10)
        before = named_arrays(model.network)
        model.train_step(next(iter(task.train_batches(0, Shard()))))
        after = named_arrays(model.network)
        steps[decay] = {name: after[name] - before[name] for name in before}
    for name, kernel in before.items():
        expected = -4e-4 * kernel if name.endswith("/kernel") else np.zeros_like(kernel)
        np.testing.assert_allclose(steps[5e-4][name] - steps[1e-4][name], expected, atol=2e-7, err_msg=name)


@pytest.mark.long
def test_training_on_fewer_images_uses_every_class(photo_folder):
    """They are evenly spaced and have their own mean; with a length in steps an epoch is as long as a validation."""
    whole, part = (cifar_task(settings(photo_folder, train_images=count)) for count in (None, 4))
    assert len(part.train) == 4 < len(whole.train)
    assert set(part.train.labels) == set(whole.train.labels)
    available = {image.tobytes() for image in whole.train.images}
    assert all(image.tobytes() in available for image in part.train.images)
    np.testing.assert_allclose(part.preprocessing.mean, part.train.images.mean(axis=0), rtol=1e-4)
    for length, expected in (({"steps": 50}, 2), ({"epochs": 3}, 1)):  # 4 are validated
        few = replace(settings(photo_folder, train_images=2, **length), batch_size=2)
        assert cifar_task(few).epoch_steps() == expected


def test_asking_for_too_many_images_is_refused_before_a_folder_is_created(photo_folder):
    check_data(settings(photo_folder, train_images=12))
    with pytest.raises(InputError, match="12 images, not 13: ask for fewer"):
        check_data(settings(photo_folder, train_images=13))


@pytest.mark.long
def test_training_on_all_images_holds_none_out(photo_folder, tmp_path):
    """As in Table 6: there is no validation and no best network, and the result says so."""
    held_out = cifar_task(settings(photo_folder))
    everything = settings(photo_folder, train_images="all", steps=4, base_lr=0.1, workdir=tmp_path / "run",
                          change=("blocks=[1,1]", "filters=[4,8]"))  # fmt: skip
    task = cifar_task(everything)
    assert task.validation is None
    assert len(task.train) == len(held_out.train) + len(held_out.validation)
    np.testing.assert_allclose(task.preprocessing.mean, task.train.images.mean(axis=0), rtol=1e-4)
    result = run(everything, cifar_task)
    assert (result["train_examples"], result["steps"]) == (len(task.train), 4)
    assert result["val_error"] is result["best_val_error"] is None
    assert (tmp_path / "run" / "last.keras").exists()
    assert not (tmp_path / "run" / "best.keras").exists()


def test_impossible_numbers_of_images_are_refused(photo_folder):
    with pytest.raises(InputError, match="holds none out"):
        settings(photo_folder, train_images="all", schedule="plateau").check()
    with pytest.raises(InputError, match="fewer than a batch of 4"):
        settings(photo_folder, train_images=3).check()
    with pytest.raises(InputError, match="images, not 1000: ask for fewer"):
        cifar_task(settings(photo_folder, train_images=1000))


def test_changes_reach_the_network(photo_folder):
    chosen = settings(photo_folder, change=("width=0.5", "dropout=0.1"), shortcut="B")
    assert (chosen.spec().width, chosen.spec().dropout, chosen.spec().shortcut) == (0.5, 0.1, "B")


def test_settings_are_printed_as_flags_that_give_them():
    line = describe(CifarSettings(model="ResNet110", warm_up=False, change=("dropout=0.1", "width=2")))
    assert "--warm-up False" in line
    assert "--change dropout=0.1 width=2" in line
    assert "--sync-bn" not in line
