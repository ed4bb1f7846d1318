"""TensorFlow's optimizer of graphs, a quarter of the time of a short run, which changes nothing but last digits."""

import os


def leave_out() -> None:
    """Let this process run graphs as they are traced, unless ``OPTIMIZED_GRAPHS=1``, as ``make slow`` has it.

    It must be called before TensorFlow's first operation, for the functions of pipelines to be left as they are too.
    """
    if os.environ.get("OPTIMIZED_GRAPHS") != "1":
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
