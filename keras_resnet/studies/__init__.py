"""Studies: networks that differ in one thing, trained over several seeds on CIFAR-10 and compared.

A study is a ``Study``, data; ``command_line(STUDY, __doc__)`` makes a program of it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
