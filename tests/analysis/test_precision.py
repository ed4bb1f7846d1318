"""A network of mixed precision is measured by its float32 copy, which is the network with its weights."""

import keras
import numpy as np
import pytest
from tiny_networks import batch, tiny

from keras_resnet import InputError, analysis

MEASURES = {
    "A Lipschitz constant": lambda model, images, labels: analysis.lipschitz(model, images),
    "The conditioning of blocks": lambda model, images, labels: analysis.conditioning(model, images[:1]),
    "A loss with its derivatives": lambda model, images, labels: analysis.Loss(model, images, labels),
}


@pytest.fixture
def mixed(rng):
    """A looped network of mixed precision, and the same network in float32."""
    plain = tiny(rng, blocks=(2, 3), unroll=False, stochastic_depth=0.5)
    keras.config.set_dtype_policy("mixed_bfloat16")
    network = tiny(rng, blocks=(2, 3), unroll=False, stochastic_depth=0.5)
    network.set_weights(plain.get_weights())
    network.class_names = tuple("abcdefghij")
    return network, plain


def test_the_copy_in_float32_is_the_network_with_its_weights(rng, mixed):
    network, plain = mixed
    images, _ = batch(rng, plain)
    network.get_layer("conv1_conv").trainable = False
    copy = analysis.in_float32(network)
    assert [v.path for v in copy.trainable_variables] == [v.path for v in network.trainable_variables]
    np.testing.assert_array_equal(copy(images), plain(images))
    assert copy.class_names == network.class_names
    assert keras.config.dtype_policy().name == "mixed_bfloat16"
    assert analysis.in_float32(plain) is plain
    assert not np.array_equal(network(images), plain(images))  # the precision makes a difference here


@pytest.mark.parametrize("what", MEASURES)
def test_derivatives_in_mixed_precision_are_refused(rng, mixed, what):
    network, plain = mixed
    with pytest.raises(InputError, match=rf"{what} needs float32, .* bfloat16: give analysis.in_float32\(model\)"):
        MEASURES[what](network, *batch(rng, plain))
