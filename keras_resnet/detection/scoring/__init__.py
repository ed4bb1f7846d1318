"""Average precision by each benchmark's rule, its intervals, and submission files (Sec. 4.3, appendices A and B)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
