"""The warm-up of Sec. 4.2, and the calendar of a run."""

import keras
import pytest

from keras_resnet.training.callbacks import LearningRate
from keras_resnet.training.state import Calendar, State
from keras_resnet.training.stepping.schedules import schedule


def test_warm_up_ends_when_the_training_error_is_below_80_percent():
    state = State(warm_up_end=None)
    rate = LearningRate(schedule("steps", 0.1, 1000, (0.5,)), state)
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
    model.optimizer.learning_rate = 0.001  # as restored from a checkpoint after a divergence
    rate.on_train_begin()
    rate.on_train_batch_begin(0)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1)


def test_windows_end_with_epochs_and_the_run():
    calendar = Calendar(epoch_steps=120, total_steps=300, save_every=80)
    windows = [step for step in range(1, 301) if calendar.ends_window(step)]
    assert windows == [50, 100, 120, 170, 220, 240, 290, 300]
    assert [step for step in range(1, 301) if calendar.ends_epoch(step)] == [120, 240, 300]
    assert [step for step in range(1, 301) if calendar.saves(step)] == [80, 120, 160, 240, 300]
    keeping = Calendar(epoch_steps=120, total_steps=300, save_every=80, keep_every=100)
    assert [step for step in range(1, 301) if keeping.saves(step)] == [80, 100, 120, 160, 200, 240, 300]
