"""Exports for other runtimes: SavedModel, LiteRT in float32 and int8, and ONNX (needs the extra ``export``)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from keras_resnet import evaluation, weights
from keras_resnet.backends import needs_tensorflow
from keras_resnet.errors import InputError
from keras_resnet.extras import needed

if TYPE_CHECKING:
    import keras

TOP = 5
CALIBRATION = 100  # photos


def in_float32(model: keras.Model) -> keras.Model:
    """A copy of ``model`` that computes in float32, which every runtime has; ``model`` itself if it already does."""
    from keras_resnet.weights.folding import copied

    if all(layer.compute_dtype == "float32" for layer in model.layers):
        return model
    converted = copied(model, lambda layer: type(layer).from_config({**layer.get_config(), "dtype": "float32"}))
    converted.set_weights(model.get_weights())
    return converted


def deployable(model: keras.Model) -> keras.Model:
    """A float32 copy of ``model`` that does its own preprocessing and gives logits.

    It maps RGB values from 0 to 255, ``[batch, size, size, 3]``, to ``[batch, classes]``. Batch normalization is folded
    into the convolutions. Of the preprocessing, only the subtraction of the mean is a separate operation; the first
    convolution includes the order and scale of the channels, which int8 would otherwise round once more.

    Raises:
        InputError: the model has no classifier or no square input size, or its first layer is not a convolution.
    """
    import keras

    size, preprocessing = evaluation.input_size(model), model.preprocessing
    folded = weights.fold_batch_norm(evaluation.with_activation(in_float32(model), None))
    first = next(layer for layer in folded.layers if layer.weights)
    if not isinstance(first, keras.layers.Conv2D):
        raise InputError(f"{model.name} does not begin with a convolution, so its preprocessing cannot be included.")
    order = slice(None, None, -1 if preprocessing.channels == "BGR" else 1)
    first.kernel.assign((first.kernel.numpy() / np.reshape(preprocessing.std, (-1, 1)))[:, :, order])
    images = keras.Input((size, size, 3), name="images")
    return keras.Model(images, folded(images - preprocessing.mean_for(size, size)[..., order]), name=model.name)


def save_saved_model(model: keras.Model, folder: Path) -> None:
    """Write a TensorFlow SavedModel with two signatures.

    ``serving_default`` classifies JPEG or PNG files: from ``jpeg``, strings ``[batch]``, to the five best ``classes``
    (int32) and ``scores`` (float32), ``[batch, 5]``, and their ``names`` if the model has class names. Photos are seen
    as a viewer shows them, turned by EXIF and on white. ``logits`` maps ``images`` to ``logits`` as :func:`deployable`
    does. Both are TensorFlow's operations alone, so that servers without Python run them.

    Raises:
        InputError: Keras does not run on TensorFlow.
    """
    needs_tensorflow("A SavedModel", "tf.saved_model")
    import tensorflow as tf

    from keras_resnet.data import augment, plain_decoding

    size, crop, names = evaluation.input_size(model), model.preprocessing.crop, getattr(model, "class_names", None)
    inner = deployable(model)

    def classify(jpeg):
        with tf.device("CPU:0"):
            views = tf.map_fn(
                lambda encoded: augment.center_square(plain_decoding.decode(encoded), size, crop),
                jpeg,
                fn_output_signature=tf.TensorSpec([size, size, 3], tf.float32),
            )
        scores, classes = tf.math.top_k(tf.nn.softmax(inner(views)), min(TOP, model.output_shape[-1]))
        answer = {"scores": scores, "classes": classes}
        return answer | ({"names": tf.gather(tf.constant(names), classes)} if names else {})

    module = tf.Module()  # Keras' ExportArchive would write every weight twice
    module.weights = [variable.value for variable in inner.variables]
    images = tf.TensorSpec([None, size, size, 3], tf.float32, name="images")
    signatures = {
        "serving_default": tf.function(classify, [tf.TensorSpec([None], tf.string, name="jpeg")], autograph=False),
        "logits": tf.function(lambda images: {"logits": inner(images)}, [images], autograph=False),
    }
    tf.saved_model.save(module, str(folder), signatures)


def save_litert(saved_model: Path, file: Path, calibration: Iterable[np.ndarray] | None = None) -> None:
    """Write the ``logits`` of a SavedModel as a LiteRT file: in float32, or in int8 if there is ``calibration``.

    ``calibration`` holds images ``[size, size, 3]`` on which the ranges of all activations are measured. An int8 file
    takes uint8 images.
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
    """Write :func:`deployable` of ``model`` as an ONNX file, from ``images`` to logits.

    Raises:
        InputError: Keras runs on JAX, from which it writes them with a package that no extra brings.
    """
    import keras

    if keras.backend.backend() == "jax":
        needs_tensorflow("An ONNX file", "tf2onnx")
    inner = deployable(model)
    signature = [keras.InputSpec(shape=(None, *inner.input_shape[1:]), dtype="float32", name="images")]
    inner.export(file, format="onnx", verbose=False, input_signature=signature)
    onnx = needed("onnx", "export")
    content = onnx.load(file)
    content.graph.doc_string = ""  # the converter counts all functions of the process in it
    onnx.save(content, file)


def run_saved_model(folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A function from images ``[batch, size, size, 3]`` to logits ``[batch, classes]``: the ``logits`` signature."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))  # must stay alive as long as the function
    return lambda images: loaded.signatures["logits"](tf.constant(images, tf.float32))["logits"].numpy()


def run_served(folder: Path) -> Callable[[Sequence[bytes]], tuple[np.ndarray, np.ndarray]]:
    """A function from encoded photos to (classes, scores), each ``[photos, 5]``: the signature ``serving_default``."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))

    def classify(photos):
        answer = loaded.signatures["serving_default"](jpeg=tf.constant(photos))
        return answer["classes"].numpy(), answer["scores"].numpy()

    return classify


def run_litert(file: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A function from images ``[batch, size, size, 3]`` to logits, one image at a time on all cores."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(file), num_threads=os.cpu_count())
    interpreter.allocate_tensors()
    (argument,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()

    def logits_of_one(image):
        interpreter.set_tensor(argument["index"], _quantized(image[None], argument))
        interpreter.invoke()
        return interpreter.get_tensor(result["index"])[0].astype(np.float32)

    return lambda images: np.stack([logits_of_one(image) for image in images])


def _quantized(values, tensor):
    if tensor["dtype"] == np.float32:
        return values.astype(np.float32)
    scale, zero = tensor["quantization"]
    limits = np.iinfo(tensor["dtype"])
    return np.clip(np.round(values / scale + zero), limits.min, limits.max).astype(tensor["dtype"])


def run_onnx(file: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A function from images ``[batch, size, size, 3]`` to logits, by ONNX Runtime on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (argument,) = session.get_inputs()
    return lambda images: session.run(None, {argument.name: images.astype(np.float32)})[0]
