"""A network as files for other runtimes: SavedModel, LiteRT in float32 and int8, ONNX (needs the extra ``export``)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_resnet import evaluation, weights
from keras_resnet.errors import InputError

if TYPE_CHECKING:
    import keras

TOP = 5
CALIBRATION = 100  # photos


def in_float32(model: keras.Model) -> keras.Model:
    """``model`` with its weights and float32 arithmetic, which every runtime has; itself if it has that already."""
    from keras_resnet.weights.folding import copied

    if all(layer.compute_dtype == "float32" for layer in model.layers):
        return model
    found = copied(model, lambda layer: type(layer).from_config({**layer.get_config(), "dtype": "float32"}))
    found.set_weights(model.get_weights())
    return found


def deployable(model: keras.Model) -> keras.Model:
    """``model`` from float32 RGB ``[batch, size, size, 3]``, 0 to 255, to logits ``[batch, classes]``, in float32.

    Its normalizations are folded, and of its preprocessing only the mean is an operation of its own: order and scale of
    the channels are in the first convolution, since int8 would round them once more.

    Raises:
        InputError: the model has no classifier, no square input size, or no convolution to begin with.
    """
    import keras

    size, how = evaluation.input_size(model), model.preprocessing
    folded = weights.fold_batch_norm(evaluation.with_activation(in_float32(model), None))
    first = next(layer for layer in folded.layers if layer.weights)
    if not isinstance(first, keras.layers.Conv2D):
        raise InputError(f"{model.name} does not begin with a convolution: it cannot take its preprocessing in.")
    order = slice(None, None, -1 if how.channels == "BGR" else 1)
    first.kernel.assign((first.kernel.numpy() / np.reshape(how.std, (-1, 1)))[:, :, order])
    images = keras.Input((size, size, 3), name="images")
    return keras.Model(images, folded(images - how.mean_for(size, size)[..., order]), name=model.name)


def save_saved_model(model: keras.Model, folder: Path) -> None:
    """A TensorFlow SavedModel whose ``serving_default`` classifies JPEG or PNG files.

    It takes ``jpeg``, strings ``[batch]``, and gives the five best: ``classes`` int32 and ``scores`` float32
    ``[batch, 5]``, and ``names`` where the model has class names. ``logits`` takes ``images`` as :func:`deployable`.
    """
    import tensorflow as tf

    from keras_resnet.data import augment

    size, crop, names = evaluation.input_size(model), model.preprocessing.crop, getattr(model, "class_names", None)
    inner = deployable(model)

    def classify(jpeg):
        with tf.device("CPU:0"):
            views = tf.map_fn(
                lambda encoded: augment.center_view(encoded, size, crop),
                jpeg,
                fn_output_signature=tf.TensorSpec([size, size, 3], tf.float32),
            )
        scores, classes = tf.math.top_k(tf.nn.softmax(inner(views)), min(TOP, model.output_shape[-1]))
        found = {"scores": scores, "classes": classes}
        return found | ({"names": tf.gather(tf.constant(names), classes)} if names else {})

    module = tf.Module()  # Keras' ExportArchive would write every weight twice
    module.weights = [variable.value for variable in inner.variables]
    images = tf.TensorSpec([None, size, size, 3], tf.float32, name="images")
    signatures = {
        "serving_default": tf.function(classify, [tf.TensorSpec([None], tf.string, name="jpeg")]),
        "logits": tf.function(lambda images: {"logits": inner(images)}, [images]),
    }
    tf.saved_model.save(module, str(folder), signatures)


def save_litert(saved_model: Path, file: Path, calibration: Iterable[np.ndarray] | None = None) -> None:
    """A LiteRT file of a SavedModel's ``logits``: float32, or with ``calibration`` int8 with uint8 images.

    ``calibration`` are images ``[size, size, 3]`` from which the ranges of all activations are measured.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model), signature_keys=["logits"])
    if calibration is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image[None].astype(np.float32)] for image in calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
    file.write_bytes(converter.convert())


def save_onnx(model: keras.Model, file: Path) -> None:
    """An ONNX file of :func:`deployable`: ``images`` to logits."""
    import keras

    inner = deployable(model)
    signature = [keras.InputSpec(shape=(None, *inner.input_shape[1:]), dtype="float32", name="images")]
    inner.export(file, format="onnx", verbose=False, input_signature=signature)


def run_saved_model(folder: Path):
    """A function from images ``[batch, size, size, 3]`` to logits, by the file's ``logits`` signature."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))  # the function needs it alive
    return lambda images: loaded.signatures["logits"](tf.constant(images, tf.float32))["logits"].numpy()


def run_served(folder: Path):
    """A function from encoded photos, a list of bytes, to (classes, scores) ``[photos, 5]``, by ``serving_default``."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))

    def classify(photos):
        found = loaded.signatures["serving_default"](jpeg=tf.constant(photos))
        return found["classes"].numpy(), found["scores"].numpy()

    return classify


def run_litert(file: Path):
    """The same by LiteRT's interpreter, one image at a time on all cores."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(file), num_threads=os.cpu_count())
    interpreter.allocate_tensors()
    (given,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()

    def one(image):
        interpreter.set_tensor(given["index"], _quantized(image[None], given))
        interpreter.invoke()
        return interpreter.get_tensor(result["index"])[0].astype(np.float32)

    return lambda images: np.stack([one(image) for image in images])


def _quantized(values, tensor):
    if tensor["dtype"] == np.float32:
        return values.astype(np.float32)
    scale, zero = tensor["quantization"]
    limits = np.iinfo(tensor["dtype"])
    return np.clip(np.round(values / scale + zero), limits.min, limits.max).astype(tensor["dtype"])


def run_onnx(file: Path):
    """The same by ONNX Runtime on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    return lambda images: session.run(None, {given.name: images.astype(np.float32)})[0]
