"""Training as in Sec. 3.4 and 4.2: settings, optimizer, schedules, the run with its checkpoints and results.

``command_line(main, ...)`` is how a recipe starts, ``resolve`` fills its settings in, and
``run(settings, prepare)`` trains. ``freeze(model, upto="conv4", batch_norm=True)`` is for fine-tuning.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
