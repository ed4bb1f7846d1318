"""What is shown of a run while it trains: console, TensorBoard, figure of the error curves, worst mistakes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
