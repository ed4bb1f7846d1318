from .folding import fold_batch_norm as fold_batch_norm
from .named import assign_arrays as assign_arrays, named_arrays as named_arrays
from .other_channels import check_channels as check_channels, for_channels as for_channels
from .preprocessing import (
    CAFFE as CAFFE,
    TORCH as TORCH,
    Preprocessing as Preprocessing,
    preprocess_input as preprocess_input,
)
from .trained_weights import TrainedWeights as TrainedWeights, from_model as from_model, read as read
from .writing import write as write
