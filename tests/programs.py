"""Recipes and tools as a user starts them, each in a separate process, with its exit status, output and errors.

The processes are forked from one that has imported what is heavy, so that none of them imports TensorFlow again; that
each program also starts from nothing is in test_imports.py.
"""

import gc
import importlib.util
import json
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import graph_optimization

ROOT = Path(__file__).parents[1]
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(  # libraries alone: what else of the package is loaded changes what some programs say
    ["keras_resnet", "keras", "keras_cv", "matplotlib.pyplot", "scipy.optimize", "scipy.stats", "h5py", "tyro",
     "sklearn.linear_model", "tensorboard.plugins.hparams.api", "safetensors", "google_crc32c"]
)  # fmt: skip
LONGEST = 600  # seconds that a program may take


def _live(words, folder, environment, output, errors):
    """The life of a process: as ``python WORDS...`` in ``folder``, after the imports."""
    gc.freeze()  # as in conftest.py
    gc.set_threshold(50_000, 20, 20)
    for name, descriptor in ((output, 1), (errors, 2)):
        os.dup2(os.open(name, os.O_WRONLY | os.O_APPEND), descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    graph_optimization.leave_out()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background processes ignore
    sys.argv = list(words)
    sys.path.insert(0, str(Path(words[0]).parent))
    runpy.run_path(words[0], run_name="__main__")


def load_program(path):
    """The module that a recipe or tool is, from its path below the project's root."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Program:
    """``python PROGRAM ARGUMENTS...``, begun; leaving ``with`` waits for its end, or kills it after an error.

    Args:
        program: path below the project's root, or anywhere.
        arguments: its words.
        folder: the current folder it has.
        environment: variables that differ from those here.
    """

    def __init__(self, program, *arguments, folder=".", environment=None):
        self._files = [tempfile.NamedTemporaryFile(prefix="program-") for _ in range(2)]  # noqa: SIM115
        words = [str(ROOT / program), *map(str, arguments)]
        names = [file.name for file in self._files]
        self._process = FORKS.Process(
            target=_live, args=(words, os.path.abspath(folder), os.environ | (environment or {}), *names), daemon=True
        )
        self._process.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:  # a test that failed does not wait for what may never end
            self._process.kill()
        self._process.join()

    def poll(self):
        """The exit status, a signal's number below zero; None while it runs."""
        return self._process.exitcode

    def send_signal(self, number):
        os.kill(self._process.pid, number)

    def ended(self, seconds=LONGEST):
        """Its status, output and errors once it has ended; one that takes longer is killed."""
        self._process.join(seconds)
        if self._process.exitcode is None:
            self._process.kill()
            raise TimeoutError(f"not ended after {seconds} s: {self.words()}")
        return subprocess.CompletedProcess(self._process.pid, self._process.exitcode, *self.words())

    def words(self):
        """Output and errors so far."""
        return [Path(file.name).read_text() for file in self._files]


def run(program, *arguments, **how):
    """Run a program to its end: its status, output and errors."""
    with Program(program, *arguments, **how) as begun:
        return begun.ended()


def start_workers(program, *arguments, count=2):
    """Begin a program as ``count`` workers of one run, as ``tools/launch_local.py`` does."""
    addresses = [f"localhost:{port}" for port in load_program("tools/launch_local.py").free_ports(count)]
    configurations = [
        json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}})
        for number in range(count)
    ]
    return [Program(program, *arguments, environment={"TF_CONFIG": configuration}) for configuration in configurations]
