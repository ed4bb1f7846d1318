"""Studies: networks that differ in one respect, trained with several seeds on CIFAR-10 and compared.

A study is described by a ``Study``; ``command_line(STUDY, __doc__)`` turns it into a program.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
