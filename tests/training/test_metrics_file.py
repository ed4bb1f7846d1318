"""The metrics file survives a process that ends while writing."""

from keras_resnet.training import Experiment
from keras_resnet.training.metrics_file import add_row, read_metrics, write_metrics


def test_metrics_file_round_trip_and_half_a_line(tmp_path):
    path, columns = tmp_path / "metrics.csv", Experiment.columns
    rows = [
        {"split": "train", "step": 50, "images": 6400, "loss": 2.0, "error": 80.0, "learning_rate": 0.1},
        {"split": "validation", "step": 50, "images": 6400, "loss": 1.9, "error": 75.5},
    ]
    write_metrics(path, rows[:1], columns)
    add_row(path, rows[1], columns)
    assert read_metrics(path) == rows
    with open(path, "a") as file:
        file.write("train,10")  # the process ended while writing
    assert read_metrics(path) == rows
    assert read_metrics(tmp_path / "none.csv") == []
