"""Frozen parts do not change, everything else does, and a saved network stays frozen."""

import keras
import numpy as np
import pytest

import keras_resnet
from keras_resnet import InputError, training
from keras_resnet.evaluation import recalibrate_batch_norm
from keras_resnet.training import SGD, TrainingModel, freeze
from keras_resnet.weights import named_arrays

pytestmark = pytest.mark.long


def moved(model, rng, steps=3) -> dict[str, bool]:
    """Which weights and statistics a few steps of training change."""
    before = named_arrays(model)
    trainer = TrainingModel(model)
    trainer.compile(SGD(0.05))
    images = rng.normal(2.0, 1.0, (8, *model.input_shape[1:])).astype("float32")
    labels = rng.integers(0, model.output_shape[-1], 8)
    for _ in range(steps):
        trainer.train_on_batch(images, labels)
    after = named_arrays(model)
    return {name: not np.array_equal(before[name], after[name]) for name in before}


@pytest.mark.parametrize(("upto", "batch_norm"), [(None, False), ("conv2", False), (None, True), ("conv3", True)])
def test_exactly_the_named_parts_are_frozen(upto, batch_norm, rng):
    model = keras_resnet.ResNet20(blocks=(1, 1, 1))
    freeze(model, upto, batch_norm)
    frozen = training.stages_of(model)[: ("conv1", "conv2", "conv3").index(upto) + 1] if upto else ()
    for name, has_moved in moved(model, rng).items():
        still = name.split("_")[0] in frozen or (batch_norm and "_bn/" in name)
        assert has_moved != still, name


def test_a_later_call_unfreezes(rng):
    model = keras_resnet.ResNet20(blocks=(1, 1, 1))
    freeze(model, "conv4", batch_norm=True)
    freeze(model)
    assert all(moved(model, rng).values())


def test_keras_fit_and_recalibration_leave_frozen_statistics(rng):
    model = keras_resnet.ResNet20(blocks=(1, 1, 1))
    freeze(model, "conv3")
    before = named_arrays(model)
    images, labels = rng.normal(2.0, 1.0, (8, 32, 32, 3)).astype("float32"), rng.integers(0, 10, 8)
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    model.fit(images, labels, verbose=0)
    recalibrate_batch_norm(model, [(images, labels)])
    after = named_arrays(model)
    for name in before:
        still = name.startswith(("conv1", "conv2", "conv3"))
        assert np.array_equal(before[name], after[name]) == still, name


def test_saving_keeps_what_is_frozen(rng, tmp_path):
    model = keras_resnet.ResNet20(blocks=(1, 1, 1))
    freeze(model, "conv3", batch_norm=True)
    model.save(tmp_path / "m.keras")
    again = keras_resnet.load_model(tmp_path / "m.keras")
    assert [layer.trainable for layer in again.layers] == [layer.trainable for layer in model.layers]
    assert {name for name, has_moved in moved(again, rng).items() if has_moved} == {
        name for name in named_arrays(again) if name.startswith(("conv4", "pred")) and "_bn/" not in name
    }


def test_networks_and_stages_that_cannot_be_frozen_are_refused():
    with pytest.raises(InputError, match="upto 'conv5' is not known: choose one of None, conv1, conv2, conv3, conv4"):
        freeze(keras_resnet.ResNet20(blocks=(1, 1, 1)), "conv5")
    with pytest.raises(InputError, match="has loops of blocks"):
        freeze(keras_resnet.ResNet20(unroll=False), "conv2")
    with pytest.raises(InputError, match="freeze takes a network that keras_resnet built"):
        freeze(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]), "conv2")


def test_stages_learn_at_their_share_of_the_rate_from_their_first_update_on(rng):
    """One step without momentum or decay changes each weight by its share of the rate times the same gradient."""
    images, labels = rng.normal(size=(8, 32, 32, 3)).astype("float32"), rng.integers(0, 10, 8)
    first, steps = keras_resnet.ResNet20(blocks=(1, 1, 1)), {}
    start = first.get_weights()
    for rates in (None, {"conv2": (0.25, 0), "conv3": (0.5, 1)}):
        first.set_weights(start)
        trainer = TrainingModel(first)
        trainer.compile(SGD(0.1, momentum=0.0, l2=0.0, rates=rates))
        before = named_arrays(first)
        trainer.train_on_batch(images, labels)
        after = named_arrays(first)
        steps[rates is not None] = {name: after[name] - before[name] for name in before if "moving" not in name}
    for name, step in steps[False].items():
        share = {"conv2": 0.25, "conv3": 0.0}.get(name.split("_")[0], 1.0)
        np.testing.assert_allclose(steps[True][name], share * step, atol=1e-6 * max(1, np.abs(step).max()))
    trainer.train_on_batch(images, labels)
    assert np.abs(named_arrays(first)["conv3_block1_1_conv/kernel"] - before["conv3_block1_1_conv/kernel"]).max() > 0
