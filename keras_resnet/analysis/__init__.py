"""Instruments: what a network costs, gives, and how it learns; each on any image network of this package.

``multiply_adds``, ``layer_costs``, ``peak``, ``largest_batch`` and ``measure`` (cost), ``responses`` (Fig. 7),
``gradient_norms``, ``update_ratios``, ``flow``, ``shattering`` and the callback ``GradientWatch``, ``Loss`` with
``top_eigenvalues``, ``trace``, ``spectral_density`` and ``surface`` (curvature), ``lipschitz``, ``conditioning``,
``Lesions`` and ``paths``. All but cost and responses differentiate, with TensorFlow, and are imported at first use.
"""

import importlib

_WHERE = {
    "compute": ("multiply_adds",),
    "memory": ("layer_costs", "largest_batch", "peak"),
    "measuring": ("measure",),
    "parts": ("split",),
    "response_sizes": ("responses",),
    "gradients": ("GradientWatch", "by_stage", "flow", "gradient_norms", "shattering", "update_ratios"),
    "curvature": ("Loss", "spectral_density", "top_eigenvalues", "trace"),
    "loss_surface": ("filter_normalized", "surface"),
    "lanczos": ("Spectrum", "spectrum"),
    "lipschitz_constants": ("layer_norms", "lipschitz", "local_constants"),
    "block_jacobians": ("conditioning", "jacobian_gram", "singular_values"),
    "lesions": ("Lesions",),
    "path_gradients": ("paths",),
}
_MODULE_OF = {name: module for module, names in _WHERE.items() for name in names}
__all__ = sorted(_MODULE_OF)


def __getattr__(name: str):
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'keras_resnet.analysis' has no attribute {name!r}")
    return getattr(importlib.import_module(f"keras_resnet.analysis.{_MODULE_OF[name]}"), name)
