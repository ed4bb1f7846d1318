"""Average precision by each benchmark's rule, bootstrap intervals, and submission files (Sec. 4.3, appendices A, B)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
