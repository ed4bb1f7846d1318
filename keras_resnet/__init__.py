"""Deep Residual Learning for Image Recognition (He, Zhang, Ren, Sun, 2015) for TensorFlow and Keras 3.

The networks are in this namespace; ``data``, ``training``, ``evaluation``, ``deployment``, ``detection``, ``analysis``,
``studies``, ``reporting``, ``weights`` and ``plots`` are modules of their own. Everything is imported when it is first
used, so that commands answer at once and networks also run without TensorFlow; ``__init__.pyi`` lists the names.
"""

import lazy_loader

from keras_resnet.first_imports import watch
from keras_resnet.messages import hide_interrupted_imports

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

hide_interrupted_imports()
watch()
