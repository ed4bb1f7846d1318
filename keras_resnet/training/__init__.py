"""Training as in Sec. 3.4 and 4.2: settings, optimizer, schedules, and runs with checkpoints and results.

A recipe starts with ``command_line(main, ...)``, fills in its settings with ``resolve`` and trains with
``run(settings, prepare)``. ``freeze(model, upto="conv4", batch_norm=True)`` prepares a network for fine-tuning.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
