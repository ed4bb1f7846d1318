"""Data as the paper feeds it: sources of encoded images, augmentation, and pipelines.

``open_data(name_or_folder, data_dir)`` gives the splits; ``cifar_batches`` and ``imagenet_batches`` turn a split into
batches, augmented and shuffled as a deterministic function of (seed, position) for training.
"""

from keras_resnet.data.pipelines import (
    ArraySplit,
    cifar_batches,
    decode_all,
    imagenet_batches,
    mean_image,
    training_batches,
)
from keras_resnet.data.sources import Data, Split, folder_split, open_data

__all__ = [
    "ArraySplit",
    "Data",
    "Split",
    "cifar_batches",
    "decode_all",
    "folder_split",
    "imagenet_batches",
    "mean_image",
    "open_data",
    "training_batches",
]
