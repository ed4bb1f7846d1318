"""Conditioning: singular values of blocks' Jacobians, and of their product over depth."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from scipy.sparse.linalg import LinearOperator, eigsh

from keras_resnet.analysis.lanczos import Spectrum, pooled, spectrum
from keras_resnet.analysis.parts import split
from keras_resnet.analysis.precision import check_float32
from keras_resnet.backends import needs_tensorflow
from keras_resnet.typing import Tensor

QUANTILES = (0.05, 0.5, 0.95)
TOLERANCE = 1e-6  # relative, of a squared norm; just above the rounding of float32


@dataclass(frozen=True)
class Conditioning:
    """Singular values of the Jacobian of a block, and of all blocks of its stage up to it, at the given images.

    Fields:
        name: the block's name.
        block, product: the distributions of their squares, by :func:`keras_resnet.analysis.lanczos.spectrum`.
    """

    name: str
    block: Spectrum
    product: Spectrum


def singular_values(squares: Spectrum) -> dict[str, float]:
    """The extremes, quantiles and root mean square of singular values, from the distribution of their squares."""
    values = {"min": squares.nodes[0], **{f"{share:.0%}": squares.quantile(share) for share in QUANTILES}}
    values |= {"max": squares.nodes[-1], "rms": squares.moment(1)}
    return {name: float(np.sqrt(max(value, 0))) for name, value in values.items()}


def conditioning(model: keras.Model, images: np.ndarray, steps: int = 30, probes: int = 2) -> list[Conditioning]:
    """Singular values of each block that keeps its input's shape, and of their product over each stage.

    Args:
        model: a network of this package, looped or not, in float32; it is applied in inference, with the moving
            statistics.
        images: preprocessed images ``[count, height, width, channels]``.
        steps: of the quadrature, see :func:`keras_resnet.analysis.lanczos.spectrum`.
        probes: random starting vectors of the quadrature.
    """
    needs_tensorflow("The conditioning of blocks", "tf.autodiff.ForwardAccumulator")
    check_float32("The conditioning of blocks", model)

    def squares(function, inputs):
        return pooled([spectrum(gram, steps, probes) for gram in jacobian_grams(function, inputs)])

    x = tf.constant(np.asarray(images), tf.float32)
    rows: list[Conditioning] = []
    models: list = []
    first, stage = None, None
    for part in split(model):
        if part.is_block and part.keeps_shape:
            if part.stage != stage:
                first, stage, models = x, part.stage, []
            models.append(part.model)
            product = block = squares(part.model, x)
            if len(models) > 1:
                product = squares(_composed(list(models)), first)
            rows.append(Conditioning(part.name, block, product))
        x = part.model(x, training=False)
    return rows


def _composed(models) -> Callable:
    def run(x, training):
        for model in models:
            x = model(x, training=training)
        return x

    return run


def jacobian_grams(function: Callable, inputs: np.ndarray | Tensor) -> list[LinearOperator]:
    """J^T J of ``function(x, training=False)`` at each of ``inputs`` ``[count, ...]``: operators on flat vectors."""

    @tf.function(autograph=False)
    def product(x, direction):
        with tf.autodiff.ForwardAccumulator(x, direction) as forward, tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x, training=False)
        return tape.gradient(y, x, forward.jvp(y))

    def operator(x):
        def matvec(vector):
            return product(x, tf.reshape(tf.constant(vector, tf.float32), x.shape)).numpy().ravel().astype(float)

        return LinearOperator((int(tf.size(x)),) * 2, matvec=matvec, dtype=np.float64)

    return [operator(x[None]) for x in tf.constant(inputs)]


def spectral_norm(gram: LinearOperator) -> float:
    """The largest singular value of J, where ``gram`` is J^T J, to a relative tolerance of about 1e-6 (ARPACK)."""
    start = np.random.default_rng(0).normal(size=gram.shape[0])
    if not gram.matvec(start).any():
        return 0.0
    (value,) = eigsh(gram, k=1, which="LA", tol=TOLERANCE, v0=start, return_eigenvectors=False)
    return float(np.sqrt(value))
