"""Runs a recipe that gets a signal at a moment of its own choosing; for test_signals.py.

python told_to_stop.py MOMENT SIGNAL recipes/imagenet.py ARGUMENTS...

MOMENT is import, while the library is imported, begin, before data is opened, or end, in the last recalibration.
"""

import os
import runpy
import signal
import sys

moment, number, *sys.argv = sys.argv[1:]
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background processes ignore


def send():
    os.kill(os.getpid(), getattr(signal, number))


class Finder:
    def find_spec(self, name, path, target=None):
        if name == "keras_resnet.specs":
            send()


if moment == "import":
    sys.meta_path.insert(0, Finder())
else:
    from keras_resnet import data, training

    open_data, recalibrate = data.open_data, training.Classification.recalibrate

    def told_at_the_end(self, model, state, stopping=lambda: False):
        if state.validated == state.step:
            send()
        recalibrate(self, model, state, stopping)

    if moment == "begin":
        data.open_data = lambda *arguments: (send(), open_data(*arguments))[1]
    else:
        training.Classification.recalibrate = told_at_the_end
runpy.run_path(sys.argv[0], run_name="__main__")
