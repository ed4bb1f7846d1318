"""Whole networks: the paper's counts, Keras' conventions, saving, precision, bad input."""

import math
from functools import partial

import keras
import numpy as np
import pytest
from conftest import bfloat16_kernels, compile_to_train, randomize, xla_too
from programs import run

import keras_resnet
from keras_resnet import SPECS, InputError
from keras_resnet.analysis import multiply_adds, shapes_alone
from keras_resnet.specs import PLACEMENTS
from keras_resnet.training import SGD

PARAMETERS = {  # the paper's networks: options A / B / C
    18: (11_515_688, 11_689_512, 12_043_816),
    34: (21_623_848, 21_797_672, 22_716_840),
    50: (22_780_456, 25_557_032, 40_128_552),
    101: (41_772_584, 44_549_160, 76_981_288),
    152: (57_416_232, 60_192_808, 107_335_720),
}
CIFAR_PARAMETERS = {20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962, 1202: 19_421_274}
MULTIPLY_ADDS = {18: 1.814, 34: 3.664, 50: 3.858, 101: 7.570, 152: 11.282}  # 10^9, Table 1 exactly, option B


def trainable(model):
    return sum(math.prod(v.shape) for v in model.trainable_variables)


@pytest.mark.parametrize("depth", PARAMETERS)
@pytest.mark.long
def test_imagenet_parameters_and_multiply_adds_equal_the_paper_s(depth):
    builder = getattr(keras_resnet, f"ResNet{depth}")
    with shapes_alone():
        default = builder()
        counts = [
            trainable(default if option == default.spec.shortcut else builder(shortcut=option)) for option in "ABC"
        ]
        assert trainable(getattr(keras_resnet, f"PlainNet{depth}")()) == PARAMETERS[depth][0]
    assert tuple(counts) == PARAMETERS[depth]
    assert multiply_adds(default) == pytest.approx(MULTIPLY_ADDS[depth] * 1e9, rel=1e-3)


@pytest.mark.long
@pytest.mark.parametrize("depth", CIFAR_PARAMETERS)
def test_cifar_parameters_equal_the_paper_s(depth):
    with shapes_alone():
        assert trainable(getattr(keras_resnet, f"ResNet{depth}")()) == CIFAR_PARAMETERS[depth]
        if depth < 1202:
            assert trainable(getattr(keras_resnet, f"PlainNet{depth}")()) == CIFAR_PARAMETERS[depth]


@pytest.mark.long
def test_layer_names_and_shapes_are_keras_applications():
    ours = keras_resnet.ResNet50()
    theirs = keras.applications.ResNet50(weights=None)
    assert [layer.name for layer in theirs.layers if "_conv" in layer.name or "_bn" in layer.name]
    for layer in theirs.layers[1:]:
        assert ours.get_layer(layer.name).output.shape == layer.output.shape, layer.name


@pytest.mark.long
def test_output_equals_keras_applications_with_the_same_weights(rng):
    """An independent implementation of the same graph, with convolution biases (zeros here) and epsilon 1.001e-5."""
    options = {"input_shape": (64, 64, 3), "classifier_activation": None}  # a softmax here gives only zeros and ones
    ours = keras_resnet.ResNet50(bn_epsilon=1.001e-5, **options)
    theirs = keras.applications.ResNet50(weights=None, **options)
    randomize(ours, rng)
    for layer in ours.layers:
        if layer.weights:
            extra = theirs.get_layer(layer.name).get_weights()[len(layer.weights) :]
            theirs.get_layer(layer.name).set_weights(layer.get_weights() + [np.zeros_like(e) for e in extra])
    x = rng.normal(size=(2, 64, 64, 3)).astype("float32")
    expected = theirs(x).numpy()
    np.testing.assert_allclose(ours(x), expected, atol=2e-6 * np.ptp(expected))


def test_kernels_are_he_normal():
    kernel = keras_resnet.ResNet18().get_layer("conv5_block2_2_conv").kernel.numpy()
    deviation = math.sqrt(2 / (9 * 512))
    assert kernel.std() == pytest.approx(deviation, rel=0.01)
    assert abs(kernel).max() > 4 * deviation  # not truncated


@pytest.mark.long
def test_input_options():
    net = partial(keras_resnet.ResNet20, blocks=(1, 1, 1))
    assert net(include_top=False).output_shape == (None, None, None, 64)
    assert net(include_top=False, pooling="avg").output_shape == (None, 64)
    assert net(include_top=False, pooling="max", input_shape=(32, 48, 1)).output_shape == (None, 64)
    assert net(input_shape=(None, None, 4), classes=7).output_shape == (None, 7)
    image = keras.Input((40, 40, 3))
    model = net(input_tensor=keras.layers.Rescaling(1 / 255)(image), name="mine")
    assert model.name == "mine"
    assert model.inputs[0] is image
    assert keras_resnet.ResNet50(blocks=(1, 1, 1, 1)).input_shape == (None, 224, 224, 3)


@pytest.mark.long
def test_dynamic_sizes_give_the_static_network_s_outputs(rng):
    net = partial(keras_resnet.ResNet18, blocks=(2, 1, 1, 1), classes=5)
    dynamic = net(input_shape=(None, None, 3))
    for size in (32, 32), (33, 47), (64, 50):
        static = net(input_shape=(*size, 3))
        static.set_weights(dynamic.get_weights())
        x = rng.normal(size=(2, *size, 3)).astype("float32")
        np.testing.assert_allclose(dynamic(x), static(x), atol=1e-6)


@pytest.mark.long
def test_pyramid_has_each_stage():
    maps = keras_resnet.pyramid(keras_resnet.ResNet34(blocks=(1, 2, 1, 1), include_top=False)).output
    assert {name: tensor.shape[-1] for name, tensor in maps.items()} == {"C2": 64, "C3": 128, "C4": 256, "C5": 512}
    sizes = keras_resnet.pyramid(keras_resnet.ResNet1202()).output
    assert {name: tuple(t.shape[1:]) for name, t in sizes.items()} == {
        "C2": (32, 32, 16),
        "C3": (16, 16, 32),
        "C4": (8, 8, 64),
    }
    with pytest.raises(InputError, match="pyramid takes a network that keras_resnet built"):
        keras_resnet.pyramid(keras.Sequential([keras.Input((3,))]))


SMALL = {"blocks": (3, 2), "filters": (8, 16)}  # with a loop of several blocks, and a shortcut of each kind
UNROLLED = {"blocks": (2, 1)}  # as many kinds of blocks where there are no loops
CHANGES = [
    *({"placement": placement} for placement in PLACEMENTS),
    {"shortcut": "highway"},
    {"shortcut": "B", "block": "bottleneck", "stride_in": "3x3"},
    {"activation": "maxout", "dropout": 0.2, "stochastic_depth": 0.5},
    {"unroll": False, "stochastic_depth": 0.3, "dropout": 0.1},
    {"remat": True, "width": 0.5},
]


@pytest.mark.long
@xla_too
@pytest.mark.parametrize("changes", CHANGES, ids=lambda c: "-".join(map(str, c.values())))
def test_every_option_trains_and_saves(changes, xla, rng, tmp_path):
    model = keras_resnet.ResNet20(**SMALL | ({} if "unroll" in changes else UNROLLED) | changes)
    compile_to_train(model, SGD(0.01), "sparse_categorical_crossentropy", xla)
    x, y = rng.normal(size=(8, 32, 32, 3)).astype("float32"), rng.integers(0, 10, 8)
    before = model.get_weights()
    assert np.isfinite(model.train_on_batch(x, y))
    frozen = {v.path for v in model.weights if "rate" in v.name}
    for variable, old in zip(model.weights, before, strict=True):
        assert variable.path in frozen or np.any(variable.numpy() != old), f"{variable.path} did not move"
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.spec == model.spec
    np.testing.assert_array_equal(loaded(x), model(x))
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone(x), model(x))


@pytest.mark.long
def test_saved_model_gives_equal_outputs_in_a_new_process(rng, tmp_path):
    model = keras_resnet.ResNet18(blocks=(2, 1, 1, 1), input_shape=(32, 32, 3), classes=4, classifier_activation=None)
    model.preprocessing = keras_resnet.Preprocessing(rng.uniform(0, 255, (32, 32, 3)))
    randomize(model, rng)
    images = rng.integers(0, 256, (3, 32, 32, 3)).astype("uint8")
    np.save(tmp_path / "images.npy", images)
    np.save(tmp_path / "expected.npy", model.predict(keras_resnet.preprocess_input(images, model), verbose=0))
    model.save(tmp_path / "model.keras")
    (tmp_path / "predict.py").write_text(
        "import keras, numpy as np, keras_resnet\n"
        "model = keras.models.load_model('model.keras')\n"
        "x = keras_resnet.preprocess_input(np.load('images.npy'), model)\n"
        "np.testing.assert_allclose(model.predict(x, verbose=0), np.load('expected.npy'), rtol=1e-5)\n"
    )
    done = run(tmp_path / "predict.py", folder=tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.long
@pytest.mark.parametrize("precision", [pytest.param("mixed_bfloat16", marks=bfloat16_kernels), "mixed_float16"])
@pytest.mark.parametrize("unroll", [True, False])
@xla_too
def test_mixed_precision_keeps_statistics_and_softmax_float32(xla, precision, unroll, rng):
    reference = keras_resnet.ResNet20(**SMALL, unroll=unroll)
    keras.config.set_dtype_policy(precision)
    model = keras_resnet.ResNet20(**SMALL, unroll=unroll)
    model.set_weights(reference.get_weights())
    x, y = rng.normal(size=(8, 32, 32, 3)).astype("float32"), rng.integers(0, 10, 8)
    outputs = model(x)
    assert outputs.dtype == "float32"
    assert all(v.dtype == "float32" for v in model.weights)
    assert model.get_layer("conv1_conv").compute_dtype == precision.removeprefix("mixed_")
    np.testing.assert_allclose(outputs, reference(x), atol=0.1)
    compile_to_train(model, SGD(0.01), "sparse_categorical_crossentropy", xla)
    assert np.isfinite(model.train_on_batch(x, y))


@pytest.mark.long
@pytest.mark.parametrize("changes", [{}, {"block": "bottleneck", "shortcut": "C"}, {"placement": "full_preactivation"}])
@pytest.mark.parametrize("back", [False, True])
@xla_too
def test_looped_and_unrolled_networks_are_one(xla, changes, back, rng):
    first = keras_resnet.ResNet20(**SMALL, unroll=back, **changes)
    second = keras_resnet.convert(first, unroll=not back)
    x, y = rng.normal(size=(16, 32, 32, 3)).astype("float32"), rng.integers(0, 10, 16)
    np.testing.assert_allclose(first(x), second(x), atol=1e-6)
    if back and not xla:  # the same two networks train in the other direction
        return
    for model in (first, second):
        compile_to_train(model, SGD(0.1), "sparse_categorical_crossentropy", xla)
        model.train_on_batch(x, y)
    arrays, others = (keras_resnet.weights.named_arrays(model) for model in (first, second))
    assert arrays.keys() == others.keys()
    for key, value in arrays.items():
        np.testing.assert_allclose(value, others[key], atol=1e-5, err_msg=key)


@pytest.mark.long
def test_resnet_1202_builds_and_trains(rng):
    """With a separate layer for each convolution this raises RecursionError under Keras' defaults."""
    model = keras_resnet.ResNet1202()
    assert len(model.layers) < 50
    compile_to_train(model, SGD(0.01), "sparse_categorical_crossentropy")
    loss = model.train_on_batch(rng.normal(size=(2, 32, 32, 3)).astype("float32"), rng.integers(0, 10, 2))
    assert np.isfinite(loss)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"shortcut": "Z"}, ["shortcut 'Z'", "A, B, C"]),
        ({"depth": 3}, ["'depth'", "placement"]),
        ({"input_shape": (2, 32, 3)}, ["height 2", "at least 4"]),
        ({"input_shape": (32, 0, 3)}, ["width 0"]),
        ({"input_shape": (32, -1, 3)}, ["width -1"]),
        ({"input_shape": (32, 32, 513)}, ["513 channels", "1 to 512"]),
        ({"channels": "adapt"}, ["give weights too"]),
        ({"channels": 3, "weights": keras_resnet.weights.from_model(keras_resnet.ResNet20())}, ["channels 3", "adapt"]),
        ({"input_shape": (32, 32)}, ["(height, width, channels)"]),
        ({"classes": 0}, ["classes 0", "positive"]),
        ({"include_top": False, "pooling": "sum"}, ["pooling 'sum'", "avg, max"]),
        ({"pooling": "avg"}, ["include_top=False"]),
        ({"input_tensor": np.zeros((1, 32, 32, 3))}, ["Keras tensor", "ndarray"]),
        ({"weights": "missing.th"}, ["no weight file missing.th"]),
        ({"weights": "weights.bin"}, ["weights.bin", ".th, .pth"]),
    ],
)
def test_bad_input_is_named_with_the_way_out(arguments, words):
    with pytest.raises(InputError) as caught:
        keras_resnet.ResNet20(**arguments)
    assert all(word in str(caught.value) for word in words), caught.value


def test_imagenet_networks_need_32_pixels():
    with pytest.raises(InputError, match=r"height 31 is too small .* ResNet50, which needs at least 32"):
        keras_resnet.ResNet50(input_shape=(31, 64, 3))


def test_every_spec_has_its_builder():
    for name in SPECS:
        builder = getattr(keras_resnet, name)
        assert builder.__name__ == name
        assert str(SPECS[name].depth) in builder.__doc__


def test_weights_of_other_classes_point_to_a_new_classifier(tmp_path):
    small = {"blocks": (1, 1), "filters": (2, 4), "input_shape": (8, 8, 3)}
    trained = keras_resnet.ResNet20(classes=2, **small)
    trained.class_names = ("cat", "dog")
    trained.save(tmp_path / "m.keras")
    with pytest.raises(InputError, match=r"give classes=2, and then replace_classifier\(model, 3\)"):
        keras_resnet.ResNet20(classes=3, weights=tmp_path / "m.keras", **small)
    assert keras_resnet.replace_classifier(trained, 3).class_names is None
    assert keras_resnet.replace_classifier(trained, 2).class_names == ("cat", "dog")
