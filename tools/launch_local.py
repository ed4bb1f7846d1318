"""Start N workers of one training run on this machine, as if on N machines.

    python tools/launch_local.py 2 recipes/cifar10.py --data-dir TFDS_DIR --steps 100 --workdir runs/two-workers

The name of a program, such as cifar10, may be given instead of its script. Each worker gets TF_CONFIG with its number,
which also begins each line of its output. SIGTERM and SIGINT are passed on; if a worker fails, the others are ended.
The exit status is that of the first worker that failed, or 0.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

from keras_resnet.command_line import leave_unread, refuse
from keras_resnet.errors import InputError
from keras_resnet.programs import find

MAX_WORKERS = 256


def free_ports(count: int) -> list[int]:
    """Ports that are free on this machine."""
    sockets = [socket.socket() for _ in range(count)]
    for connection in sockets:
        connection.bind(("localhost", 0))
    ports = [connection.getsockname()[1] for connection in sockets]
    for connection in sockets:
        connection.close()
    return ports


def start(command: list[str], workers: int) -> tuple[list[subprocess.Popen], list[threading.Thread]]:
    """Start the workers; return their processes, and the threads that print their output."""
    addresses = [f"localhost:{port}" for port in free_ports(workers)]
    processes, printers = [], []
    for number in range(workers):
        config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}
        environment = os.environ | {"TF_CONFIG": json.dumps(config)}
        process = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="backslashreplace",
        )
        printers.append(threading.Thread(target=show, args=(number, process), daemon=True))
        printers[-1].start()
        processes.append(process)
    return processes, printers


def show(number: int, process: subprocess.Popen) -> None:
    """Print the output of worker ``number``, line by line; all of it is read, or the worker would wait."""
    for line in process.stdout:
        try:
            print(f"[{number}] {line}", end="", flush=True)
        except BrokenPipeError:
            leave_unread()


def main(arguments: list[str]) -> int:
    """Run the workers until they end, and return the exit status."""
    if {"-h", "--help"} & set(arguments[:1]):
        print(__doc__.strip())
        return 0
    if len(arguments) < 2 or arguments[0] not in map(str, range(1, MAX_WORKERS + 1)):
        usage = f"give a number of workers from 1 to {MAX_WORKERS}, and a script with its arguments"
        return refuse(f"{usage}: launch_local.py 2 recipes/cifar10.py --data-dir DIR")
    number, script, *words = arguments
    try:
        script = script if os.path.isfile(script) else str(find(script))
    except InputError as error:
        return refuse(error)
    processes, printers = start([sys.executable, script, *words], int(number))

    def pass_on(signum, frame):
        for process in processes:
            process.send_signal(signum)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    while None in [process.poll() for process in processes]:  # poll all of them every time: a later one may have failed
        failed = [process.returncode for process in processes if process.returncode]
        if failed:
            end(processes)
            status = failed[0]
            break
        time.sleep(0.1)
    else:
        status = next((process.returncode for process in processes if process.returncode), 0)
    for printer in printers:
        printer.join()
    return status


def end(processes: list[subprocess.Popen], patience: float = 20) -> None:
    """Wait for the remaining workers, then kill them: a worker waits forever for one that has ended."""
    until = time.monotonic() + patience
    while time.monotonic() < until and any(process.poll() is None for process in processes):
        time.sleep(0.1)
    for number, process in enumerate(processes):
        if process.poll() is None:
            print(f"[{number}] waits for a worker that has ended: killed", flush=True)
            process.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
