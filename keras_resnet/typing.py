"""Types that several packages share in their annotations."""

from typing import Any, Literal, TypeAlias

Tensor: TypeAlias = Any
"""A tensor of the Keras backend, symbolic or with values. Neither Keras nor TensorFlow has a more precise type; the
docstrings give shapes, dtypes and units."""

Normalization = Literal["moving", "batch"]
"""Which statistics batch normalization uses: the moving ones, or those of each batch."""

ViewName = Literal["center", "10-crop", "multi-scale"]
"""Which parts of a test photo the network is applied to (Sec. 3.4)."""
