"""Localization as in appendix C: classify a photo, then find the box of each class.

``LocalizationRPN(network, classes)`` and ``LocalizationRCNN(network, classes)`` are ``keras.Model``s for ``fit``;
``crop_batches`` and ``region_batches`` make their batches, and ``run_stages(settings, sets)`` runs the recipe.
``Localizer([rpn], [rcnn])`` finds boxes of classes in photos, ``error`` is the benchmark's, ``print_rows`` Table 13.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
