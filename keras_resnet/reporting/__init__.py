"""What runs, studies and instruments found, as one page: ``write_page(folder, path)``; and the paper's own values."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
