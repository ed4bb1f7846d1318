"""Runs with bad batches, plateaus, patience, other lengths and accumulated gradients, in this process."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from array_runs import PREPROCESSING, start, stopping_at
from programs import run

import keras_resnet
from keras_resnet import InputError, data, training
from keras_resnet.training.files.checkpoints import METRIC_PREFIX, CheckpointFolder
from keras_resnet.training.files.metrics_file import read_metrics, write_metrics
from keras_resnet.training.state import VOTE, WINDOW
from keras_resnet.training.stepping.schedules import DROPS
from keras_resnet.weights import named_arrays

pytestmark = pytest.mark.long


@pytest.fixture
def arrays(rng):
    labels = rng.integers(0, 4, 80).astype(np.int32)
    images = rng.integers(0, 100, (80, 32, 32, 3)) + 40 * labels[:, None, None, None]
    return data.ArraySplit("train", images.astype(np.uint8), labels)


def test_the_result_is_the_last_validation_and_best_is_the_lowest_error(arrays, tmp_path):
    """With averaged weights, each validation's error is that of the saved file by Keras' own metric.

    At the end photos are read once more for the answers, and no statistics are computed that the last validation had.
    """
    begun = []

    def train_batches(first, shard):
        begun.append(f"train {first}")
        return data.cifar_batches(arrays, PREPROCESSING, 8, 0, first, shard)

    def test_batches(split, shard):
        begun.append("test")
        return data.cifar_batches(split, PREPROCESSING, 8, shard=shard)

    more = {"averaged": True, "train_batches": train_batches, "test_batches": test_batches}
    result = start(arrays, tmp_path, more=more, base_lr=4.0)
    assert begun == ["train 0", "test", "train 0", "train 10", "train 20", "train 24", "test"]
    rows = [row for row in read_metrics(tmp_path / "run" / "metrics.csv") if row["split"] == "validation"]
    errors = [row["error"] for row in rows]
    assert result["val_error"] == errors[-1]
    assert result["best_val_error"] == min(errors)
    for name, error in (("last", errors[-1]), ("best", min(errors))):
        network = keras.models.load_model(tmp_path / "run" / f"{name}.keras")
        metrics = ["sparse_categorical_accuracy"]
        network.compile(loss="sparse_categorical_crossentropy", metrics=metrics, jit_compile=False)
        results = network.evaluate(data.cifar_batches(arrays, PREPROCESSING, 8), verbose=0, return_dict=True)
        assert 100 * (1 - results["sparse_categorical_accuracy"]) == pytest.approx(error, abs=1e-4), name
        step = next(row["step"] for row in rows if row["error"] == error) if name == "best" else 24
        batches = data.cifar_batches(arrays, PREPROCESSING, 8, 0, step).take(10)  # the next ones, as many as there are
        maps = network.get_layer("conv1_conv")(np.concatenate([images for images, _ in batches])).numpy()
        layer = network.get_layer("conv1_bn")
        np.testing.assert_allclose(layer.moving_mean, maps.mean((0, 1, 2)), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(layer.moving_variance, maps.var((0, 1, 2)), rtol=1e-3)


@pytest.mark.parametrize(
    ("averaged", "change"),
    [
        pytest.param(True, ("stochastic_depth=0.5", "blocks=[1,1]", "filters=[8,16]"), marks=pytest.mark.slow),
        (False, ("unroll=False", "blocks=[3]", "filters=[8]")),
    ],
)
def test_validation_does_not_change_training_bit_for_bit(averaged, change, arrays, tmp_path):
    """One run validates after steps 10, 20 and 24; another, with more validation images, only after the last step."""
    many = data.ArraySplit("val", np.tile(arrays.images, (3, 1, 1, 1)), np.tile(arrays.labels, 3))
    ends = []
    for name, validation in (("often", arrays), ("once", many)):
        start(arrays, tmp_path / name, more={"averaged": averaged, "validation": validation}, change=change)
        ends.append(CheckpointFolder(tmp_path / name / "run" / "checkpoints").newest()[0])
    variables = [name for name in ends[0] if not name.startswith(METRIC_PREFIX)]
    assert any("seed" in name for name in variables)
    for name in variables:
        np.testing.assert_array_equal(ends[0][name], ends[1][name], err_msg=name)


def test_a_bad_batch_is_left_out_and_the_run_goes_on(arrays, tmp_path, capsys):
    """Batch 13 holds a NaN: the run goes back to step 12 and on with the batches after the window."""
    result = start(arrays, tmp_path, lambda number, images: tf.where(number == 13, np.nan, images))
    output = capsys.readouterr().out
    assert "The loss or gradient of step 14 is not finite (batch 13 of the run's order, examples 104 to 111)" in output
    assert "back to step 12, leaving out 4 batches" in output
    assert (result["steps"], result["skipped_batches"]) == (24, 4)
    rows = read_metrics(tmp_path / "run" / "metrics.csv")
    assert [row["step"] for row in rows if row["split"] == "train"] == [10, 20, 24]
    assert all(np.isfinite(row["loss"]) for row in rows)


def test_endless_bad_batches_stop_the_run_at_the_third_divergence(arrays, tmp_path, capsys):
    with pytest.raises(InputError, match=r"gradient of step 13 is not finite \(batch 20 of the run's order, .*2 times"):
        start(arrays, tmp_path, lambda number, images: tf.where(number >= 13, np.nan, images))
    assert capsys.readouterr().out.count("back to step 12") == 2
    state = json.loads((tmp_path / "run" / "checkpoints" / "step-000000012" / "state.json").read_text())["state"]
    assert state["step"] == 12


def test_a_run_on_a_plateau_drops_its_rate_and_ends(arrays, tmp_path, monkeypatch):
    """With identical images there is no progress after the first validation: it ends after 1 + 4 x 2 of 100 epochs."""
    monkeypatch.setattr("keras_resnet.training.stepping.schedules.PATIENCE", 2)
    same = data.ArraySplit("train", np.zeros_like(arrays.images[:40]), arrays.labels[:40])
    result = start(same, tmp_path, schedule="plateau", steps=None, epochs=100, base_lr=1e-6)
    rows = read_metrics(tmp_path / "run" / "metrics.csv")
    validations = [row for row in rows if row["split"] == "validation"]
    assert len(validations) == 1 + 2 * (DROPS + 1)
    assert result["steps"] == 5 * len(validations)
    rates = [row["learning_rate"] for row in rows if row["split"] == "train"]
    assert rates[-1] == pytest.approx(rates[0] / 1000)


def test_a_run_out_of_patience_ends_with_its_best_network(arrays, tmp_path, monkeypatch, capsys):
    """Images that are all equal leave no progress after the first epoch of ten steps: it ends after the third, also if
    it was stopped in the second, and the last network is the best."""
    same = data.ArraySplit("train", np.zeros_like(arrays.images), arrays.labels)
    impatient = {"patience": 2, "steps": None, "epochs": 100, "base_lr": 1e-6}
    result = start(same, tmp_path, **impatient)
    assert (result["steps"], result["best_step"]) == (30, 10)
    assert result["val_error"] == result["best_val_error"]
    said = "stopped after 2 epochs without a lower validation error: the network is that of epoch 1 (step 10), with the"
    assert said in capsys.readouterr().out
    networks = {name: keras.models.load_model(tmp_path / "run" / f"{name}.keras") for name in ("last", "best")}
    for last, best in zip(*(network.get_weights() for network in networks.values()), strict=True):
        np.testing.assert_array_equal(last, best)
    trained, _ = CheckpointFolder(tmp_path / "run" / "checkpoints").newest()
    bias = next(name for name in trained if name.endswith(" bias"))
    assert np.abs(trained[bias] - networks["best"].weights[-1]).max() > 0  # training had gone on
    with monkeypatch.context() as patched:
        patched.setattr("keras_resnet.training.state.Calendar.saves", stopping_at(17))
        with pytest.raises(KeyboardInterrupt):
            start(same, tmp_path / "pieces", **impatient)
    again = start(same, tmp_path / "pieces", **impatient)
    assert "continuing at step 16" in capsys.readouterr().out
    assert (again["steps"], again["best_step"], again["val_error"]) == (30, 10, result["val_error"])


def test_patience_needs_validation_images_and_the_best_network(arrays, tmp_path):
    with pytest.raises(InputError, match="--patience 3 needs validation data, and train comes without: leave it out"):
        start(arrays, tmp_path / "none", patience=3, more={"validation": None})
    start(arrays, tmp_path, patience=3, steps=10)
    (tmp_path / "run" / "best.keras").unlink()
    with pytest.raises(
        InputError, match=r"best.keras, with which --patience ends, cannot be read .* another --workdir"
    ):
        start(arrays, tmp_path, patience=3, steps=10)


def test_a_lengthened_run_equals_one_of_the_whole_length_at_an_unchanged_rate(arrays, tmp_path, capsys):
    """16 steps and then 8 more at a constant rate, against 24 at once; both keep every eighth checkpoint."""
    same = {"more": {"milestones": ()}, "keep_every": 8}
    start(arrays, tmp_path / "longer", **same, steps=16)
    assert start(arrays, tmp_path / "longer", **same, steps=24)["steps"] == 24
    assert "lengthened from 16 to 24 steps: the rate goes on" in capsys.readouterr().out
    start(arrays, tmp_path / "once", **same, steps=24)
    folders = [CheckpointFolder(tmp_path / name / "run" / "checkpoints") for name in ("longer", "once")]
    assert folders[0].steps() == folders[1].steps() == [0, 8, 16, 20, 24]
    ends = [folder.newest()[0] for folder in folders]
    for name, value in ends[0].items():
        np.testing.assert_array_equal(value, ends[1][name], err_msg=name)


def test_a_plateau_needs_validation_images(arrays, tmp_path):
    """Without any the rate would never fall, and the run would go on to its end without a word."""
    with pytest.raises(InputError, match="--schedule plateau needs validation data, and train comes without: leave it"):
        start(arrays, tmp_path, schedule="plateau", more={"validation": None})


def test_lengthening_a_run_tells_the_rate_of_its_warm_up(arrays, tmp_path, capsys):
    """While it lasts, as in a run of random labels whose error stays above 80 %, a tenth of the schedule's."""
    noise = data.ArraySplit("train", arrays.images, np.arange(80, dtype=np.int32) % 20)
    more = {"warm_up": True, "classes": tuple("abcdefghijklmnopqrst"), "milestones": ()}
    options = {"more": more, "base_lr": 1e-6}
    start(noise, tmp_path, **options, steps=8)
    start(noise, tmp_path, **options, steps=10)
    (rate,) = {row["learning_rate"] for row in read_metrics(tmp_path / "run" / "metrics.csv") if "learning_rate" in row}
    assert rate == pytest.approx(1e-6 * 8 / 128 / 10)
    assert f"at {rate:.4g}; its last was {rate:.4g}" in capsys.readouterr().out


def test_a_run_that_ended_for_want_of_progress_says_that_it_does_not_grow(arrays, tmp_path, capsys):
    same = data.ArraySplit("train", np.zeros_like(arrays.images[:8]), arrays.labels[:8])
    impatient = {"patience": 1, "steps": None, "base_lr": 1e-6}
    assert start(same, tmp_path, **impatient, epochs=50)["steps"] == 2
    capsys.readouterr()
    assert start(same, tmp_path, **impatient, epochs=60)["steps"] == 2
    assert "run ended at step 2 for want of progress: a larger length adds nothing" in capsys.readouterr().out


def test_a_best_network_that_was_removed_is_replaced_by_that_of_the_next_validation(arrays, tmp_path, capsys):
    """And not only by a better one: with images that are all equal there is none, and the run would end without."""
    same = data.ArraySplit("train", np.zeros_like(arrays.images), arrays.labels)
    options = {"base_lr": 1e-6, "more": {"milestones": ()}}
    start(same, tmp_path, **options, steps=20)
    (tmp_path / "run" / "best.keras").unlink()
    result = start(same, tmp_path, **options, steps=24)
    assert "best.keras is gone: the network of step 24 takes its place" in capsys.readouterr().err
    assert (result["best_step"], result["best_val_error"]) == (24, result["val_error"])
    networks = [keras.models.load_model(tmp_path / "run" / f"{name}.keras") for name in ("best", "last")]
    for best, last in zip(*(network.get_weights() for network in networks), strict=True):
        np.testing.assert_array_equal(best, last)


def test_a_run_with_less_data_is_refused_past_its_end(arrays, tmp_path):
    start(arrays, tmp_path, steps=None, epochs=1)
    few = data.ArraySplit("train", arrays.images[:40], arrays.labels[:40])
    with pytest.raises(InputError, match="is at step 10, past the end of its 5 steps"):
        start(few, tmp_path, steps=None, epochs=1)


def test_a_run_stopped_in_its_last_validation_validates_and_trains_no_further(arrays, tmp_path):
    first = start(arrays, tmp_path, steps=12)
    folder = CheckpointFolder(tmp_path / "run" / "checkpoints")
    variables, state = folder.newest()
    metrics = tmp_path / "run" / "metrics.csv"
    rows = [row for row in read_metrics(metrics) if (row["split"], row["step"]) != ("validation", 12)]
    folder.save(variables, state | {"validated": 10}, rows=rows)
    write_metrics(metrics, rows, training.Classification.metric_names)
    again = start(arrays, tmp_path, steps=12)
    assert (again["steps"], again["val_error"]) == (12, first["val_error"])
    assert read_metrics(metrics)[-1]["step"] == 12
    assert read_metrics(metrics)[-1]["split"] == "validation"
    assert folder.newest()[1] | {"seconds": 0} == state | {"seconds": 0}
    start(arrays, tmp_path, steps=16)  # in which step 12 ends no epoch
    assert [row["step"] for row in read_metrics(metrics) if row["split"] == "validation"] == [10, 12, 16]


@pytest.mark.parametrize("frozen", [True, False], ids=["frozen", "normalized"])
def test_accumulation_equals_the_whole_batch_but_for_normalization(frozen, arrays, tmp_path):
    """With frozen statistics three steps differ only by rounding; otherwise each part has its own statistics."""

    def network():
        built = keras_resnet.ResNet20(blocks=(1, 1), filters=(4, 8), classes=4)
        training.freeze(built, batch_norm=frozen)
        return built

    losses, weights = [], []
    for parts in (1, 2):
        folder = tmp_path / str(parts)
        result = start(arrays, folder, more={"network": network}, steps=3, accumulate=parts)
        assert result["settings"]["accumulate"] == parts
        losses.append(read_metrics(folder / "run" / "metrics.csv")[0]["loss"])
        weights.append(named_arrays(keras_resnet.load_model(folder / "run" / "last.keras")))
    apart = max(np.abs(value - weights[1][name]).max() for name, value in weights[0].items() if "kernel" in name)
    print(f"kernels differ by {apart:.1e}, losses by {abs(losses[0] - losses[1]):.1e}")
    assert (apart < 1e-6) == frozen
    assert (losses[0] == pytest.approx(losses[1], rel=1e-5)) == frozen


def test_the_host_waits_for_the_devices_only_for_votes_and_ends_of_windows(tmp_path):
    """On two devices, in 10 of 100 steps, although the rate changes in every step.

    And AutoGraph, which takes seconds, rewrites nothing.
    """
    script = Path(__file__).with_name("count_host_reads.py")
    done = run(script, tmp_path / "run")
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout.splitlines()[-1])
    reads = printed["reads"]
    assert printed["rewritten"] == []
    assert [step for step, count in enumerate(reads, start=1) if count] == list(range(VOTE, 101, VOTE))
    assert [reads[step - 1] for step in range(VOTE, 101, VOTE) if step % WINDOW] == [1] * 8
