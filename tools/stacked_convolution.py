"""Convolutions of several networks of one structure as a single convolution, for ``jax.vmap`` over the networks."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import keras


def stack_convolutions(network: keras.Model) -> None:
    """Make ``jax.vmap`` over the weights of ``network`` fast on a GPU; its results stay the same.

    JAX itself would make grouped convolutions, which are slow. Here the channels of all networks lie side by side, and
    the kernel has zeros between different networks: for few channels, the zeros cost less than separate calls. Zero
    times NaN is NaN, so one network that diverges spoils the others.
    """
    for layer in network._flatten_layers():
        if isinstance(layer, keras.layers.Conv2D):
            layer.convolution_op = stacked(layer.convolution_op)


def stacked(convolve: Callable) -> Callable:
    """``convolve(inputs, kernel)`` of ``[batch, height, width, channels]``, whose ``vmap`` is one convolution."""

    def side_by_side(inputs: Any, kernels: Any) -> Any:
        networks, batch, height, width, channels = inputs.shape
        filters = kernels.shape[-1]
        joined = jnp.moveaxis(inputs, 0, 3).reshape(batch, height, width, networks * channels)
        apart = jnp.einsum("nhwcf,nm->hwncmf", kernels, jnp.eye(networks, dtype=kernels.dtype))
        outputs = convolve(joined, apart.reshape(*kernels.shape[1:3], networks * channels, networks * filters))
        return jnp.moveaxis(outputs.reshape(*outputs.shape[:3], networks, filters), 3, 0)

    def gradients(inputs: Any, kernel: Any, outer: Any) -> Any:
        return jax.vjp(convolve, inputs, kernel)[1](outer)

    def stacked_gradients(inputs: Any, kernels: Any, outer: Any) -> Any:
        return jax.vjp(side_by_side, inputs, kernels)[1](outer)

    forward, backward = _with_vmap(convolve, side_by_side), _with_vmap(gradients, stacked_gradients)
    convolution = jax.custom_vjp(forward)
    convolution.defvjp(lambda *given: (forward(*given), given), lambda given, outer: backward(*given, outer))
    return lambda inputs, kernel: convolution(inputs, keras.ops.convert_to_tensor(kernel))


def _with_vmap(function: Callable, of_all: Callable) -> Callable:
    """``function``, whose ``vmap`` is ``of_all``."""
    result = jax.custom_batching.custom_vmap(function)

    def rule(count, batched, *values):
        whole = [v if b else jnp.broadcast_to(v, (count, *v.shape)) for v, b in zip(values, batched, strict=True)]
        outputs = of_all(*whole)
        return outputs, jax.tree.map(lambda _: True, outputs)

    result.def_vmap(rule)
    return result
