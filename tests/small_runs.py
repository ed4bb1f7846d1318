"""Runs of the ImageNet recipe that take seconds, and functions that wait for their checkpoints."""

import time

IMAGENET = "recipes/imagenet.py"


def small(photo_folder, workdir, *more):
    """A run of 12 images, 3 steps an epoch; one block, since building steps is most of such a run's time."""
    return ("--data", photo_folder, "--model", "ResNet20", "--change", "blocks=[1]", "filters=[8]",
            "--image-size", 32, "--batch-size", 4, "--base-lr", 0.5, "--workdir", workdir, *more)  # fmt: skip


def newest_of(workdir):
    """The step of the newest checkpoint."""
    return max((int(path.name[5:]) for path in workdir.glob("checkpoints/step-*")), default=0)


def until_step(program, workdir, step):
    """Wait for a checkpoint of at least ``step``."""
    while newest_of(workdir) < step:
        assert program.poll() is None, f"it ended before step {step}"
        time.sleep(0.01)
