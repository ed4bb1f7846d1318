"""Data as in the paper: sources of encoded images, augmentation, and pipelines.

``open_data(name_or_folder, data_dir)`` opens the splits of a data set; ``cifar_batches`` and ``imagenet_batches`` make
batches of a split, which for training are augmented and shuffled as a deterministic function of (seed, position).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
