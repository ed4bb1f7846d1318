"""Two logical devices, and two processes, give the results of one device through the sharded pipelines."""

import json
from pathlib import Path

import numpy as np
import pytest
from programs import Program, run, start_workers

pytestmark = pytest.mark.long

SCRIPT = Path(__file__).with_name("train_on_devices.py")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A function from (mode, net) to the arrays that each process saved; every pair runs once."""
    folder, cache = tmp_path_factory.mktemp("trained"), {}

    def train(mode, net):
        if (mode, net) not in cache:
            words = (SCRIPT, mode, net, folder / f"{mode}-{net}")
            processes = start_workers(*words) if mode == "worker" else [Program(*words)]
            for done in [process.ended(300) for process in processes]:
                assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
            files = [folder / f"{mode}-{net}-{number}.npz" for number in range(len(processes))]
            cache[mode, net] = [dict(np.load(file)) for file in files]
        return cache[mode, net]

    return train


def differences(a, b):
    assert a.keys() == b.keys()
    return {
        name: float(np.max(np.abs(a[name] - b[name]) / np.maximum(1, np.abs(a[name]))))
        for name in a
        if name != "worst losses"  # every worker has its own
    }


@pytest.mark.parametrize(
    ("mode", "net", "bound"),
    [
        ("mirrored", "plain", 1e-5),
        pytest.param("worker", "plain", 1e-5, marks=pytest.mark.slow),  # as three of four steps of ragged
        ("mirrored", "ragged", 1e-5),
        ("worker", "ragged", 1e-5),
        ("one", "accumulated", 1e-5),
        ("mirrored", "accumulated", 1e-5),
        ("mirrored", "sync_bn", 1e-3),
        ("worker", "sync_bn", 1e-3),
    ],
)
def test_equal_to_one_device(mode, net, bound, trained):
    """20 steps with momentum and decay, or 6 of a small ResNet with --sync-bn; 203 test images do not fill the batches.

    In the ragged case 5 examples are split into 3 and 2: loss, error and update still give all examples equal weight.
    """
    reference = trained("one", "plain" if net == "accumulated" else net)[0]
    for state in trained(mode, net):
        differing = differences(reference, state)
        weights = {name: value for name, value in differing.items() if name.startswith("weight")}
        print(mode, net, "largest difference of a weight", max(weights.values()))
        assert max(weights.values()) < bound
        assert differing["metric loss"] < bound
        assert differing["test loss"] < 10 * bound
        assert differing["test error"] < 1e-4 if bound < 1e-4 else differing["test error"] < 1


def test_devices_that_normalize_their_own_shares_differ_from_one_device(trained):
    """The control for the bound above: without --sync-bn the difference is more than ten times as large."""
    differing = differences(trained("one", "sync_bn")[0], trained("mirrored", "own_bn")[0])
    weights = {name: value for name, value in differing.items() if name.startswith("weight")}
    print("without --sync-bn, largest difference of a weight", max(weights.values()))
    assert max(weights.values()) > 1e-2
    assert differing["metric loss"] > 1e-2


@pytest.mark.parametrize("net", ["resnet", pytest.param("plain", marks=pytest.mark.slow)])
def test_all_workers_end_with_equal_weights_and_statistics(net, trained):
    """With normalization per replica, where the moving statistics differ until they are averaged."""
    first, second = trained("worker", net)
    differing = differences(first, second)
    assert max(differing.values()) == 0


def test_loss_scaling_on_two_devices(trained):
    """Without overflow, two devices give the weights of one to the precision of float16."""
    one, two = trained("one", "float16")[0], trained("mirrored", "float16")[0]
    assert one["scale"] == two["scale"] == 2.0**10
    differing = {name: value for name, value in differences(one, two).items() if name.startswith("weight")}
    assert max(differing.values()) < 5e-3, differing


def test_loss_scaling_skips_overflows_on_two_devices(trained):
    """An initial scale of 2^30 overflows float16: both devices skip those updates, and training goes on."""
    for mode in ("one", "mirrored"):
        state = trained(mode, "overflow")[0]  # the script has checked that its replicas are equal
        assert 1 < state["scale"] < 2.0**28
        assert state["test loss"] < np.log(4)


def test_devices_drop_different_units_and_blocks():
    """Of the same images, which one device would drop as two different ones; the same seeds give the same again."""
    done = run(SCRIPT.with_name("drop_on_devices.py"))
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [name for line in lines for name in line] == ["dropout", "stochastic depth", "loops"]
    for name, (on_both_devices, again, in_the_next_step) in (item for line in lines for item in line.items()):
        assert not on_both_devices, name
        assert again, name
        assert not in_the_next_step, name
