"""Instruments that measure a network's cost, outputs and learning, for all networks of this package.

``multiply_adds``, ``layer_costs``, ``peak``, ``largest_batch`` and ``measure`` (cost), ``responses`` (Fig. 7),
``gradient_norms``, ``update_ratios``, ``flow``, ``shattering`` and the callback ``GradientWatch``, ``Loss`` with
``top_eigenvalues``, ``trace``, ``spectral_density`` and ``surface`` (curvature), ``lipschitz``, ``conditioning``,
``Lesions`` and ``paths``. All but cost and responses compute derivatives with TensorFlow.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
