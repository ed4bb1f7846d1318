"""Option A's layer, maxout and stochastic depth against NumPy."""

import numpy as np
import pytest

from keras_resnet import InputError
from keras_resnet.layers import IdentityShortcut, Maxout, StochasticDepth


@pytest.mark.parametrize("size", [(6, 6), (7, 5)])
def test_identity_shortcut_is_a_strided_slice_with_zero_channels(size, rng):
    x = rng.normal(size=(2, *size, 3)).astype("float32")
    y = np.asarray(IdentityShortcut(7, 2)(x))
    np.testing.assert_array_equal(y[..., :3], x[:, ::2, ::2])
    np.testing.assert_array_equal(y[..., 3:], 0)
    np.testing.assert_array_equal(np.asarray(IdentityShortcut(7, 1, "both_sides")(x))[..., 2:5], x)


def test_identity_shortcut_cannot_lose_channels():
    with pytest.raises(InputError, match="cannot go from 4 to 2"):
        IdentityShortcut(2)(np.zeros((1, 2, 2, 4)))


def test_maxout_takes_the_larger_piece(rng):
    x = rng.normal(size=(2, 3, 3, 8)).astype("float32")
    np.testing.assert_array_equal(Maxout()(x), np.maximum(x[..., :4], x[..., 4:]))


def test_stochastic_depth_drops_samples_and_keeps_the_mean():
    x = np.ones((4000, 2, 2, 3), "float32")
    layer = StochasticDepth(0.25)
    y = np.asarray(layer(x, training=True))
    per_sample = y.reshape(4000, -1)
    assert (per_sample == per_sample[:, :1]).all()
    assert (per_sample[:, 0] == 0).mean() == pytest.approx(0.25, abs=0.03)
    np.testing.assert_allclose(per_sample.max(), 1 / 0.75, rtol=1e-6)
    np.testing.assert_array_equal(layer(x), x)
