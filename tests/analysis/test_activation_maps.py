"""Activation maps are what their papers define, computed here place by place."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import bfloat16_kernels, compile_to_train, randomize
from PIL import Image
from tiny_networks import batch, tiny

import keras_resnet
from keras_resnet import InputError
from keras_resnet.analysis import activation_map
from keras_resnet.analysis.parts import split
from keras_resnet.data import demo
from keras_resnet.detection.data import rendered_scenes
from keras_resnet.weights import fold_batch_norm

CLASSES = [3, 0, 7, 7, 1, 9]
KINDS = {
    "basic": {},
    "plain": {"residual": False},
    "bottleneck": {"block": "bottleneck", "shortcut": "C"},
    "preactivation": {"placement": "full_preactivation"},
    "looped": {"unroll": False, "blocks": (2, 3)},
    "looped preactivation": {"placement": "full_preactivation", "unroll": False, "blocks": (2, 3)},
    "remat": {"remat": True},
}


def foreign(rng):
    """A network that this package did not build; its dropout stands between pooling and classifier."""
    model = keras.applications.MobileNetV2(weights=None, alpha=0.35, input_shape=(32, 32, 3), classes=10)
    pooled = keras.layers.Dropout(0.5)(model.layers[-2].output)
    model = keras.Model(model.input, keras.layers.Dense(10, activation="softmax")(pooled))
    randomize(model, rng)
    return model


def cam_by_a_loop(maps, kernel, classes):
    """Zhou et al. 2016, Eqn. 2: the class' weights times what each unit gives at a place."""
    expected = np.zeros(maps.shape[:3])
    for image, label in enumerate(classes):
        for y in range(maps.shape[1]):
            for x in range(maps.shape[2]):
                expected[image, y, x] = sum(
                    float(kernel[k, label]) * float(maps[image, y, x, k]) for k in range(maps.shape[3])
                )
    return expected


def grad_cam_by_a_loop(maps, rest, classes):
    """Selvaraju et al. 2017, Eqns. 1 and 2; ``rest`` takes a map to logits."""
    feature_maps = tf.constant(maps)
    with tf.GradientTape() as tape:
        tape.watch(feature_maps)
        logits = tf.gather(rest(feature_maps), classes, batch_dims=1)  # each depends on its image's map alone
    slopes, expected = tape.gradient(logits, feature_maps).numpy(), np.zeros(maps.shape[:3])
    for image in range(len(maps)):
        for y in range(maps.shape[1]):
            for x in range(maps.shape[2]):
                value = sum(slopes[image, :, :, k].mean() * maps[image, y, x, k] for k in range(maps.shape[3]))
                expected[image, y, x] = max(value, 0)
    return expected


def last_feature_map(model, images):
    """By the pooling that Keras' own graph shows."""
    pooling = next(layer for layer in model.layers if isinstance(layer, keras.layers.GlobalAveragePooling2D))
    return keras.Model(model.input, pooling.input)(images, training=False).numpy()


def logits_of(scores):
    """Logits up to a constant of the image."""
    return np.log(np.asarray(scores, np.float64))


@pytest.mark.parametrize("kind", [*KINDS, "foreign", "folded"])
@pytest.mark.long
def test_a_cam_is_the_weighted_sum_of_the_last_maps_and_gives_the_logit(rng, kind):
    model = foreign(rng) if kind == "foreign" else tiny(rng, **KINDS.get(kind, {}))
    images, _ = batch(rng, model)
    classes = CLASSES
    maps, (kernel, bias) = last_feature_map(model, images), model.layers[-1].get_weights()
    if kind == "folded":
        model = fold_batch_norm(model)
    activation = activation_map(model, images, classes, batch_size=4)
    np.testing.assert_allclose(activation, cam_by_a_loop(maps, kernel, classes), rtol=1e-4, atol=1e-5)
    of_each_class = activation_map(model, np.repeat(images, 10, axis=0), np.tile(np.arange(10), 6))
    logits = of_each_class.mean(axis=(1, 2)).reshape(6, 10) + bias
    expected = logits_of(model(images, training=False))
    np.testing.assert_allclose(logits - logits[:, :1], expected - expected[:, :1], rtol=1e-3, atol=1e-4)
    first = np.asarray(model(images, training=False)).argmax(axis=1)
    np.testing.assert_array_equal(activation_map(model, images), activation_map(model, images, first))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.long
def test_a_grad_cam_is_its_definition_at_any_block(rng, kind):
    model = tiny(rng, **KINDS[kind])
    images, _ = batch(rng, model, 2)
    classes = CLASSES[:2]
    *parts, head = split(model)
    pooled, (kernel, bias) = keras.Model(head.input, model.layers[-1].input), model.layers[-1].get_weights()
    maps = images
    for number, part in enumerate(parts):
        maps = part.model(maps, training=False)

        def rest(x, after=parts[number + 1 :]):
            for later in after:
                x = later.model(x, training=False)
            return pooled(x, training=False) @ kernel + bias

        activation = activation_map(model, images, classes, part.name)
        expected = grad_cam_by_a_loop(np.asarray(maps), rest, classes)
        np.testing.assert_allclose(activation, expected, rtol=1e-3, atol=1e-5 * expected.max(), err_msg=part.name)


@pytest.mark.long
def test_a_grad_cam_of_another_network_is_at_any_layer(rng):
    model = foreign(rng)
    model.trainable = False  # as for export
    images, _ = batch(rng, model, 2)
    logits = keras.Model(model.input, model.layers[-1].input)
    kernel, bias = model.layers[-1].get_weights()
    for name in ("block_6_expand_relu", "block_13_project_BN"):
        tensor = model.get_layer(name).output
        maps = keras.Model(model.input, tensor)(images, training=False).numpy()
        rest = keras.Model(tensor, logits.output)
        expected = grad_cam_by_a_loop(maps, lambda x, rest=rest: rest(x, training=False) @ kernel + bias, [4, 2])
        assert expected.max() > 0
        activation = activation_map(model, images, [4, 2], name)
        np.testing.assert_allclose(activation, expected, rtol=1e-3, atol=1e-4 * expected.max())


@pytest.mark.long
def test_blocks_of_kerass_own_resnet_are_known_by_their_names(rng):
    model = keras.applications.ResNet50(weights=None, input_shape=(32, 32, 3), classes=4)
    images, _ = batch(rng, model, 2)
    by_block = activation_map(model, images, [1, 2], "conv3_block2")
    np.testing.assert_array_equal(by_block, activation_map(model, images, [1, 2], "conv3_block2_out"))
    assert by_block.shape == (2, 4, 4)


@pytest.mark.parametrize("kind", ["looped", "looped preactivation"])
@pytest.mark.long
def test_a_block_in_a_loop_is_the_block_of_the_unrolled_network(rng, kind):
    looped = tiny(rng, **KINDS[kind])
    unrolled = keras_resnet.convert(looped, unroll=True)
    images, _ = batch(rng, looped)
    for block in ("conv2_block1", "conv2_block2", "conv3_block2", "conv3_block3"):
        np.testing.assert_allclose(
            activation_map(looped, images, CLASSES, block),
            activation_map(unrolled, images, CLASSES, block),
            rtol=1e-4,
            atol=1e-6,
        )


def test_at_the_last_block_grad_cam_is_the_positive_part_of_the_mean_cam(rng):
    model = tiny(rng)
    images, _ = batch(rng, model)
    cam = activation_map(model, images, CLASSES)
    assert (cam < 0).any()
    last = activation_map(model, images, CLASSES, "conv3_block1")
    np.testing.assert_allclose(last, np.maximum(cam, 0) / cam[0].size, rtol=1e-4, atol=1e-7)


@bfloat16_kernels
@pytest.mark.parametrize("block", [None, "conv2_block2"])
@pytest.mark.parametrize("unroll", [True, False])
@pytest.mark.long
def test_bfloat16_gives_nearly_the_same_map_in_float32(rng, unroll, block):
    exact = tiny(rng, blocks=(2, 2), unroll=unroll)
    keras.config.set_dtype_policy("mixed_bfloat16")
    rounded = keras_resnet.ResNet20(blocks=(2, 2), filters=(2, 4), input_shape=(8, 8, 3), unroll=unroll)
    rounded.set_weights(exact.get_weights())
    images, _ = batch(rng, exact)
    expected, activation = (activation_map(model, images, CLASSES, block) for model in (exact, rounded))
    assert activation.dtype == np.float32
    assert not np.array_equal(activation, expected)
    np.testing.assert_allclose(activation, expected, atol=0.05 * np.abs(expected).max())


@pytest.mark.long
def test_what_cannot_be_explained_is_refused(rng):
    model = tiny(rng)
    images, _ = batch(rng, model)
    assert activation_map(model, images[:0]).shape[0] == 0
    with pytest.raises(
        InputError, match=r"has no block or layer conv9_block1: choose one of stem, conv2_block1, conv3"
    ):
        activation_map(model, images, block="conv9_block1")
    with pytest.raises(InputError, match="head of ResNet20 gives no feature map"):
        activation_map(model, images, block="head")
    with pytest.raises(InputError, match="classes must be from 0 to 9, the last class of ResNet20"):
        activation_map(model, images, [0, 1, 2, 3, 4, 10])
    with pytest.raises(InputError, match="classes must be 6 whole numbers, one for each image"):
        activation_map(model, images, [1])
    with pytest.raises(InputError, match="ResNet20 has no classifier on top"):
        activation_map(keras_resnet.ResNet20(include_top=False, blocks=(1, 1, 1)), images)
    flat = keras.applications.VGG16(weights=None, input_shape=(32, 32, 3), classes=3)
    with pytest.raises(InputError, match="no global average pooling under its classifier: name a block or layer, for"):
        activation_map(flat, np.zeros((1, 32, 32, 3), np.float32))
    assert activation_map(flat, np.zeros((1, 32, 32, 3), np.float32), block="block3_pool").shape == (1, 4, 4)


@pytest.fixture(scope="module")
def shapes_network():
    """Of three blocks, trained for seconds on 600 pictures of the demo set and their mirror images."""
    keras.utils.set_random_seed(0)
    views, labels = [], np.arange(600) % len(demo.CLASSES)
    for seed, label in enumerate(labels):
        picture = np.asarray(demo.render(int(label), seed))
        side = round(min(picture.shape[:2]) * 7 / 8)
        top, left = ((extent - side) // 2 for extent in picture.shape[:2])
        view = Image.fromarray(picture[top : top + side, left : left + side]).resize((32, 32), Image.Resampling.BOX)
        views += [np.asarray(view, np.float32), np.asarray(view, np.float32)[:, ::-1]]
    preprocessing = keras_resnet.Preprocessing(np.mean(views, axis=(0, 1, 2)), std=(64.0,) * 3)
    model = keras_resnet.ResNet20(blocks=(1, 1, 1))
    rate = keras.optimizers.schedules.CosineDecay(3e-3, 5 * len(views) // 32)
    compile_to_train(model, keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    model.fit(preprocessing(np.stack(views)), np.repeat(labels, 2), batch_size=32, epochs=5, verbose=0)
    model.preprocessing = preprocessing
    return model


@pytest.mark.long
def test_the_map_of_a_class_finds_its_objects_among_others(shapes_network):
    """In whole scenes of several shapes: the energy in the boxes of a class is twice their share and more."""
    weights = keras_resnet.weights.from_model(shapes_network)
    network = keras_resnet.build(shapes_network.spec, input_shape=(None, None, 3), weights=weights)
    shares, energies, of_others = [], [], []
    for seed in range(1_000_000, 1_000_040):
        picture, boxes, labels = rendered_scenes.render(seed)
        scale = 48 / min(picture.size)
        size = tuple(4 * round(side * scale / 4) for side in picture.size)
        image = shapes_network.preprocessing(np.asarray(picture.resize(size, Image.Resampling.BOX)))
        maps = activation_map(network, np.stack([image] * len(labels)), np.array(labels))
        boxed = {label: np.zeros(picture.size[::-1], bool) for label in labels}
        for (left, top, right, bottom), label in zip(boxes.round().astype(int), labels, strict=True):
            boxed[label][top:bottom, left:right] = True
        for activation, label in zip(maps, labels, strict=True):
            energy = np.maximum(Image.fromarray(activation).resize(picture.size, Image.Resampling.BILINEAR), 0)
            shares.append(boxed[label].mean())
            energies.append(energy[boxed[label]].sum() / energy.sum())
            of_others += [energy[boxed[i]].sum() / energy.sum() / boxed[i].mean() for i in boxed if i != label]
    assert np.mean(energies) >= 2 * np.mean(shares)
    assert np.mean(np.array(energies) >= 2 * np.array(shares)) > 0.7
    assert np.mean(of_others) < 0.5 * np.mean(np.array(energies) / shares)
