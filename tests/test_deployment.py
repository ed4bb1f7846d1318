"""Files for other runtimes, run by those runtimes."""

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from conftest import randomize
from PIL import Image

import keras_resnet
from keras_resnet import InputError, deployment, evaluation
from keras_resnet.data import augment
from keras_resnet.data.viewing import ORIENTATION
from keras_resnet.weights import CAFFE, TORCH

SIZE = 32


@pytest.fixture(scope="module", params=["torch", "caffe"])
def model(request):
    """A small random network; Caffe's preprocessing reverses the channels, torch's divides."""
    network = keras_resnet.ResNet18(input_shape=(SIZE, SIZE, 3), classes=7, width=0.25, blocks=(1, 1, 1, 1))
    randomize(network, np.random.default_rng(0))
    kernel = network.get_layer("predictions").kernel
    kernel.assign(kernel.numpy() * 0.01)  # softmax must not saturate
    network.preprocessing = {"torch": TORCH, "caffe": CAFFE}[request.param]
    network.class_names = tuple("abcdefg")
    return network


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    """The network's SavedModel."""
    folder = tmp_path_factory.mktemp("deployment") / "saved_model"
    deployment.save_saved_model(model, folder)
    return folder


@pytest.fixture
def images(rng):
    coarse = rng.integers(0, 256, (12, 4, 4, 3)).astype("uint8")
    return np.stack([np.asarray(Image.fromarray(picture).resize((SIZE, SIZE))) for picture in coarse])


@pytest.mark.long
def test_every_file_gives_the_model_s_logits(model, saved, images, tmp_path):
    expected = evaluation.with_activation(model, None)(model.preprocessing(images)).numpy()
    deployment.save_litert(saved, tmp_path / "m.tflite")
    deployment.save_litert(saved, tmp_path / "int8.tflite", images)
    deployment.save_onnx(model, tmp_path / "m.onnx")
    spread = np.ptp(expected)
    for run in (
        deployment.run_saved_model(saved),
        deployment.run_litert(tmp_path / "m.tflite"),
        deployment.run_onnx(tmp_path / "m.onnx"),
    ):
        assert np.abs(run(images) - expected).max() < 1e-4 * spread
    coarse = deployment.run_litert(tmp_path / "int8.tflite")(images)
    assert 1e-6 * spread < np.abs(coarse - expected).max()
    assert np.corrcoef(coarse.ravel(), expected.ravel())[0, 1] > 0.9
    assert not onnx.load(tmp_path / "m.onnx").graph.doc_string  # in which the converter counts the process's functions
    assert (tmp_path / "int8.tflite").stat().st_size < 0.4 * (tmp_path / "m.tflite").stat().st_size


@pytest.mark.long
@pytest.mark.parametrize("model", ["torch", pytest.param("caffe", marks=pytest.mark.slow)], indirect=True)
def test_a_network_of_mixed_precision_is_exported_in_float32(model, images, tmp_path):
    """LiteRT cannot convert bfloat16 at all."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    mixed = keras_resnet.ResNet18(input_shape=(SIZE, SIZE, 3), classes=7, width=0.25, blocks=(1, 1, 1, 1))
    mixed.set_weights(model.get_weights())
    mixed.preprocessing, mixed.class_names = model.preprocessing, model.class_names
    expected = evaluation.with_activation(model, None)(model.preprocessing(images)).numpy()
    deployment.save_saved_model(mixed, tmp_path / "saved_model")
    deployment.save_litert(tmp_path / "saved_model", tmp_path / "m.tflite")
    logits = deployment.run_litert(tmp_path / "m.tflite")(images)
    assert np.abs(logits - expected).max() < 1e-4 * np.ptp(expected)
    same = deployment.in_float32(mixed)
    assert (same.spec, same.preprocessing, same.class_names) == (mixed.spec, mixed.preprocessing, mixed.class_names)
    assert deployment.in_float32(model) is model


@pytest.mark.long
def test_jpeg_bytes_become_named_classes(model, saved, images, tmp_path):
    Image.fromarray(np.kron(images[0], np.ones((2, 3, 1), "uint8"))).save(tmp_path / "photo.jpg")
    encoded = (tmp_path / "photo.jpg").read_bytes()
    answer = tf.saved_model.load(str(saved)).signatures["serving_default"](jpeg=tf.constant([encoded] * 2))
    view = augment.center_view(encoded, SIZE).numpy()
    expected = model(model.preprocessing(view[None])).numpy()[0]
    best = np.argsort(-expected)[:5]
    classes, _ = deployment.run_served(saved)([encoded])
    np.testing.assert_array_equal(classes, [best])
    for row in range(2):
        np.testing.assert_array_equal(answer["classes"][row], best)
        np.testing.assert_allclose(answer["scores"][row], expected[best], atol=1e-5)
        assert [name.decode() for name in answer["names"][row].numpy()] == ["abcdefg"[i] for i in best]


@pytest.mark.long
def test_a_saved_model_sees_photos_as_a_viewer_does_and_calls_no_python(model, saved, images, tmp_path):
    """In another process a call of Python would fail, so its graph must have none."""
    assert b"PyFunc" not in (saved / "saved_model.pb").read_bytes()
    exif, photo = Image.Exif(), Image.fromarray(np.kron(images[0], np.ones((2, 3, 1), "uint8")))
    exif[ORIENTATION] = 6
    photo.save(tmp_path / "turned.jpg", exif=exif)
    Image.merge("RGBA", (*photo.split(), Image.linear_gradient("L").resize(photo.size))).save(tmp_path / "clear.png")
    encoded = [(tmp_path / name).read_bytes() for name in ("turned.jpg", "clear.png")]
    views = np.stack([augment.center_view(one, SIZE).numpy() for one in encoded])
    expected = np.sort(model(model.preprocessing(views)).numpy())[:, :-6:-1]
    _, scores = deployment.run_served(saved)(encoded)
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_models_without_a_classifier_are_refused():
    body = keras_resnet.ResNet18(include_top=False, blocks=(1, 1, 1, 1), input_shape=(SIZE, SIZE, 3), width=0.25)
    body.preprocessing = TORCH
    with pytest.raises(InputError, match="has no classifier on top"):
        deployment.deployable(body)
