"""The warm-up of Sec. 4.2 and the metrics file."""

import keras
import pytest

from keras_resnet.training.callbacks import LearningRate, State, read_metrics, write_metrics
from keras_resnet.training.schedules import step_schedule


def test_warm_up_ends_when_the_training_error_is_below_80_percent():
    state = State(warm_up_end=None)
    rate = LearningRate(step_schedule(0.1, 1000, (0.5,)), state)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1.0))
    rate.set_model(model)
    used = []
    for step in range(200):
        state.step = step
        rate.on_train_batch_begin(step)
        used.append(float(model.optimizer.learning_rate))
        state.step = step + 1
        if (step + 1) % 50 == 0:
            rate.end_window({50: 88.0, 100: 81.0, 150: 79.0, 200: 85.0}[step + 1])
    assert used[:150] == pytest.approx([0.01] * 150)
    assert used[150:] == pytest.approx([0.1] * 50)
    assert state.warm_up_end == 150


def test_metrics_file_round_trip_and_half_a_line(tmp_path):
    path = tmp_path / "metrics.csv"
    rows = [
        {"split": "train", "step": 50, "images": 6400, "loss": 2.0, "error": 80.0, "learning_rate": 0.1},
        {"split": "validation", "step": 50, "images": 6400, "loss": 1.9, "error": 75.5},
    ]
    write_metrics(path, rows)
    assert read_metrics(path) == rows
    with open(path, "a") as file:
        file.write("train,10")  # the process ended while writing
    assert read_metrics(path) == rows
    assert read_metrics(tmp_path / "none.csv") == []
