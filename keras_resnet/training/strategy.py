"""Which devices train: a single one, all GPUs of a machine, or those of several machines."""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING

from keras_resnet.errors import InputError

if TYPE_CHECKING:
    import tensorflow as tf

    from keras_resnet.data import Shard


def several_workers() -> bool:
    """Whether the environment makes this process one of several workers."""
    return "TF_CONFIG" in os.environ or _slurm_tasks() > 1


def _slurm_tasks() -> int:
    return int(os.environ.get("SLURM_STEP_NUM_TASKS", 1))


@functools.cache
def choose_strategy() -> tf.distribute.Strategy:
    """The strategy that the environment calls for; every call returns the same one.

    ``MultiWorkerMirroredStrategy`` for several workers in ``TF_CONFIG`` or several SLURM tasks; otherwise
    ``MirroredStrategy`` over all GPUs if there are several; otherwise the default strategy of a single device. With
    several workers it must be called before anything else uses TensorFlow.
    """
    import tensorflow as tf

    tasks = _slurm_tasks()
    if "TF_CONFIG" in os.environ:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if tasks > 1:
        return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=slurm_cluster(tasks))
    gpus = tf.config.list_logical_devices("GPU")
    return tf.distribute.MirroredStrategy() if len(gpus) > 1 else tf.distribute.get_strategy()


def slurm_cluster(tasks: int) -> tf.distribute.cluster_resolver.SlurmClusterResolver:
    """The ``tasks`` of this SLURM step as workers; they share a node's GPUs unless SLURM has bound GPUs to each."""
    import tensorflow as tf

    bound = "SLURM_GPUS_PER_TASK" in os.environ or shutil.which("nvidia-smi") is None
    # Each worker then has its own GPUs: these counts pass TensorFlow's check, and it hides no GPU from any worker.
    gpus = {"gpus_per_node": tasks, "gpus_per_task": 1, "auto_set_gpu": False} if bound else {}
    return tf.distribute.cluster_resolver.SlurmClusterResolver({"worker": tasks}, **gpus)


def distribute(
    strategy: tf.distribute.Strategy, batches: Callable[[Shard], tf.data.Dataset]
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """The data set ``batches(shard)``, with each worker making the batches of its own replicas."""
    from keras_resnet.data import Shard

    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return batches(Shard())
    return strategy.distribute_datasets_from_function(
        lambda context: batches(Shard(context.input_pipeline_id, context.num_input_pipelines, replicas))
    )


def check_batch(strategy: tf.distribute.Strategy, batch_size: int, accumulate: int = 1) -> None:
    """Raise :class:`InputError` unless all replicas get equal shares of a batch, with an image for each part.

    Args:
        strategy: the devices.
        batch_size: images over all replicas.
        accumulate: into how many parts each replica splits its share.
    """
    replicas = strategy.num_replicas_in_sync
    if batch_size % replicas:
        below = batch_size // replicas * replicas
        raise InputError(
            f"--batch-size {batch_size} does not divide among {replicas} devices: "
            f"take {below or replicas} or {below + replicas}."
        )
    check_parts(batch_size // replicas, accumulate)


def check_parts(share: int, accumulate: int) -> None:
    """Raise :class:`InputError` if a device's ``share`` of a batch has fewer images than parts."""
    if accumulate > share:
        raise InputError(
            f"--accumulate {accumulate} is more than the {share} images of a batch that each device gets: take fewer "
            "parts or a larger --batch-size."
        )
