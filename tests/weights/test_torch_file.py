"""PyTorch files: both layouts are read, no code in a file is run, and damage is reported."""

import collections
import os
import pickle
import zipfile

import ml_dtypes
import numpy as np
import pytest
from weights.torch_writer import write_torch

from keras_resnet import InputError, weights
from keras_resnet.weights.torch_file import (
    MAGIC_NUMBER,
    MAX_SHARED,
    PROTOCOL_VERSION,
    Storage,
    Tensor,
    read_torch_file,
)

LAYOUTS = pytest.mark.parametrize("legacy", [True, False], ids=["legacy", "zip"])


@LAYOUTS
def test_tensors_and_containers_come_back(legacy, tmp_path, monkeypatch, rng):
    arrays = {"a": rng.normal(size=(2, 3, 4)).astype("float32"), "b": np.full((), 3, "float32")}
    arrays["half"] = arrays["a"].astype(ml_dtypes.bfloat16)
    content = {"state_dict": collections.OrderedDict(arrays), "best_prec1": 91.5, "epoch": 3, "empty": np.zeros((0, 2))}
    write_torch(tmp_path / "w.th", content, monkeypatch, legacy)
    back = read_torch_file(tmp_path / "w.th")
    assert back["best_prec1"] == 91.5
    for key, value in arrays.items():
        np.testing.assert_array_equal(back["state_dict"][key], value)
        assert back["state_dict"][key].dtype == value.dtype
    assert back["empty"].shape == (0, 2)


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@LAYOUTS
def test_a_file_that_would_run_code_is_refused_and_runs_none(legacy, tmp_path):
    file, trace = tmp_path / "evil.pth", tmp_path / "trace"
    if legacy:
        with open(file, "wb") as out:
            for part in (MAGIC_NUMBER, PROTOCOL_VERSION, {}, {"w": Evil(str(trace))}):
                pickle.dump(part, out, protocol=2)
    else:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("x/data.pkl", pickle.dumps({"w": Evil(str(trace))}))
    with pytest.raises(InputError, match=r"evil.pth .* posix.mkdir, which is neither a tensor nor a container"):
        read_torch_file(file)
    assert not trace.exists()


@LAYOUTS
@pytest.mark.parametrize("kept", [0.05, 0.5, 0.99])
def test_a_truncated_file_is_named(legacy, kept, tmp_path, monkeypatch, rng):
    file = tmp_path / "cut.th"
    write_torch(file, {"w": rng.normal(size=(50, 50))}, monkeypatch, legacy)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(InputError, match=r"cut.th is not a readable PyTorch weight file"):
        read_torch_file(file)


@LAYOUTS
def test_a_tensor_cannot_reach_beyond_its_data(legacy, tmp_path, monkeypatch):
    write_torch(tmp_path / "w.th", {"w": np.ones((4, 4))}, monkeypatch, legacy, offset=1)
    with pytest.raises(InputError, match="beyond its data"):
        read_torch_file(tmp_path / "w.th")


@pytest.mark.parametrize("content", [b"", b"not weights", pickle.dumps({"a": 1}), b"\x80\x02K\x01." * 5])
def test_foreign_files_are_named(content, tmp_path):
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(InputError, match=r"w.pth is not a readable PyTorch weight file"):
        read_torch_file(tmp_path / "w.pth")


def laughs():
    """Ten times the list before, 30 times: 10^30 numbers in some hundred bytes."""
    made = [1]
    for _ in range(30):
        made = [made] * 10
    return made


def nested():
    """A tuple nested 1,000,000 deep, as a key: hashing it would crash the interpreter."""
    return b"\x80\x02})" + b"\x85" * 1_000_000 + b"K\x01s."


@pytest.mark.long
@LAYOUTS
@pytest.mark.parametrize(
    ("pickled", "words"),
    [
        (pickle.dumps({"a": laughs()}, 2), "holds no state dict"),
        (nested(), "a key that is neither text nor a number"),
        (b"\x80\x02" + b"]" * 10**6 + b"a" * (10**6 - 1) + b".", "nested more than 50 deep"),
        (b"\x80\x02]q\x00h\x00a.", "nested more than 50 deep"),
        (b"\x80\x02}r\x00\x00\x00 .", "holds no state dict"),  # memo index 2^29
        (b"\x80\x02\x8e" + (2**40).to_bytes(8, "little") + b".", "is not a readable PyTorch weight file"),
        (b"\x80\x02\x8b\x00\x00\x10\x00.", "an operation or memo that no weights need"),  # a number of 2^20 bytes
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x07\x00\x00\x00__doc__K\x01sb.", "holds no state dict"),
    ],
)
def test_small_files_that_would_fill_time_or_memory(legacy, pickled, words, tmp_path):
    with open(tmp_path / "w.pth", "wb") as file:
        if legacy:
            file.write(b"".join(pickle.dumps(part, 2) for part in (MAGIC_NUMBER, PROTOCOL_VERSION, {})))
            file.write(pickled + pickle.dumps([], 2))
        else:
            with zipfile.ZipFile(file, "w") as archive:
                archive.writestr("x/data.pkl", pickled)
    with pytest.raises(InputError, match=words):
        weights.read(tmp_path / "w.pth")
    assert Tensor.__doc__ != 1  # which the last one would set


@pytest.mark.parametrize(
    ("shape", "strides", "fits"),
    [
        ((4,), (1,), True),
        ((2, 2), (2, 1), True),
        ((2, 2), (0, 0), True),
        ((3, 3), (0, 0), False),
        ((2**59,), (0,), False),
    ],
)
def test_tensors_cover_no_more_than_their_storage(shape, strides, fits):
    storage = Storage(np.dtype("f4"), 4, np.arange(4, dtype="f4"))
    if fits:
        assert Tensor(storage, 0, shape, strides).array().shape == shape
    else:
        with pytest.raises(pickle.UnpicklingError, match="beyond its data"):
            Tensor(storage, 0, shape, strides)


def test_many_tensors_cannot_share_one_storage():
    storage = Storage(np.dtype("f4"), 4)
    for _ in range(MAX_SHARED):
        Tensor(storage, 0, (4,), (1,))
    with pytest.raises(pickle.UnpicklingError, match="beyond its data"):
        Tensor(storage, 0, (4,), (1,))


@pytest.mark.peers
@pytest.mark.parametrize("zipped", [True, False])
def test_equals_torch_load(zipped, tmp_path):
    torch = pytest.importorskip("torch")
    tensors = {
        "transposed": torch.randn(3, 5).t(),
        "slice": torch.randn(10, 4)[2:5, 1:],
        "half": torch.randn(3).half(),
        "long": torch.arange(4),
        "parameter": torch.nn.Parameter(torch.randn(2)),
        "bool": torch.tensor([True, False]),
    }
    short = torch.randn(3).bfloat16()  # for which NumPy has no type
    torch.save(tensors | {"short": short}, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    back = read_torch_file(tmp_path / "w.pth")
    for key, tensor in tensors.items():
        np.testing.assert_array_equal(back[key], tensor.detach().numpy())
    np.testing.assert_array_equal(back["short"], short.float().numpy())
