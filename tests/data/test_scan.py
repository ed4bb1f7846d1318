"""The scan names and leaves out files that do not decode, and examines each file once."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from keras_resnet import InputError
from keras_resnet.data import folder_split, scan
from keras_resnet.data.lock import one_at_a_time


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(200):
        Image.new("RGB", (8, 8), (i, 0, 0)).save(folder / f"{i:03d}.JPEG")
    return folder


def names(files):
    return [path.decode() for path in files["path"]]


def test_damaged_files_are_named_counted_and_left_out(images, capsys):
    whole = (images / "007.JPEG").read_bytes()
    (images / "007.JPEG").write_bytes(whole[: len(whole) // 3])
    (images / "008.JPEG").write_bytes(b"no image")
    for _ in range(2):  # scanned, then read from the cache
        good = scan.images_in(images, [""])
        assert names(good) == [f"{i:03d}.JPEG" for i in range(200) if i not in (7, 8)]
        messages = capsys.readouterr().err
        assert "007.JPEG: " in messages
        assert "008.JPEG: its content is no photo of a known format" in messages
        assert "2 of 200 images" in messages


def test_everything_left_out_is_listed(images, capsys, monkeypatch):
    monkeypatch.setattr(scan, "MAX_BAD_SHARE", 1)
    for i in range(30):
        (images / f"{i:03d}.JPEG").write_bytes(b"no image")
    (images / "029.JPEG").unlink()
    (images / "029.JPEG").symlink_to("nothing")
    scan.images_in(images, [""])
    messages = capsys.readouterr().err
    assert "020.JPEG" not in messages
    assert "and 10 more, all in " in messages
    listed = Path(messages.split("all in ")[1].split("\n")[0]).read_text().splitlines()
    assert listed == [str(images / f"{i:03d}.JPEG") for i in range(30)]


def test_above_twenty_percent_it_stops(images):
    for i in range(41):
        (images / f"{i:03d}.JPEG").write_bytes(b"no image")
    with pytest.raises(
        InputError, match=r"41 of 200 images in .* do not decode, more than 20% \(the first is .*000.JPEG"
    ):
        scan.images_in(images, [""])


def test_rows_agree_with_the_file_system(images):
    """Against ``os.stat``: directories in the given order, sorted names of various lengths and letters."""
    for name, files in (("b", ("2.jpg", "10.PNG", "ümläut.jpeg")), ("a", ("0.jpg",)), ("none", ())):
        (images / name).mkdir()
        for file in files:
            Image.new("RGB", (8, 8)).save(images / name / file)
    (images / "b" / "notes.txt").write_text("no image")
    rows = scan.images_in(images, ["b", "none", "a"])
    assert names(rows) == ["b/10.PNG", "b/2.jpg", "b/ümläut.jpeg", "a/0.jpg"]
    assert rows["directory"].tolist() == [0, 0, 0, 2]
    for row in rows:
        stat = (images / row["path"].decode()).stat()
        assert (row["size"], row["modified"]) == (stat.st_size, stat.st_mtime_ns)


def test_each_file_is_examined_once(images, monkeypatch):
    """Both by a start that decodes and by one with a cached scan: on network storage each ``stat`` is a request."""
    requests = Counter()
    real = os.stat

    def counting(path, **more):
        requests[os.fspath(path)] += 1
        return real(path, **more)

    parent = images.parent
    (parent / "train").mkdir()
    images.rename(parent / "train" / "cat")
    monkeypatch.setattr(os, "stat", counting)
    for _ in range(2):
        folder_split(parent / "train", "train")
        assert {count for path, count in requests.items() if path.endswith(".JPEG")} == {1}
        assert sum(path.endswith(".JPEG") for path in requests) == 200
        requests.clear()


def count_decoded(monkeypatch):
    decoded = []
    real = scan._problem
    monkeypatch.setattr(scan, "_problem", lambda path: decoded.append(os.path.basename(path)) or real(path))
    return decoded


def test_only_new_and_changed_files_are_decoded_again(images, monkeypatch):
    decoded = count_decoded(monkeypatch)
    scan.images_in(images, [""])
    assert len(decoded) == 200
    decoded.clear()
    scan.images_in(images, [""])
    assert decoded == []
    (images / "003.JPEG").write_bytes(b"damaged since")
    (images / "004.JPEG").unlink()
    Image.new("RGB", (9, 9)).save(images / "a new one.JPEG")
    good = scan.images_in(images, [""])
    assert sorted(decoded[:2]) == ["003.JPEG", "a new one.JPEG"]
    assert decoded[2:] == ["003.JPEG"]  # to report again what is wrong with it
    assert names(good) == [*(f"{i:03d}.JPEG" for i in range(200) if i not in (3, 4)), "a new one.JPEG"]


def test_a_photo_that_becomes_good_without_a_change_of_its_file_is_no_longer_left_out(images, capsys):
    """As one does that may be read again; here its bytes change, and neither their number nor the time."""
    path = images / "007.JPEG"
    whole, times = path.read_bytes(), (10**18, 10**18)
    for content, left_out in ((b"x" * len(whole), 1), (whole, 0)):
        path.write_bytes(content)
        os.utime(path, ns=times)
        assert len(scan.images_in(images, [""])) == 200 - left_out
        assert ("007.JPEG" in capsys.readouterr().err) == bool(left_out)


def test_a_stopped_scan_continues(images, monkeypatch):
    monkeypatch.setattr(scan, "SAVE_INTERVAL", 50)
    real, decoded = scan._problem, []

    def stop(path):
        if path.endswith("120.JPEG"):
            raise KeyboardInterrupt
        return real(path)

    with monkeypatch.context() as stopping:
        stopping.setattr(scan, "_problem", stop)
        with pytest.raises(KeyboardInterrupt):
            scan.images_in(images, [""])
    decoded = count_decoded(monkeypatch)
    assert len(scan.images_in(images, [""])) == 200
    assert sorted(decoded) == [f"{i:03d}.JPEG" for i in range(100, 200)]


def test_a_scan_that_was_waited_for_may_be_of_another_list(images, monkeypatch):
    """As if another process checked the folder as ``val`` of a set with one class more: only states are taken."""
    names = [f"{i:03d}.JPEG".encode() for i in range(200)]
    cats, dogs = names[:80], names[80:]
    real = scan.one_at_a_time

    def another_first(target, doing):
        monkeypatch.setattr(scan, "one_at_a_time", real)
        scan.whole_of(images, [[], cats, dogs[:-1]])
        return real(target, doing)

    monkeypatch.setattr(scan, "one_at_a_time", another_first)
    decoded = count_decoded(monkeypatch)
    rows, _ = scan.whole_of(images, [cats, dogs])
    assert rows["path"].tolist() == names
    assert rows["directory"].tolist() == [0] * 80 + [1] * 120
    assert len(decoded) == 200


def test_a_damaged_cache_is_rebuilt(images, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    scan.images_in(images, [""])
    (cache,) = (tmp_path / "cache").rglob("*.npy")
    whole = cache.read_bytes()
    for content in (b"{", b"", whole[:-100]):
        cache.write_bytes(content)
        assert len(scan.images_in(images, [""])) == 200
        assert cache.read_bytes() == whole


def test_an_unwritable_cache_only_costs_another_scan(images, monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(scan.images_in(images, [""])) == 200
    assert capsys.readouterr().err.count("could not be saved") == 1


@pytest.mark.slow
@pytest.mark.long
def test_one_of_several_processes_scans_for_all(images, tmp_path):
    """Three that start together get the same result, but only one of them examines and decodes the files."""
    code = f"""
import os, sys
from pathlib import Path
from keras_resnet.data import scan
examined, real = [], scan._size_and_time
decoded, problem = [], scan._problem
scan._size_and_time = lambda path: examined.append(path) or real(path)
scan._problem = lambda path: decoded.append(path) or problem(path)
import tensorflow
print("ready", flush=True)
sys.stdin.readline()
print(len(scan.images_in(Path({str(images)!r}), [""])), len(decoded), len(examined))
"""
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    workers = [subprocess.Popen([sys.executable, "-c", code], env=environment, text=True, **pipes) for _ in range(3)]
    assert [worker.stdout.readline() for worker in workers] == ["ready\n"] * 3
    with one_at_a_time(tmp_path / "cache" / "keras_resnet" / "scans" / scan.scan_file(images).name, "testing"):
        for worker in workers:
            worker.stdin.write("\n")
            worker.stdin.flush()
            assert any(line.startswith("waiting for another process") for line in worker.stderr)
    counts = [worker.communicate()[0].split() for worker in workers]
    assert sorted(counts) == [["200", "0", "0"], ["200", "0", "0"], ["200", "200", "200"]]


def test_each_list_of_a_folder_s_files_has_its_own_scan(images, monkeypatch):
    """For example a training and a validation list: scanning one does not invalidate the other."""
    decoded = count_decoded(monkeypatch)
    lists = [[str(images / f"{i:03d}.JPEG") for i in range(start, 200, 2)] for start in (0, 1)]
    for _ in range(2):
        for paths in lists:
            assert [str(images / name) for name in names(scan.listed_images(images, paths))] == paths
    assert len(decoded) == 200


def test_files_that_are_not_regular_are_left_out_without_blocking(images, capsys):
    (images / "007.JPEG").unlink()
    os.mkfifo(images / "007.JPEG")
    assert len(scan.images_in(images, [""])) == 199
    assert "007.JPEG: is not a regular file\n" in capsys.readouterr().err
