"""The lines that a run prints while it trains."""

import pytest

from keras_resnet.training import Classification, Settings
from keras_resnet.training.context import RunContext
from keras_resnet.training.display.console import Console, duration
from keras_resnet.training.display.error_curves import Curves
from keras_resnet.training.files.metrics_file import write_metrics
from keras_resnet.training.files.workdir import Workdir
from keras_resnet.training.state import Calendar, State


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(7, "0:07"), (187, "3:07"), (3600, "1:00:00"), (7387, "2:03:07"), (439_387, "5 d 2:03:07")],
)
def test_durations(seconds, words):
    assert duration(seconds) == words


@pytest.fixture
def clock(monkeypatch):
    """A clock in seconds that only the test advances."""
    seconds = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: seconds[0])
    return seconds


CALENDAR = Calendar(epoch_steps=100, total_steps=1000, save_every=100)


def test_one_line_an_epoch_with_error_speed_and_time_left(capsys, clock):
    console = Console()
    values = {"loss": 1.25, "error": 40.0, "learning_rate": 0.1, "images_per_second": 512.0}
    for step in (50, 100):
        clock[0] += 3
        console.step(State(step=step), CALENDAR, 512.0)
        console.train(State(step=step), CALENDAR, values)
    console.validation(State(step=100), CALENDAR, "val_error 38.50 %")
    line = capsys.readouterr().out
    assert line == (
        "epoch 1/10  step 100/1000  loss 1.250  error 40.0 %  rate 0.1  512 images/s  0:06, 0:54 left  "
        "val_error 38.50 %\n"
    )


def test_slow_steps_are_shown_after_ten_seconds_and_then_less_and_less_often(capsys, clock):
    """Steps of 4 images in 4.8 seconds, before any window has ended."""
    console = Console()
    for step in range(1, 22):
        clock[0] += 4.8
        console.step(State(step=step), CALENDAR, 4 / 4.8 if step > 1 else None)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[3] for line in lines] == ["2/1000", "6/1000", "13/1000"]
    assert lines[0] == "epoch 1/10  step 2/1000  0.83 images/s  0:10, 1:19:50 left"


def test_a_continued_run_shows_the_last_values_of_the_earlier_process(tmp_path, capsys):
    """A run stopped in a validation: the line of that validation still has loss and error."""
    rows = [{"split": "train", "step": 100, "images": 400, "loss": 1.25, "error": 40.0, "learning_rate": 0.1}]
    workdir = Workdir(tmp_path, {})
    write_metrics(tmp_path / "metrics.csv", rows, Classification.metric_names)
    console = Console()
    context = RunContext(Settings(batch_size=4), Classification, workdir, CALENDAR, State(step=100), None)
    Curves(context, console)
    console.validation(State(step=100), CALENDAR, "val_error 38.50 %")
    assert "step 100/1000  loss 1.250  error 40.0 %  rate 0.1" in capsys.readouterr().out
