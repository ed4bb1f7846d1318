"""Object detection: Faster R-CNN on this package's networks, with all options of Table 9.

``FasterRCNN(network, classes)`` is a ``keras.Model`` for ``fit``, ``detection_batches`` makes its batches, and
``train(settings, ...)`` runs a recipe. ``Detector([model], Options(refine=True))`` finds objects in photos.

``open_coco``, ``open_voc``, ``open_det`` and ``open_tfds_detection`` open photos with their objects. ``BENCHMARKS``
scores by each benchmark's rule and writes its submission files.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
