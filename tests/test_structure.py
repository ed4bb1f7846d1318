"""A network's parts are those of Table 1, each weight belongs to one part, and all names are parsed correctly."""

import collections

import keras
import pytest

import keras_resnet
from keras_resnet.analysis import shapes_alone
from keras_resnet.analysis.parts import split
from keras_resnet.structure import (
    Name,
    in_block,
    looped_blocks,
    read_name,
    stacked_name,
    stage_of,
    structure_of,
    weight_of,
)

IMAGENET, CIFAR = (56, 28, 14, 7), (32, 16, 8)  # sides of the maps in Table 1, and in Sec. 4.2
NETWORKS = {  # its builder and options, the blocks in each stage, and the sides and channels of their maps
    "ResNet50": ("ResNet50", {}, (3, 4, 6, 3), IMAGENET, (256, 512, 1024, 2048)),
    "ResNet152": ("ResNet152", {}, (3, 8, 36, 3), IMAGENET, (256, 512, 1024, 2048)),
    "PlainNet34": ("PlainNet34", {}, (3, 4, 6, 3), IMAGENET, (64, 128, 256, 512)),
    "ResNet20": ("ResNet20", {}, (3, 3, 3), CIFAR, (16, 32, 64)),
    "pre-activation": ("ResNet20", {"placement": "full_preactivation"}, (3, 3, 3), CIFAR, (16, 32, 64)),
    "highway": ("ResNet20", {"shortcut": "highway"}, (3, 3, 3), CIFAR, (16, 32, 64)),
    "looped": ("ResNet110", {"unroll": False}, (18, 18, 18), CIFAR, (16, 32, 64)),
    "looped pre-activation": (
        "ResNet110",
        {"unroll": False, "placement": "full_preactivation", "stochastic_depth": 0.5},
        (18, 18, 18),
        CIFAR,
        (16, 32, 64),
    ),
    "remat": ("ResNet20", {"remat": True, "activation": "maxout"}, (3, 3, 3), CIFAR, (16, 32, 64)),
}


@pytest.fixture(scope="module", params=NETWORKS)
def known(request):
    """An unallocated network, its structure, and the paper's values."""
    builder, options, *paper = NETWORKS[request.param]
    with shapes_alone():
        model = getattr(keras_resnet, builder)(**options)
    return model, structure_of(model), paper


@pytest.mark.long
def test_blocks_and_their_outputs_are_those_of_table_1(known):
    model, structure, (blocks, sides, channels) = known
    assert [stage.name for stage in structure.stages] == ["conv2", "conv3", "conv4", "conv5"][: len(blocks)]
    assert tuple(len(stage.blocks) for stage in structure.stages) == blocks
    for stage, side, width in zip(model.stages, sides, channels, strict=True):
        assert {block.output.shape for block in stage.blocks} == {(None, side, side, width)}
        assert stage.output.shape == (None, side, side, width)
        model.layers.index(stage.output._keras_history.operation)  # the network's own tensor
    assert structure.stem.output.shape == (None, sides[0], sides[0], 64 if len(blocks) == 4 else 16)
    assert structure.classifier is model.layers[-1]
    assert structure.head.output is model.output


def test_each_weight_belongs_to_one_part(known):
    """In a stacked variable, each slice belongs to one part."""
    model, structure, _ = known
    owners = collections.defaultdict(list)
    for part in structure.parts:
        for name, slot in part.weights.items():
            owners[id(slot.variable), slot.index].append(part.name)
            prefix = {"stem": "conv1", "head": name.split("_bn/")[0].split("/")[0]}.get(part.name, part.name)
            assert name.startswith(prefix), name
            assert str(read_name(name)) == name
    expected = set()
    for layer in model.layers:
        indices = range(layer.repeats) if hasattr(layer, "repeats") else (None,)
        expected |= {(id(variable), index) for variable in layer.weights for index in indices}
    assert len(expected) > 30
    assert owners.keys() == expected
    assert all(len(parts) == 1 for parts in owners.values())


def test_each_layer_belongs_to_one_part_and_to_its_stage(known):
    model, structure, _ = known
    layers = {id(layer): layer for part in structure.parts for layer in part.layers}
    assert set(layers) == {id(layer) for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)}
    unrolled = [layer for part in structure.parts if part.index is None for layer in part.layers]
    assert len(unrolled) == len({id(layer) for layer in unrolled})
    for stage in structure.stages:
        assert {stage_of(layer.name) for block in stage.blocks for layer in block.layers} == {stage.name}


def test_what_a_stage_gives_is_read_by_the_next(known):
    """Detection cuts after the last block of the third stage, whose output is the input of the fourth."""
    model, _, (blocks, _, _) = known
    last = model.stages[2].blocks[blocks[2] - 1]
    assert last.name == f"conv4_block{blocks[2]}"
    readers = [node.operation for node in model.stages[2].output._keras_history.operation._outbound_nodes]
    following = model.stages[3].name if len(blocks) == 4 else ("avg", "post")
    assert readers
    assert all(stage_of(reader.name) in following for reader in readers)


def test_layers_of_an_input_tensor_belong_to_no_part():
    inputs = keras.Input((32, 32, 1))
    model = keras_resnet.ResNet20(input_tensor=keras.layers.Conv2D(3, 1, name="colours")(inputs), blocks=(1, 1, 1))
    assert "colours" in {layer.name for layer in model.layers}
    assert "colours" not in {layer.name for part in structure_of(model).parts for layer in part.layers}


def test_another_model_has_no_parts():
    model = keras.applications.VGG16(weights=None, input_shape=(32, 32, 3), include_top=False)
    assert all(not part.layers for part in structure_of(model).parts)


def test_a_network_that_lacks_a_block_cannot_be_split():
    model = keras_resnet.ResNet20(blocks=(1, 1, 1))
    model.spec = keras_resnet.ResNet20(blocks=(1, 2, 1)).spec
    with pytest.raises(keras_resnet.InputError, match=r"lacks some of its \(1, 2, 1\) blocks"):
        split(model)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("conv1_conv/kernel", Name("conv1", kind="conv", weight="kernel")),
        ("conv4_block36_0_bn/moving_mean", Name("conv4", 36, "0", "bn", "moving_mean")),
        ("conv2_block1_preact_relu", Name("conv2", 1, "preact", "relu")),
        ("conv3_block12_out", Name("conv3", 12, kind="out")),
        ("post_bn/gamma", Name("post", kind="bn", weight="gamma")),
        ("pool1_pool", Name("pool1", kind="pool")),
        ("avg_pool", Name("avg_pool")),
        ("predictions/bias", Name("predictions", weight="bias")),
    ],
)
def test_a_name_is_read_into_its_parts_and_built_of_them(text, parts):
    assert read_name(text) == parts
    assert str(parts) == text


@pytest.mark.parametrize("text", ["", "conv", "conv99_conv", "block1_conv1", "rpn_conv", "conv2_block-1_out", "a/b/c"])
def test_other_names_are_none_of_a_network(text):
    assert read_name(text) is None


def test_names_in_a_loop():
    assert stacked_name("functional_3/block_1_conv/kernel") == "block_1_conv_kernel"
    assert looped_blocks("conv2_block4_out", 3) == ["conv2_block2", "conv2_block3", "conv2_block4"]
    assert looped_blocks("conv2_block4_1_conv", 3) is None
    assert looped_blocks("dense", 3) is None
    assert in_block("conv2_block3", "block_1_conv") == "conv2_block3_1_conv"
    assert in_block("conv2_block3", "block_2_bn_moving_mean") == "conv2_block3_2_bn/moving_mean"
    assert in_block("conv2_block3", "conv1_conv") is None
    for name, weight in (("block_2_bn_moving_variance", "moving_variance"), ("a/b/kernel", "kernel"), ("seed", None)):
        assert weight_of(name) == weight


@pytest.mark.parametrize(
    ("path", "stage"),
    [
        ("conv3_block1_1_conv/kernel", "conv3"),
        ("conv2_block3_out/block_1_conv_kernel", "conv2"),
        ("rpn_conv/bias", "rpn"),
    ],
)
def test_the_stage_of_a_variable_is_read_from_its_path(path, stage):
    assert stage_of(path) == stage
