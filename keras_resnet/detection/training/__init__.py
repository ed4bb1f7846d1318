"""How a detector is trained: settings, the protocols of the data sets, jointly or in four steps (Ren et al. 2015)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
