"""Instruments: what a network costs, gives, and how it learns; each on any image network of this package.

``multiply_adds``, ``layer_costs``, ``peak``, ``largest_batch`` and ``measure`` (cost), ``responses`` (Fig. 7),
``activation_map`` (which places of an image speak for a class),
``gradient_norms``, ``update_ratios``, ``flow``, ``shattering`` and the callback ``GradientWatch``, ``Loss`` with
``top_eigenvalues``, ``trace``, ``spectral_density`` and ``surface`` (curvature), ``lipschitz``, ``conditioning``,
``Lesions`` and ``paths``. All but cost and responses differentiate, with TensorFlow, and are imported at first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
