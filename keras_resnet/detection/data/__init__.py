"""Photos with objects: annotation files of COCO, VOC, DET and TFDS, rendered scenes, and training batches of them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
