"""What Keras lacks for residual networks: fused normalization, option A, maxout, and loops over identical blocks."""

from keras_resnet.layers.batch_normalization import BatchNormalization
from keras_resnet.layers.block_loop import BlockLoop
from keras_resnet.layers.identity_shortcut import IdentityShortcut
from keras_resnet.layers.maxout import Maxout
from keras_resnet.layers.stochastic_depth import StochasticDepth

__all__ = ["BatchNormalization", "BlockLoop", "IdentityShortcut", "Maxout", "StochasticDepth"]
