"""Folded normalization: the same outputs from fewer layers."""

import keras
import numpy as np
import pytest
from conftest import randomize

import keras_resnet
from keras_resnet import InputError
from keras_resnet.weights import CAFFE, fold_batch_norm

SIZE = (32, 32, 3)
LOGITS = {"classifier_activation": None}  # probabilities near 0 and 1 would hide differences
SHALLOW = {"blocks": (1, 1, 1), **LOGITS}
NETWORKS = {  # and how many normalizations must stay
    "basic": (lambda: keras_resnet.ResNet20(**SHALLOW), 0),
    "large epsilon": (lambda: keras_resnet.ResNet20(bn_epsilon=0.1, **SHALLOW), 0),
    "bottleneck": (
        lambda: keras_resnet.ResNet50(input_shape=SIZE, shortcut="C", width=0.25, blocks=(1, 2, 1, 1), **LOGITS),
        0,
    ),
    "plain": (lambda: keras_resnet.PlainNet20(**SHALLOW), 0),
    "full_preactivation": (lambda: keras_resnet.ResNet20(placement="full_preactivation", **SHALLOW), 3),
    "bn_after_addition": (lambda: keras_resnet.ResNet20(placement="bn_after_addition", **SHALLOW), 3),
    "keras.applications": (lambda: keras.applications.ResNet50(weights=None, input_shape=SIZE, **LOGITS), 0),
}


@pytest.mark.long
@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_stay(name, rng):
    make, left = NETWORKS[name]
    model = make()
    randomize(model, rng)
    folded = fold_batch_norm(model)
    images = rng.normal(size=(2, *SIZE)).astype("float32")
    before, after = model(images).numpy(), folded(images).numpy()
    np.testing.assert_allclose(after, before, atol=1e-4 * np.ptp(before))
    assert sum(isinstance(layer, keras.layers.BatchNormalization) for layer in folded.layers) == left


def test_a_folded_network_is_still_one_of_ours(rng, tmp_path):
    model = keras_resnet.ResNet20(blocks=(1, 1, 1))
    model.preprocessing = CAFFE
    folded = fold_batch_norm(model)
    folded.save(tmp_path / "folded.keras")
    again = keras_resnet.load_model(tmp_path / "folded.keras")
    images = rng.normal(size=(2, *SIZE)).astype("float32")
    np.testing.assert_array_equal(again(images), folded(images))
    assert (again.spec, again.preprocessing.channels) == (model.spec, "BGR")
    assert keras_resnet.pyramid(folded).output["C4"].shape == (None, 8, 8, 64)


def test_loops_are_refused():
    with pytest.raises(InputError, match=r"has loops of blocks: fold keras_resnet.convert\(model, unroll=True\)"):
        fold_batch_norm(keras_resnet.ResNet20(unroll=False))
