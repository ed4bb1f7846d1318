"""A run trains anything that is a task: here one that this package does not know."""

from dataclasses import dataclass

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_resnet import training
from keras_resnet.training.files.metrics_file import read_metrics
from keras_resnet.training.stepping.step import Step

pytestmark = pytest.mark.long

SLOPES = np.array([[1.0], [-2.0], [0.5]], np.float32)
SETTINGS = {"batch_size": 8, "base_lr": 0.1, "schedule": "cosine", "save_every": 10}


class Line(Step, keras.Model):
    """Three slopes, trained to minimize the squared error."""

    values_size = 1

    def __init__(self):
        inputs = keras.Input([3])
        super().__init__(inputs, keras.layers.Dense(1, use_bias=False, name="predictions")(inputs), name="line")
        self.train_metrics = [keras.metrics.Mean(name="loss")]

    def saved(self):
        return keras.Model(self.input, self.output, name=self.name)

    def forward(self, inputs, targets):
        outputs = self(inputs, training=True)
        return tf.reduce_sum((outputs - targets) ** 2, axis=1), outputs

    def update_metrics(self, data, losses, outputs):
        self.train_metrics[0].update_state(losses)


class Points:
    """Inputs and targets, which are linear in the inputs."""

    name, reader = "points", None

    def __init__(self):
        inputs = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
        self.data = tf.data.Dataset.from_tensor_slices((inputs, inputs @ SLOPES))

    def __len__(self):
        return len(self.data)


@dataclass
class Regression:
    settings: training.RunSettings
    train: Points
    metric_names = ("loss",)
    validation, reference_batch, milestones, warm_up_epochs = None, 8, (), 0.0

    @property
    def reporter(self):
        return self

    def build_model(self, strategy, total_steps):
        model = Line()
        model.compile(training.SGD(self.settings.base_lr, l2=0.0))
        return model

    def train_batches(self, start_step, shard):
        return self.train.data.repeat().skip(start_step * 8).batch(8)

    def epoch_steps(self):
        return 8

    def needs_warm_up(self, model):
        return False

    def recalibrate(self, model, state, stopping=None):
        pass

    def evaluate(self, model, state):
        return {"slopes": model.trainable_variables[0].numpy().ravel().tolist()}

    def begin(self, model, state):
        pass

    def result_lines(self, result):
        return [f"slopes {result['slopes']}"]

    def draw_curves(self, name, rows, path):
        path.write_bytes(b"no picture")


class LineSettings(training.RunSettings):
    def check_model(self):
        """Accept any name of a model."""


def run(workdir, steps):
    settings = LineSettings(model="line", workdir=workdir, steps=steps, **SETTINGS)
    return training.run(settings, lambda settings: Regression(settings, Points()))


def test_a_user_s_task_is_trained_saved_and_continued(tmp_path, capsys):
    result = run(tmp_path / "run", 240)
    np.testing.assert_allclose(result["slopes"], SLOPES.ravel(), atol=1e-3)
    rows = read_metrics(tmp_path / "run" / "metrics.csv")
    assert [row["step"] for row in rows] == list(range(8, 241, 8))
    assert rows[-1]["loss"] < 1e-4 < rows[0]["loss"]
    saved = keras.models.load_model(tmp_path / "run" / "last.keras")
    np.testing.assert_allclose(saved.get_weights()[0].ravel(), result["slopes"], rtol=1e-6)
    assert "slopes [" in capsys.readouterr().out
    assert run(tmp_path / "run", 240)["slopes"] == result["slopes"]  # it is finished already
    assert "continuing at step 240 of 240" in capsys.readouterr().out
