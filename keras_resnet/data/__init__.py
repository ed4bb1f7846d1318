"""Data as the paper feeds it: sources of encoded images, augmentation, and pipelines.

``open_data(name_or_folder, data_dir)`` gives the splits; ``cifar_batches`` and ``imagenet_batches`` turn a split into
batches, augmented and shuffled as a deterministic function of (seed, position) for training.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
