"""Extraction can be stopped at any file and goes on to the same boxes; other networks' boxes are not taken."""

import hashlib

import numpy as np
import pytest

from keras_resnet import InputError
from keras_resnet.data.pipelines import Shard
from keras_resnet.localization import extract, proposals

pytestmark = pytest.mark.long


@pytest.fixture(autouse=True)
def small_files(monkeypatch):
    monkeypatch.setattr(proposals, "PHOTOS", 5)


def test_a_stopped_extraction_goes_on_to_the_same_boxes(rpn, photos, tmp_path):
    whole = extract(rpn, photos, tmp_path / "whole", 7)()
    assert whole.boxes.shape == (12, 7, 4)
    assert (whole.boxes[..., 2:] - whole.boxes[..., :2]).min() >= 1
    assert whole.boxes.min() >= 0
    assert whole.boxes.max() <= 96
    again = extract(rpn, photos, tmp_path / "stopped", 7)()
    kept = tmp_path / "stopped" / "proposals-00000.npy"
    stamp = kept.stat().st_mtime_ns
    (tmp_path / "stopped" / "proposals-00001.npy").write_bytes(b"cut")
    (tmp_path / "stopped" / "proposals-00002.npy").unlink()
    again = extract(rpn, photos, tmp_path / "stopped", 7)()
    np.testing.assert_array_equal(again.boxes, whole.boxes)
    assert kept.stat().st_mtime_ns == stamp


def test_workers_do_their_shares(rpn, photos, tmp_path):
    first = extract(rpn, photos, tmp_path, 3, Shard(0, 2, 2))
    with pytest.raises(InputError, match="lacks some of its files"):
        first()
    extract(rpn, photos, tmp_path, 3, Shard(1, 2, 2))
    assert first().boxes.shape == (12, 3, 4)


def test_boxes_of_another_number_are_refused(rpn, photos, tmp_path):
    extract(rpn, photos, tmp_path, 3)
    with pytest.raises(InputError, match="of another number: remove the folder"):
        extract(rpn, photos, tmp_path, 4)


def test_the_manifest_names_the_network_as_earlier_versions_did(rpn):
    """Otherwise boxes that were extracted before would be refused, and runs that learned from them."""
    weights = b"".join(values.tobytes() for values in rpn.get_weights())
    assert proposals.weights_digest(rpn) == hashlib.sha256(weights).hexdigest()[:32]
