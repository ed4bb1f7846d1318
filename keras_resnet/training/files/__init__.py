"""The files of a run's folder: who owns it, its checkpoints, curves and result; whole or absent after any kill."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
