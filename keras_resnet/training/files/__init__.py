"""A run's folder: ownership, checkpoints, curves and result. A killed process leaves each file whole or absent."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
