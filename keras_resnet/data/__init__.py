"""Data as the paper feeds it: sources of encoded images, augmentation, and pipelines.

``open_data(name_or_folder, data_dir)`` gives the splits; ``cifar_batches`` and ``imagenet_batches`` turn a split into
batches, augmented and shuffled as a deterministic function of (seed, position) for training.
"""

from keras_resnet.data.folders import folder_split
from keras_resnet.data.mixing import mix
from keras_resnet.data.pipelines import (
    ArraySplit,
    Shard,
    check_count,
    cifar_batches,
    decode_all,
    imagenet_batches,
    training_batches,
)
from keras_resnet.data.sources import open_data
from keras_resnet.data.splits import Data, Split
from keras_resnet.data.statistics import mean_image, principal_colours

__all__ = [
    "ArraySplit",
    "Data",
    "Shard",
    "Split",
    "check_count",
    "cifar_batches",
    "decode_all",
    "folder_split",
    "imagenet_batches",
    "mean_image",
    "mix",
    "open_data",
    "principal_colours",
    "training_batches",
]
