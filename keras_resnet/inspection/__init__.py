"""What lies in a data set of photos, before anything is trained on it: facts, copies, and what to do about them.

``inspect_photos(data)`` looks at a classification data set, ``inspect_boxes(sets)`` at a detection data set; both give
an ``Inspection``, which ``write_inspection`` makes a page and a JSON file of.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
