"""Record shards: read by position like the files they were made from, verified, and continued where they stopped."""

import contextlib
import json
import os
import time

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from programs import Program, run

from keras_resnet import InputError
from keras_resnet.data import decoding, open_data, records
from keras_resnet.data.lock import one_at_a_time
from keras_resnet.data.records import masked_crc
from keras_resnet.errors import in_our_words

pytestmark = pytest.mark.long


def make(*arguments):
    return run("tools/make_records.py", *arguments)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A data set of three classes: 60 training and 12 validation photos of noise, some 80 kB each."""
    folder, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for part, count in (("train", 60), ("val", 12)):
        for number in range(count):
            place = folder / part / "abc"[number % 3]
            place.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 256, (160 + 2 * number, 300, 3), np.uint8)
            Image.fromarray(pixels).save(place / f"{number}.jpg", quality=95)
    return folder


@pytest.fixture(scope="module")
def shards(photos, tmp_path_factory, own_cache):
    """The photos in shards of one megabyte."""
    out = tmp_path_factory.mktemp("shards")
    done = make("--data", photos, "--out", out, "--shard-megabytes", 1)
    assert done.returncode == 0, done.stderr
    return out


def test_shards_hold_every_image_and_label(photos, shards):
    folder, data = open_data(str(photos)), open_data(str(shards))
    assert data.classes == folder.classes
    assert len(list(shards.glob("train-*-of-*.tfrecord"))) > 3
    for stored, original in ((data.train, folder.train), (data.validation, folder.validation)):
        assert len(stored) == len(original)
        pairs = [{(bytes(e.numpy()), int(k)) for e, k in map(s.read, range(0, len(s)))} for s in (stored, original)]
        assert pairs[0] == pairs[1]


@pytest.mark.slow
def test_shards_of_smaller_photos_hold_the_same_labels_in_the_same_order(photos, shards, tmp_path):
    done = make("--data", photos, "--out", tmp_path / "s", "--shard-megabytes", 1, "--shorter-side", 48)
    assert done.returncode == 0, done.stderr
    small, whole = open_data(str(tmp_path / "s")).validation, open_data(str(shards)).validation
    assert min(decoding.image_shape(whole.read(0)[0])[:2]) > 48
    for position in range(len(whole)):
        encoded, label = small.read(position)
        assert min(decoding.image_shape(encoded)[:2]) == 48
        assert int(label) == int(whole.read(position)[1])
    again = make("--data", photos, "--out", tmp_path / "s", "--shard-megabytes", 1)
    assert again.returncode == 2
    assert "holds shards of other images or of another size" in again.stderr


def test_tensorflow_reads_the_same_records_in_order(shards):
    """Against ``TFRecordDataset``, which checks each record's own checksums."""
    data = open_data(str(shards)).train
    stored = tf.data.TFRecordDataset(sorted(map(str, shards.glob("train-*"))))
    for position, record in enumerate(stored):
        features = tf.train.Example.FromString(record.numpy()).features.feature
        encoded, label = data.read(position)
        assert encoded.numpy() == features["image/encoded"].bytes_list.value[0]
        assert int(label) == features["image/class/label"].int64_list.value[0]
    assert position + 1 == len(data)


def test_a_damaged_shard_is_named_and_made_again(photos, shards, tmp_path):
    out = tmp_path / "copy"
    out.mkdir()
    for path in shards.iterdir():
        (out / path.name).write_bytes(path.read_bytes())
    broken = sorted(out.glob("train-*"))[1]
    content = bytearray(broken.read_bytes())
    content[1000] ^= 1
    broken.write_bytes(content)
    done = make("--out", out, "--verify")
    assert done.returncode != 0
    assert f"1 of {len(list(out.glob('*.tfrecord')))} shards" in done.stderr
    assert broken.name in done.stderr
    broken.unlink()
    assert len(open_data(str(out)).validation) == 12  # the other part is whole
    with pytest.raises(InputError, match=f"{broken.name} is missing or not of"):
        len(open_data(str(out)).train)
    done = make("--data", photos, "--out", out, "--shard-megabytes", 1)
    assert done.returncode == 0, done.stderr
    assert make("--out", out, "--verify").stdout.startswith("all ")
    assert broken.read_bytes() == (shards / broken.name).read_bytes()


def test_a_stopped_command_continues_with_the_next_shard(photos, shards, tmp_path):
    manifest = records.read_manifest(shards)
    for stem, count in (("train", 2), ("val", 0)):
        for entry in manifest["splits"][stem][:count]:
            (tmp_path / entry["file"]).write_bytes((shards / entry["file"]).read_bytes())
        manifest["splits"][stem] = manifest["splits"][stem][:count]
    (tmp_path / records.MANIFEST).write_text(json.dumps(manifest | {"complete": False}))
    with pytest.raises(InputError, match="not finished"):
        open_data(str(tmp_path))
    times = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("*.tfrecord")}
    done = make("--data", photos, "--out", tmp_path, "--shard-megabytes", 1)
    assert done.returncode == 0, done.stderr
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in times} == times
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {p.name: p.read_bytes() for p in shards.iterdir()}


def test_a_repair_that_is_stopped_leaves_shards_that_are_not_finished(photos, shards, tmp_path):
    """The last shard of training cannot be written, because a folder has its name."""
    for path in shards.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    first, *_, last = sorted(tmp_path.glob("train-*"))
    first.unlink()
    last.unlink()
    (last / "folder").mkdir(parents=True)
    again = ("--data", photos, "--out", tmp_path, "--shard-megabytes", 1)
    assert make(*again).returncode != 0
    assert first.exists()
    with pytest.raises(InputError, match="not finished"):
        open_data(str(tmp_path))
    done = make("--out", tmp_path, "--verify")
    assert (done.returncode, "are not finished" in done.stderr) == (2, True)
    (last / "folder").rmdir()
    last.rmdir()
    assert make(*again).returncode == 0
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {p.name: p.read_bytes() for p in shards.iterdir()}


def test_shards_of_renamed_classes_are_not_taken_for_the_same(shards, tmp_path):
    """A list of photos whose labels alone have changed."""
    rows = [f"{number}.png,{'ab'[number % 2]}" for number in range(8)]
    for number in range(8):
        Image.new("RGB", (32, 32), (number * 30,) * 3).save(tmp_path / f"{number}.png")
    flags = ("--data", tmp_path / "list.csv", "--out", tmp_path / "shards")
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *rows]))
    assert make(*flags).returncode == 0
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *rows]).replace(",b", ",c"))
    done = make(*flags)
    assert (done.returncode, "or other class names" in done.stderr) == (2, True), done.stderr


def test_two_processes_write_one_after_the_other(photos, shards, tmp_path):
    with contextlib.ExitStack() as first:
        first.enter_context(one_at_a_time(tmp_path / records.MANIFEST, "writing"))
        with Program("tools/make_records.py", "--data", photos, "--out", tmp_path, "--shard-megabytes", 1) as second:
            while "waiting for another process that is writing into" not in second.words()[1]:
                assert second.poll() is None, second.words()
                time.sleep(0.05)
            assert [path.name for path in tmp_path.iterdir()] == ["records.lock"]
            first.close()
            assert second.ended().returncode == 0
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {p.name: p.read_bytes() for p in shards.iterdir()}


def test_shards_do_not_take_the_place_of_their_photos(photo_folder):
    for place in (photo_folder, photo_folder / "train" / ".."):
        done = make("--data", photo_folder, "--out", place)
        assert (done.returncode, "would be read in place of --data" in done.stderr) == (2, True), done.stderr
    assert sorted(path.name for path in photo_folder.iterdir()) == ["train", "val"]


def test_shards_of_other_images_are_not_mixed_in(shards, photo_folder):
    done = make("--data", photo_folder, "--out", shards)
    assert done.returncode != 0
    assert "holds shards of other images" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_shard_cut_off_is_named(tmp_path):
    path = tmp_path / "cut.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for _ in range(3):
            writer.write(b"x" * 1000)
    assert len(records.record_index([path])) == 3
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match=r"cut.tfrecord is cut off"):
        records.record_index([path])


def test_positions_are_random_access(shards):
    """The last record, read first, equals the last one of a whole pass."""
    data = open_data(str(shards)).train
    last, _ = data.read(len(data) - 1)
    everything = [encoded.numpy() for encoded, _ in tf.data.Dataset.range(len(data)).map(data.read)]
    assert last.numpy() == everything[-1]
    assert len(np.unique([len(e) for e in everything])) > 40


@pytest.fixture
def written(rng, tmp_path):
    """Twelve records in three shards, and their contents."""
    contents, paths = [rng.bytes(1000 + i) for i in range(12)], [tmp_path / f"{n}.tfrecord" for n in range(3)]
    for path, part in zip(paths, (contents[:4], contents[4:8], contents[8:]), strict=True):
        with tf.io.TFRecordWriter(str(path)) as writer:
            for content in part:
                writer.write(content)
    return paths, contents


def test_a_damaged_record_is_named_when_it_is_read(written):
    """One bit is flipped; the records beside it are still read."""
    paths, contents = written
    damaged = bytearray(paths[1].read_bytes())
    damaged[records.record_index([paths[1]])[2, 1] + 500] ^= 1
    paths[1].write_bytes(damaged)
    split = records.record_split("three", paths, lambda record: (record, 0))
    for position in (4, 5, 7, 11):
        assert split.read(position)[0].numpy() == contents[position]
    with pytest.raises(InputError, match=r"1.tfrecord is damaged, its record at byte"):
        split.read(6)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"InputError: .*1.tfrecord is damaged"):
        list(tf.data.Dataset.range(12).map(split.read))


def test_a_shard_is_opened_once(written, monkeypatch):
    paths, contents = written
    split = records.record_split("three", paths, lambda record: (record, 0))
    opened, real = [], os.open
    monkeypatch.setattr(os, "open", lambda path, *more: opened.append(path) or real(path, *more))
    order = np.random.default_rng(0).permutation(12).repeat(3)
    contents_read = [record.numpy() for record, _ in tf.data.Dataset.from_tensor_slices(order).map(split.read)]
    assert contents_read == [contents[position] for position in order]
    assert sorted(path for path in opened if str(path).endswith(".tfrecord")) == sorted(map(str, paths))


def test_a_replaced_shard_is_read_anew(tmp_path):
    path = tmp_path / "one.tfrecord"
    for content in (b"first", b"second"):
        with tf.io.TFRecordWriter(str(tmp_path / "new")) as writer:
            writer.write(content)
        os.replace(tmp_path / "new", path)
        split = records.record_split("one", [path], lambda record: (record, 0))
        assert split.read(0)[0].numpy() == content


@pytest.mark.parametrize("length", [0, 1, 4, 65_537])
def test_the_checksum_is_the_one_that_tensorflow_stores(length, rng, tmp_path):
    data = rng.bytes(length)
    with tf.io.TFRecordWriter(str(tmp_path / "one")) as writer:
        writer.write(data)
    stored = (tmp_path / "one").read_bytes()
    assert stored[8:12] == masked_crc(stored[:8]).to_bytes(4, "little")
    assert stored[-4:] == masked_crc(data).to_bytes(4, "little")


MANIFEST = {
    "classes": ["a", "b"],
    "of": {},
    "megabytes": 1,
    "complete": True,
    "splits": {
        part: [{"file": f"{part}.tfrecord", "examples": 4, "bytes": 1, "sha256": ""}] for part in ("train", "val")
    },
}


@pytest.fixture
def small(tmp_path):
    """A folder of two parts of four records each, of the classes 0 and 1, and its manifest."""
    manifest = json.loads(json.dumps(MANIFEST))
    for entries in manifest["splits"].values():
        path = tmp_path / entries[0]["file"]
        with tf.io.TFRecordWriter(str(path)) as writer:
            for number in range(4):
                image = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"photo"]))
                label = tf.train.Feature(int64_list=tf.train.Int64List(value=[number % 2]))
                features = tf.train.Features(feature=dict(zip(records.FEATURES, (image, label), strict=True)))
                writer.write(tf.train.Example(features=features).SerializeToString())
        entries[0]["bytes"] = path.stat().st_size
    (tmp_path / records.MANIFEST).write_text(json.dumps(manifest))
    return tmp_path, manifest


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"classes": "ab"}, "records.json is damaged"),
        ({"complete": None}, "records.json is damaged"),
        ({"splits": {"other": []}}, "records.json is damaged"),
        (
            {"splits": {"train": [{"file": "../up", "examples": 1, "bytes": 1, "sha256": ""}]}},
            "records.json is damaged",
        ),
        ({"splits": {"train": [], "val": []}}, "lists no shards of the part train"),
    ],
)
def test_a_manifest_of_another_structure_is_refused(changes, words, small):
    folder, manifest = small
    (folder / records.MANIFEST).write_text(json.dumps(manifest | changes))
    with pytest.raises(InputError, match=words):
        open_data(str(folder))


def test_a_shard_without_records_and_a_damaged_length_are_refused(small):
    folder, manifest = small
    whole = (folder / "train.tfrecord").read_bytes()
    for content, words in (
        (b"", "part train in .* hold no records"),
        (bytes([whole[0] ^ 1]) + whole[1:], "train.tfrecord is damaged: there is no record at byte 0"),
    ):
        (folder / "train.tfrecord").write_bytes(content)
        manifest["splits"]["train"][0]["bytes"] = len(content)
        (folder / records.MANIFEST).write_text(json.dumps(manifest))
        with pytest.raises(InputError, match=words):
            open_data(str(folder)).train  # noqa: B018  opens it


def test_a_label_outside_the_classes_is_refused(small):
    folder, manifest = small
    (folder / records.MANIFEST).write_text(json.dumps(manifest | {"classes": ["a"]}))
    data = open_data(str(folder)).train
    assert int(data.read(0)[1]) == 0
    with pytest.raises(InputError, match="has a record of class 1, but only 1 classes"):
        data.read(1)
    with pytest.raises(InputError, match="has a record of class 1, but only 1 classes"), in_our_words():
        list(tf.data.Dataset.range(4).map(data.read))


def test_in_training_the_next_readable_record_replaces_a_damaged_one(written, capsys):
    paths, contents = written
    damaged = bytearray(paths[1].read_bytes())
    damaged[records.record_index([paths[1]])[2, 1] + 500] ^= 1
    paths[1].write_bytes(damaged)
    split = records.record_split("three", paths, lambda record: (record, 0))
    contents_read = [encoded.numpy() for encoded, _ in tf.data.Dataset.range(12).map(split.read_whole)]
    assert contents_read == [*contents[:6], contents[7], *contents[7:]]
    assert capsys.readouterr().err.count("1.tfrecord is damaged, its record at byte ") == 1
