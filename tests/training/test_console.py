"""What a run says."""

import pytest

from keras_resnet.training.console import Console, duration
from keras_resnet.training.state import Calendar, State


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(7, "0:07"), (187, "3:07"), (3600, "1:00:00"), (7387, "2:03:07"), (439_387, "5 d 2:03:07")],
)
def test_durations(seconds, words):
    assert duration(seconds) == words


def test_one_line_an_epoch_with_error_speed_and_time_left(capsys, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    console, calendar = Console(), Calendar(epoch_steps=100, total_steps=1000, save_every=100)
    values = {"loss": 1.25, "error": 40.0, "learning_rate": 0.1, "images_per_second": 512.0}
    for step in (50, 100):
        clock[0] += 30
        console.train(State(step=step), calendar, values)
    console.validation(State(step=100), calendar, "val_error 38.50 %")
    line = capsys.readouterr().out
    assert line == (
        "epoch 1/10  step 100/1000  loss 1.250  error 40.0 %  rate 0.1  512 images/s  1:00, 9:00 left  "
        "val_error 38.50 %\n"
    )
