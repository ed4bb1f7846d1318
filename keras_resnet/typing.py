"""Names for the types that annotations of several rooms share."""

from typing import Any, TypeAlias

Tensor: TypeAlias = Any
"""A tensor of the Keras backend, symbolic or not. Neither Keras nor TensorFlow has types that tell more; shapes, dtypes
and units stand in the docstring."""
