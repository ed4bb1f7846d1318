"""Reports: ``write_page(folder, path)`` shows the results of runs, studies and instruments beside the paper's."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
