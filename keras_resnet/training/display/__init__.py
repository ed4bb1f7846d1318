"""How a run is shown while it trains: console, TensorBoard, error curves and worst mistakes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
