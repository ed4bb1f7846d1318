"""The training step, the model that has it, the optimizer, learning rate schedules, and freezing."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
