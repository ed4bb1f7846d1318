"""The parts of a network, applied in order, give the network's output."""

import keras
import numpy as np
import pytest
from tiny_networks import batch, tiny

import keras_resnet
from keras_resnet import InputError
from keras_resnet.analysis.parts import split

KINDS = {
    "basic": {},
    "looped": {"unroll": False, "blocks": (3, 3)},
    "plain": {"residual": False},
    "highway": {"shortcut": "highway"},
    "preactivation": {"placement": "full_preactivation"},
    "preactivation, looped": {"placement": "full_preactivation", "unroll": False, "blocks": (3, 3)},
    "remat": {"remat": True},
    "bottleneck": {"block": "bottleneck", "shortcut": "C"},
}


def run(parts, images):
    """The output of the last part, when each part is applied to the output of the one before."""
    for part in parts:
        images = part.model(images, training=False)
    return images


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.long
def test_the_chain_is_the_network(rng, kind):
    model = tiny(rng, **KINDS[kind])
    images, _ = batch(rng, model)
    parts = split(model)
    np.testing.assert_allclose(run(parts, images), model(images, training=False), rtol=1e-5, atol=1e-6)
    assert [part.name for part in parts if part.is_block] == [
        f"conv{stage}_block{i}" for stage, count in enumerate(model.spec.blocks, 2) for i in range(1, count + 1)
    ]


@pytest.mark.long
def test_imagenet_networks_split_at_the_pool(rng):
    model = keras_resnet.ResNet50(input_shape=(32, 32, 3), width=0.125)
    images, _ = batch(rng, model, 2)
    np.testing.assert_allclose(run(split(model), images), model(images, training=False), rtol=1e-4, atol=1e-6)
    assert len(split(model)) == 18


def test_other_models_are_refused():
    with pytest.raises(InputError, match="that keras_resnet built"):
        split(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))
