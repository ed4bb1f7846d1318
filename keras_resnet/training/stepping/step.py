"""The training step: exact for any number of replicas, unequal shares and accumulated gradients."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from keras_resnet.backends import needs_tensorflow
from keras_resnet.structure import stage_of
from keras_resnet.training.stepping.keras_hooks import NoSymbolicBuild, draw_by_device
from keras_resnet.typing import Tensor


class Step(NoSymbolicBuild):
    """A mixin that lets a ``keras.Model`` train under any ``tf.distribute`` strategy.

    One step trains on one batch, shared among all replicas. Losses are summed and divided by the number of examples on
    all replicas, so unequal shares get the right weight. With ``accumulate`` each replica works through its share in
    that many parts, one after the other, and sums their gradients before the single update. That is the update of the
    whole batch, except for batch normalization, which sees the parts. ``timed`` measures the wait for input; TensorFlow
    forbids that under op determinism.

    The model that inherits it provides ``forward(*batch)``, which returns losses ``[batch]`` and other values, float32
    ``[batch, values_size]``; ``update_metrics(batch, losses, values)``, which updates the list ``train_metrics``; and
    ``saved()``, the model that a run saves.

    Attributes after a step, equal on all replicas:
        gradient_squares: ``[stages]`` squared norms of the last gradient, in the order of ``stages``.
        step: steps done. The optimizer counts updates, of which loss scaling skips some.
        bad_step: the first step since the last reset whose loss or gradient was not finite, else -1.
        skips: consecutive updates that loss scaling has skipped.
        stop_votes: how many replicas had ``stop_request`` set.
    """

    if TYPE_CHECKING:  # defined by keras.Model, or by the class that inherits both
        name: str
        optimizer: Any
        variables: list
        trainable_variables: list
        non_trainable_variables: list
        distribute_strategy: tf.distribute.Strategy
        train_function: Any
        test_function: Any
        sync_function: Any
        stop_training: bool
        fit: Callable[..., Any]
        evaluate: Callable[..., Any]
        train_on_batch: Callable[..., Any]
        test_step: Callable[..., Any]
        get_metrics_result: Callable[[], dict[str, Any]]
        reset_metrics: Callable[[], None]
        train_metrics: list[keras.metrics.Metric]
        values_size: int
        forward: Callable[..., tuple[Any, Any]]
        update_metrics: Callable[..., None]
        saved: Callable[[], keras.Model]

    def compile(self, optimizer: keras.optimizers.Optimizer, accumulate: int = 1, timed: bool = True) -> None:
        """Set the optimizer, with loss scaling around it under mixed_float16, and create the step's variables.

        Args:
            optimizer: an :class:`SGD`, which updates the model's weights.
            accumulate: into how many parts each replica splits its share of a batch.
            timed: measure the wait for input.

        Raises:
            InputError: Keras does not run on TensorFlow.
        """
        needs_tensorflow("This training step", "tf.distribute")
        super().compile(optimizer, jit_compile=False)  # type: ignore[misc]
        self.optimizer.build(self.trainable_variables)
        if self.distribute_strategy.num_replicas_in_sync > 1:
            draw_by_device(self)  # type: ignore[arg-type]
        self.train_function = self.test_function = self.sync_function = None  # they hold variables of an earlier call
        self.accumulate, self.timed = accumulate, timed
        self.stages = list(dict.fromkeys(stage_of(v.path) for v in self.trainable_variables))
        local = {"trainable": False, "aggregation": tf.VariableAggregation.NONE}
        self.gradient_squares = tf.Variable(tf.zeros(len(self.stages)), **local)
        self.step = tf.Variable(0, dtype=tf.int64, **local)
        self.bad_step = tf.Variable(-1, dtype=tf.int64, **local)
        self.skips = tf.Variable(0, dtype=tf.int64, **local)
        self.stop_request = tf.Variable(0.0, **local)
        self.stop_votes = tf.Variable(0.0, **local)
        self.waited = tf.Variable(
            0.0, dtype=tf.float64, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
        )

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return self.train_metrics

    def train_step(self, data: tuple[Tensor, ...]) -> None:
        context = tf.distribute.get_replica_context()
        share = tf.cast(tf.shape(data[0])[0], tf.float32)
        examples, votes = context.all_reduce(tf.distribute.ReduceOp.SUM, [share, self.stop_request.read_value()])
        losses, values, gradients = self._gradients(data, examples)
        loss, *gradients = context.all_reduce(
            tf.distribute.ReduceOp.SUM, [tf.reduce_sum(losses) / examples, *gradients]
        )
        self._watch(loss, gradients, votes)
        with getattr(self.optimizer, "inner_optimizer", self.optimizer).gradients_are_summed():
            self.optimizer.apply(gradients, self.trainable_variables)
        self.update_metrics(data, losses, values)

    def _gradients(self, data, examples):
        """Losses and values of this replica's examples, and its share of the gradient."""
        if self.accumulate == 1:
            return self._part(data, examples)
        count, parts = tf.shape(data[0])[0], self.accumulate

        def body(i, losses, values, gradients):
            part = slice(i * count // parts, (i + 1) * count // parts)
            new_losses, new_values, new_gradients = self._part([tensor[part] for tensor in data], examples)
            summed = [a + b for a, b in zip(gradients, new_gradients, strict=True)]
            return i + 1, losses.write(i, new_losses), values.write(i, new_values), summed

        def array(shape):
            return tf.TensorArray(tf.float32, parts, infer_shape=False, element_shape=shape)

        zeros = [tf.zeros(v.shape, v.dtype) for v in self.trainable_variables]
        start = (0, array([None]), array([None, self.values_size]), zeros)
        _, losses, values, gradients = tf.while_loop(
            lambda i, *_: i < parts, body, start, maximum_iterations=parts, parallel_iterations=1
        )
        return losses.concat(), values.concat(), gradients

    def _part(self, data, examples):
        with tf.GradientTape() as tape:
            losses, values = self.forward(*data)
            loss = self.optimizer.scale_loss(tf.reduce_sum(losses) / examples)
        return losses, values, tape.gradient(loss, self.trainable_variables)

    def _watch(self, loss, gradients, votes):
        squares = dict.fromkeys(self.stages, 0.0)
        for variable, gradient in zip(self.trainable_variables, gradients, strict=True):
            squares[stage_of(variable.path)] += 2 * tf.nn.l2_loss(gradient)
        squares = tf.stack(list(squares.values())) / tf.square(self.optimizer.scale_loss(1.0))
        finite = tf.reduce_all(tf.math.is_finite(squares))
        scaling = isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer)
        bad = tf.logical_not(tf.math.is_finite(loss) & (finite | scaling))
        self.bad_step.assign(tf.where(bad & (self.bad_step < 0), self.step, self.bad_step))
        self.step.assign_add(1)
        self.skips.assign(tf.where(finite, tf.zeros_like(self.skips), self.skips + 1))
        self.gradient_squares.assign(squares)
        self.stop_votes.assign(votes)

    def local(self, variable: tf.Variable) -> np.ndarray:
        """The value of ``variable`` on this worker's first replica."""
        return self.distribute_strategy.experimental_local_results(variable)[0].numpy()

    def reset_waited(self) -> float:
        """Return the seconds spent waiting for input since the last call, and start again at zero."""
        seconds = float(self.local(self.waited))
        self.waited.assign(0.0)
        return seconds

    def checkpoint_variables(self) -> list:
        """Everything a checkpoint keeps but the metrics: weights, statistics, seeds, optimizer, steps and skips."""
        return [*self.variables, *self.optimizer.variables, self.step, self.skips]

    def metric_variables(self) -> list:
        """The variables of the metrics."""
        return [variable for metric in self.metrics for variable in metric.variables]

    def sync_batch_norm_statistics(self) -> None:
        """Average the moving statistics over the replicas, each of which has kept those of its own examples."""
        strategy = self.distribute_strategy
        statistics = [v for v in self.non_trainable_variables if v.dtype.startswith("float")]
        if strategy.num_replicas_in_sync == 1 or not statistics:
            return

        def on_replica():
            context = tf.distribute.get_replica_context()
            values = [tf.identity(v.value.read_value()) for v in statistics]
            for v, value in zip(statistics, context.all_reduce(tf.distribute.ReduceOp.MEAN, values), strict=True):
                v.assign(value)

        if self.sync_function is None:  # traced once, not for each checkpoint
            self.sync_function = tf.function(lambda: strategy.run(on_replica), autograph=False)
        self.sync_function()

    def make_train_function(self, force: bool = False) -> None:
        if self.train_function is None or force:
            self.train_function = self._function(self.train_step)

    def make_test_function(self, force: bool = False) -> None:
        if self.test_function is None or force:
            self.test_function = self._function(self.test_step)

    def _function(self, step):
        """A function that runs ``step`` on the next batch and leaves the results in variables, for Keras to read."""
        strategy = self.distribute_strategy
        now = tf.timestamp if self.timed else lambda: tf.constant(0.0, tf.float64)

        def after(arrival, data):
            with tf.control_dependencies([arrival]):  # else a step that uses every thread counts as waiting
                step(tf.nest.map_structure(tf.identity, data))

        @tf.function(reduce_retracing=True, autograph=False)
        def run(iterator):
            start = now()
            with tf.control_dependencies([start]):
                data = next(iterator)
            arrived = [tensor for part in data for tensor in strategy.experimental_local_results(part)]
            with tf.control_dependencies(arrived):
                arrival = now()
            self.waited.assign_add(arrival - start)
            strategy.run(after, args=(arrival, data))

        names = dict.fromkeys((metric.name for metric in self.metrics), 0.0)

        def function(iterator):
            if not isinstance(iterator, (tf.data.Iterator, tf.distribute.DistributedIterator)):  # from train_on_batch
                batch = tuple(part for part in next(iterator) if part is not None)
                iterator = iter(tf.data.Dataset.from_tensors(batch))
            run(iterator)
            return names  # with these keys Keras reads the metrics themselves when an epoch ends

        return function
