from . import augment as augment, decoding as decoding
from .augment import ImageNetView as ImageNetView
from .dividing import Division as Division
from .folders import folder_split as folder_split
from .image_statistics import mean_image as mean_image, principal_colours as principal_colours
from .mixing import mix as mix
from .overview import check_in_files as check_in_files, check_strictly as check_strictly, overview as overview
from .pipelines import (
    ArraySplit as ArraySplit,
    Shard as Shard,
    check_count as check_count,
    cifar_batches as cifar_batches,
    decode_all as decode_all,
    imagenet_batches as imagenet_batches,
    training_batches as training_batches,
)
from .sources import open_data as open_data
from .splits import Data as Data, Split as Split, evenly_spaced as evenly_spaced
