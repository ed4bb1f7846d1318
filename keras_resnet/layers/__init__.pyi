from .batch_normalization import BatchNormalization as BatchNormalization
from .block_loop import BlockLoop as BlockLoop
from .identity_shortcut import IdentityShortcut as IdentityShortcut
from .maxout import Maxout as Maxout
from .stochastic_depth import StochasticDepth as StochasticDepth
