"""Responses against outputs taken from the layers themselves (Fig. 7)."""

import keras
import numpy as np
import pytest
from tiny_networks import batch, tiny

import keras_resnet
from keras_resnet import analysis

BEHIND = {  # placement: the layer whose output is the response of a block's two convolutions
    "original": ("1_bn", "2_bn"),
    "bn_after_addition": ("1_bn", "2_conv"),
    "relu_before_addition": ("1_bn", "2_bn"),
    "relu_only_preactivation": ("1_bn", "2_bn"),
    "full_preactivation": ("1_bn", "2_conv"),
}


@pytest.mark.parametrize("placement", BEHIND)
def test_each_response_is_taken_before_relu_and_addition(rng, placement):
    model = tiny(rng, placement=placement)
    images, _ = batch(rng, model)
    responses = {response.layer: response.std for response in analysis.responses(model, images, batch_size=4)}
    for name in ("conv2_block1", "conv3_block1"):
        for convolution, layer in zip((1, 2), BEHIND[placement], strict=True):
            values = keras.Model(model.input, model.get_layer(f"{name}_{layer}").output)(images, training=False)
            assert responses[f"{name}_{convolution}_conv"] == pytest.approx(np.std(values), rel=1e-4)
    assert next(iter(responses)) == "conv1_conv"


@pytest.mark.long
def test_loops_have_the_responses_of_the_unrolled_network(rng):
    looped = tiny(rng, blocks=(3, 3), unroll=False)
    images, _ = batch(rng, looped)
    one, other = (analysis.responses(m, images) for m in (looped, keras_resnet.convert(looped, unroll=True)))
    assert [response.layer for response in one] == [response.layer for response in other]
    np.testing.assert_allclose([e.std for e in one], [e.std for e in other], rtol=1e-4)


@pytest.mark.long
def test_only_3x3_layers_respond(rng):
    model = keras_resnet.ResNet50(input_shape=(32, 32, 3), width=0.0625)
    responses = analysis.responses(model, batch(rng, model, 2)[0])
    assert len(responses) == 16
    assert all(response.layer.endswith("_2_conv") for response in responses)


@pytest.mark.long
def test_trained_deeper_networks_respond_less(real_data, rng):
    """Fig. 7 on real weights and photos: ResNet-56 below ResNet-20."""
    from keras_resnet import data

    means = {}
    for name in ("resnet20-12fca82f", "resnet56-4bfd9763"):
        model = keras_resnet.load_model(real_data("cifar10_weights") / f"{name}.th")
        test = data.open_data("cifar10", real_data("tfds")).test
        images, _ = next(iter(data.imagenet_batches(test, data.ImageNetView(model.preprocessing, 32), 64)))
        means[name] = np.mean([response.std for response in analysis.responses(model, images)])
    assert means["resnet56-4bfd9763"] < 0.75 * means["resnet20-12fca82f"]
