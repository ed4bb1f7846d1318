"""TensorFlow's optimizer of graphs, which takes much of the time in which pipelines and short programs start."""

import os


def leave_out(pipelines_alone: bool = False) -> None:
    """Let functions run as they are traced, unless ``OPTIMIZED_GRAPHS=1``, as ``make slow`` has it.

    Pipelines take this setting from TensorFlow's first operation, and all other functions when they are called: with
    ``pipelines_alone`` that operation is here, and functions stay optimized.
    """
    if os.environ.get("OPTIMIZED_GRAPHS") == "1":
        return
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    if pipelines_alone:
        tf.constant(0)
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
