"""torchvision's and timm's networks, written here with torch's own layers: our outputs equal theirs."""

import numpy as np
import pytest
from weights.torch_writer import write_torch

import keras_resnet
from keras_resnet import InputError, weights
from keras_resnet.specs import SPECS, change_spec
from keras_resnet.weights import named_arrays
from keras_resnet.weights.torch_names import torch_layout, torchvision_key

DEPTHS = (18, 34, 50, 101, 152)


def torchvision_network(depth):
    """torchvision.models.resnet's structure and names, with random weights and normalizations, in evaluation mode."""
    import torch
    from torch import nn
    from torch_networks import TorchNetwork

    torch.manual_seed(0)
    network = TorchNetwork(change_spec(SPECS[f"ResNet{depth}"], stride_in="3x3"), 1000)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
            nn.init.normal_(module.running_mean, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval()


@pytest.mark.peers
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("depth", DEPTHS)
def test_outputs_are_pytorch_s(depth, suffix, rng, tmp_path):
    torch = pytest.importorskip("torch")
    import safetensors.torch

    network = torchvision_network(depth)
    path = tmp_path / f"w{suffix}"
    if suffix == ".pth":
        torch.save(network.state_dict(), path)
    else:
        safetensors.torch.save_file(network.state_dict(), path)
    images = rng.uniform(0, 255, (2, 64, 64, 3)).astype("float32")
    scaled = (images / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    with torch.no_grad():
        expected = network(torch.tensor(scaled.transpose(0, 3, 1, 2), dtype=torch.float32)).numpy()
    ours = getattr(keras_resnet, f"ResNet{depth}")(weights=path, input_shape=(64, 64, 3), classifier_activation=None)
    got = ours(keras_resnet.preprocess_input(images, ours)).numpy()
    difference = np.abs(got - expected).max() / np.ptp(expected)
    print(f"ResNet{depth}{suffix}: {difference:.1e}")
    assert difference < 1e-4


@pytest.mark.peers
def test_what_we_write_is_what_pytorch_reads(rng, tmp_path):
    torch = pytest.importorskip("torch")
    import safetensors.torch

    source, target = torchvision_network(18), torchvision_network(18)
    torch.save(source.state_dict(), tmp_path / "w.pth")
    weights.write(keras_resnet.load_model(tmp_path / "w.pth"), tmp_path / "w.safetensors")
    for parameter in target.parameters():
        torch.nn.init.zeros_(parameter)
    target.load_state_dict(safetensors.torch.load_file(tmp_path / "w.safetensors"))
    assert all(torch.equal(a, b) for a, b in zip(source.parameters(), target.parameters(), strict=True))
    images = torch.tensor(rng.normal(size=(1, 3, 64, 64)), dtype=torch.float32)
    with torch.no_grad():
        assert torch.equal(source(images), target(images))


def state_of(model):
    """torchvision's state dict of one of our networks."""
    arrays = named_arrays(model)
    return {torchvision_key(name): torch_layout(array) for name, array in arrays.items()}


@pytest.fixture(scope="module")
def state50():
    return state_of(keras_resnet.ResNet50(classes=5, width=0.25))


@pytest.mark.long
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_a_state_dict_strides_in_the_3x3_and_has_torch_s_preprocessing(wrapper, state50, tmp_path, monkeypatch):
    state = state50
    write_torch(tmp_path / "w.pth", {wrapper: state} if wrapper else state, monkeypatch, legacy=False)
    held = weights.read(tmp_path / "w.pth")
    assert (held.spec.name, held.spec.stride_in, held.spec.shortcut, held.classes) == ("ResNet50", "3x3", "B", 5)
    assert (held.preprocessing.channels, held.preprocessing.crop) == ("RGB", 7 / 8)
    with pytest.raises(InputError, match="needs stride_in='3x3', but the requested ResNet50 has stride_in='1x1'"):
        keras_resnet.ResNet50(weights=held, stride_in="1x1", classes=5)


@pytest.mark.long
def test_relatives_of_other_shapes_are_refused(tmp_path, monkeypatch):
    state = state_of(keras_resnet.ResNet18(classes=5))
    grouped = state | {"layer1.0.conv1.weight": state["layer1.0.conv1.weight"][:, :2]}
    write_torch(tmp_path / "grouped.pth", grouped, monkeypatch, legacy=False)
    with pytest.raises(InputError, match=r"grouped.pth does not fit ResNet18: layer1.0.conv1.weight .*\(3, 3, 2, 64\)"):
        keras_resnet.load_model(tmp_path / "grouped.pth")
    deep_stem = {**state, "conv1.0.weight": state["conv1.weight"]}
    write_torch(tmp_path / "deep.pth", deep_stem, monkeypatch, legacy=False)
    with pytest.raises(InputError, match=r"deep.pth has the key 'conv1.0.weight' .* no ResNet here has"):
        weights.read(tmp_path / "deep.pth")
