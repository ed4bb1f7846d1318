"""Workers from SLURM's variables, and batches that devices can share."""

import pytest
import tensorflow as tf

from keras_resnet import InputError
from keras_resnet.training import strategy, workers


def test_slurm_tasks_become_workers(monkeypatch):
    """The third of four tasks on two nodes finds the whole cluster and its own place in it."""
    variables = {
        "SLURM_STEP_NUM_TASKS": "4",
        "SLURM_STEP_NUM_NODES": "2",
        "SLURM_STEP_NODELIST": "gpu[07-08]",
        "SLURM_STEP_TASKS_PER_NODE": "2(x2)",
        "SLURM_PROCID": "2",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SLURM_NTASKS_PER_NODE", raising=False)
    resolver = strategy.slurm_cluster(4)
    cluster = resolver.cluster_spec().as_dict()
    assert cluster == {"worker": ["gpu07:8888", "gpu07:8889", "gpu08:8888", "gpu08:8889"]}
    assert (resolver.task_type, resolver.task_id) == ("worker", 2)


def test_one_device_needs_no_strategy(monkeypatch):
    for name in ("TF_CONFIG", "SLURM_STEP_NUM_TASKS"):
        monkeypatch.delenv(name, raising=False)
    chosen = strategy.choose_strategy.__wrapped__()
    assert chosen is tf.distribute.get_strategy()
    assert workers.is_chief(chosen)


def test_a_batch_must_divide():
    class Three:
        num_replicas_in_sync = 3

    strategy.check_batch(Three, 9)
    with pytest.raises(InputError, match="--batch-size 256 does not divide among 3 devices: take 255 or 258"):
        strategy.check_batch(Three, 256)
    with pytest.raises(InputError, match="take 3 or 3"):
        strategy.check_batch(Three, 2)
