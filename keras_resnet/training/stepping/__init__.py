"""One training step: the model it trains, optimizer, schedule of the rate, frozen layers, Keras' hooks it replaces."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
