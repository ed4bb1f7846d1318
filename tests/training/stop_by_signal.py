"""Runs a recipe that sends itself a signal at a given moment; for test_signals.py.

python stop_by_signal.py MOMENT SIGNAL recipes/imagenet.py ARGUMENTS...

MOMENT is import (while the library is imported), begin (before data is opened) or end (before the final answers).
"""

import os
import runpy
import signal
import sys

moment, number, *sys.argv = sys.argv[1:]
signal.signal(signal.SIGINT, signal.default_int_handler)  # background processes of a shell ignore the signal


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

    open_data, evaluate = data.open_data, training.Classification.evaluate
    if moment == "begin":
        data.open_data = lambda *arguments: (send(), open_data(*arguments))[1]
    else:
        training.Classification.evaluate = lambda *arguments: (send(), evaluate(*arguments))[1]
runpy.run_path(sys.argv[0], run_name="__main__")
