"""Networks trained in mixed precision, for instruments whose derivatives need float32."""

import keras

from keras_resnet.errors import InputError
from keras_resnet.models import build
from keras_resnet.network import Network


def in_float32(model: Network) -> Network:
    """``model``, or a copy of it that computes in float32 if it computes in another precision.

    Its weights are float32 in any precision, so the copy has the same ones. The same layers are frozen, and the
    preprocessing and class names are kept.
    """
    if _precision(model) == "float32":
        return model
    top, policy = model.layers[-1], keras.config.dtype_policy()
    has_top = isinstance(top, keras.layers.Dense)
    keras.config.set_dtype_policy("float32")
    try:
        copy = build(
            model.spec,
            include_top=has_top,
            input_shape=model.input_shape[1:],
            classes=model.output_shape[-1] if has_top else None,
            classifier_activation=keras.activations.serialize(top.activation) if has_top else "softmax",
            name=model.name,
        )
    finally:
        keras.config.set_dtype_policy(policy)
    copy.set_weights(model.get_weights())
    for layer, original in zip(copy.layers, model.layers, strict=True):
        layer.trainable = original.trainable
    copy.preprocessing, copy.class_names = model.preprocessing, model.class_names
    return copy


def check_float32(what: str, model: keras.Model) -> None:
    """Raise :class:`InputError`, which begins with ``what``, if a layer of ``model`` computes in another precision."""
    precision = _precision(model)
    if precision != "float32":
        raise InputError(
            f"{what} needs float32, and {model.name} computes in {precision}: give analysis.in_float32(model)."
        )


def _precision(model: keras.Model) -> str:
    """The precision that layers compute in, or that of the first one with another precision than float32."""
    return next((p for p in (layer.compute_dtype for layer in model._flatten_layers()) if p != "float32"), "float32")
