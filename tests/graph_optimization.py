"""TensorFlow's optimizer of graphs, which takes most of the time in which a pipeline starts."""

import os


def leave_pipelines_out() -> None:
    """Let pipelines run their functions as they are traced, unless ``OPTIMIZED_GRAPHS=1``, as ``make slow`` has it.

    They take this setting from TensorFlow's first operation, which is therefore here. All other functions take it when
    they are called, and stay optimized.
    """
    if os.environ.get("OPTIMIZED_GRAPHS") == "1":
        return
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    tf.constant(0)
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
