"""Published weights: downloads, their hashes, and the message without a network."""

import functools
import hashlib
import http.server
import inspect
import threading

import numpy as np
import pytest

import keras_resnet
from keras_resnet import InputError, weights
from keras_resnet.weights import known


def test_hashes_are_keras_applications_own():
    from keras.src.applications.resnet import BASE_WEIGHTS_PATH, WEIGHTS_HASHES

    for depth in (50, 101, 152):
        published = known.IMAGENET[f"ResNet{depth}"]
        assert published.digest == WEIGHTS_HASHES[f"resnet{depth}"][0]
        assert published.url == f"{BASE_WEIGHTS_PATH}resnet{depth}_weights_tf_dim_ordering_tf_kernels.h5"
    from keras.src.applications import vgg16

    published = known.IMAGENET["VGG16"]
    assert published.url == vgg16.WEIGHTS_PATH
    assert f'file_hash="{published.digest}"' in inspect.getsource(vgg16.VGG16)


@pytest.fixture
def server(tmp_path):
    """The address of a web server for ``tmp_path``."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture
def own_downloads(tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path / "home"))


def test_a_download_is_checked_loaded_and_named(server, tmp_path, monkeypatch, capsys, own_downloads):
    name = f"test-{tmp_path.name}.weights.h5"
    weights.write(keras_resnet.ResNet18(blocks=(1, 1, 1, 1), width=0.25), tmp_path / name)
    digest = hashlib.md5((tmp_path / name).read_bytes()).hexdigest()
    monkeypatch.setitem(known.IMAGENET, "ResNet18", known.Published(f"{server}/{name}", "CC0", "md5", digest))
    path = known.fetch("ResNet18")
    assert path.is_relative_to(tmp_path / "home")
    assert path.read_bytes() == (tmp_path / name).read_bytes()
    assert "checked by its published md5, CC0" in capsys.readouterr().out


def test_a_download_of_another_hash_is_refused(server, tmp_path, monkeypatch, own_downloads):
    name = f"test-{tmp_path.name}.npz"
    np.savez(tmp_path / name, x=1)
    monkeypatch.setitem(known.IMAGENET, "ResNet18", known.Published(f"{server}/{name}", "CC0", "md5", "0" * 32))
    with pytest.raises(InputError, match=f"{name} could not be downloaded"):
        keras_resnet.ResNet18(weights="imagenet")


def test_without_a_network_the_url_and_the_way_out_are_named(monkeypatch):
    url = "http://127.0.0.1:9/resnet50.h5"  # nothing listens there
    monkeypatch.setitem(known.IMAGENET, "ResNet50", known.Published(url, "MIT", "md5", "0" * 32))
    with pytest.raises(InputError, match=rf'{url} could not be downloaded .*ResNet50\(weights="resnet50.h5"\)'):
        keras_resnet.ResNet50(weights="imagenet")
    with pytest.raises(InputError, match="There are no ImageNet weights for PlainNet18, only for ResNet18, ResNet34"):
        keras_resnet.PlainNet18(weights="imagenet")


def test_a_known_file_brings_its_source_and_licence(real_data):
    held = weights.read(real_data("cifar10_weights/resnet20-12fca82f.th"))
    assert held.licence == "BSD-2-Clause"
    assert held.source.endswith("pytorch_resnet_cifar10/raw/master/pretrained_models/resnet20-12fca82f.th")


def test_an_unknown_file_is_named_by_its_hash(tmp_path):
    np.savez(tmp_path / "w.npz", x=1)
    digest = hashlib.sha256((tmp_path / "w.npz").read_bytes()).hexdigest()
    assert known.origin(tmp_path / "w.npz") == (f"w.npz, sha256 {digest[:16]}", None)
