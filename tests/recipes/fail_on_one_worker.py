"""Runs a recipe as one of several workers, one of which has a failure; for test_workers.py.

python fail_on_one_worker.py WORKER FAILURE recipes/imagenet.py ARGUMENTS...

FAILURE is full (a disk that refuses files above 20,000 bytes, such as checkpoints), unlockable (a file system without
locks), unreadable (missing data) or infinite (images that are not finite).
"""

import errno
import fcntl
import json
import os
import resource
import runpy
import signal
import sys

worker, failure, *arguments = sys.argv[1:]
if json.loads(os.environ["TF_CONFIG"])["task"]["index"] == int(worker):
    if failure == "full":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
    elif failure == "unlockable":

        def flock(file, operation):
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

        fcntl.flock = flock
    elif failure == "unreadable":
        arguments[arguments.index("--data") + 1] = "/nowhere"
    elif failure == "infinite":
        from keras_resnet import data

        batches = data.imagenet_batches
        data.imagenet_batches = lambda *a, **k: batches(*a, **k).map(lambda images, *rest: (images / 0, *rest))
sys.argv = arguments
runpy.run_path(arguments[0], run_name="__main__")
