"""Memory counted by hand, against other forms of a network, and against a process that trains."""

import keras
import pytest
import tensorflow as tf
from tiny_networks import tiny

import keras_resnet
from keras_resnet import InputError, analysis


def test_a_network_by_hand(rng):
    """Gradients read the inputs of convolutions, normalizations and classifier, and the outputs of ReLUs."""
    rows = {row.name: row for row in analysis.layer_costs(tiny(rng, blocks=(1,), filters=(2,), size=8))}
    image, maps = 8 * 8 * 3 * 4, 8 * 8 * 2 * 4
    assert rows["conv1_conv"].kept == image
    assert rows["conv1_bn"].kept == maps
    assert rows["conv1_relu"].kept == maps
    assert rows["conv2_block1_1_conv"].kept == 0  # its input is the ReLU's output
    assert rows["conv2_block1_add"].kept == 0
    assert rows["conv2_block1_out"].kept == maps
    assert rows["predictions"].kept == (2 + 10) * 4
    assert sum(row.kept for row in rows.values()) == image + 6 * maps + 48
    assert rows["conv2_block1_1_conv"].parameters == 36
    assert rows["conv2_block1_1_conv"].multiply_adds == 36 * 64
    assert rows["conv1_conv"].output == maps


@pytest.mark.long
def test_rows_add_up_to_the_network():
    for name, stages in (("ResNet20", 3), ("ResNet50", 4), ("PlainNet34", 4)):
        model = getattr(keras_resnet, name)(blocks=(2,) + (1,) * (stages - 1))
        rows = analysis.layer_costs(model)
        assert sum(row.multiply_adds for row in rows) == analysis.multiply_adds(model)
        assert sum(row.parameters for row in rows) == sum(v.value.shape.num_elements() for v in model.trainable_weights)


@pytest.mark.long
def test_projections_cost_memory_and_identities_none():
    """Identity against projection on ResNet-34 with fewer blocks: maps that projections read and normalize are kept."""
    blocks = (1, 2, 1, 3)
    networks = {option: keras_resnet.ResNet34(blocks=blocks, shortcut=option) for option in "ABC"}
    kept = {option: sum(row.kept for row in analysis.layer_costs(network)) for option, network in networks.items()}
    sizes = [56 * 56 * 64, 28 * 28 * 128, 14 * 14 * 256, 7 * 7 * 512]
    read = sum(sizes[1:]) // 2  # subsampled inputs, of half the channels
    assert kept["B"] - kept["A"] == 4 * (sum(sizes[1:]) + read)
    assert kept["C"] - kept["A"] == 4 * (sum(n * s for n, s in zip(blocks, sizes, strict=True)) + read)


@pytest.mark.long
def test_half_the_bits_keep_half_and_recomputing_far_less():
    network = keras_resnet.ResNet56()
    full = sum(row.kept for row in analysis.layer_costs(network))
    keras.config.set_dtype_policy("mixed_bfloat16")
    half = sum(row.kept for row in analysis.layer_costs(keras_resnet.ResNet56()))
    keras.config.set_dtype_policy("float32")
    assert half == pytest.approx(full / 2, rel=0.01)
    recomputed = analysis.peak(keras_resnet.ResNet56(remat=True), 256).total
    assert recomputed < 0.4 * analysis.peak(network, 256).total
    looped = sum(row.kept for row in analysis.layer_costs(keras_resnet.ResNet56(unroll=False)))
    assert looped == pytest.approx(full, rel=0.05)


def test_the_largest_batch_is_the_last_that_fits():
    model = keras_resnet.ResNet20()
    batch = analysis.largest_batch(model, 2**30)
    assert analysis.peak(model, batch).total <= 2**30 < analysis.peak(model, batch + 1).total
    assert analysis.largest_batch(model, 1000) == 0


@pytest.mark.long
def test_sizes_must_be_known():
    with pytest.raises(InputError, match="build it for one size"):
        analysis.layer_costs(keras_resnet.ResNet18(include_top=False))


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "changes", "batch", "size"),
    [("ResNet20", {}, 384, 32), ("ResNet18", {}, 8, 160)],
)
@pytest.mark.slow
def test_the_estimate_is_within_15_percent_of_a_process_that_trains(name, changes, batch, size):
    measured = analysis.measure(name, changes, batch, size, steps=1)
    model = keras_resnet.build(keras_resnet.SPECS[name], input_shape=(size, size, 3))
    peak = analysis.peak(model, batch)
    estimate = peak.total - (peak.kernels + peak.graph if tf.config.list_physical_devices("GPU") else 0)
    assert estimate == pytest.approx(measured.peak, rel=0.15)
    assert measured.seconds > 0


@pytest.mark.long
def test_a_process_that_fails_says_why():
    with pytest.raises(InputError, match=r"ended with status 1 .*give a smaller batch"):
        analysis.measure("ResNet19", {}, 2, 32)
