"""Weight files from strangers."""

import os
import random
import runpy
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import hostile_archives as archives
import hostile_layers as layers
import hostile_models as models
import hostile_torch as torch
import numpy as np
from PIL import Image
from watching import Case, StateChanged

import keras_resnet
import keras_resnet.data
import keras_resnet.deployment
import keras_resnet.evaluation
import keras_resnet.plots
from keras_resnet import weights
from keras_resnet.detection import backbone

PROMISE = "refused with a sentence and the network as it was, or loaded"
TOOLS = Path(__file__).parents[2] / "tools"
EVERY = (".npz", ".safetensors", ".keras", ".weights.h5", ".h5", ".pth", ".th")


def _file(folder) -> str:
    (weights,) = [path for path in folder.iterdir() if path.name.startswith("w")]
    return str(weights)


def read(folder) -> None:
    """Load the file into a network, which must be unchanged if the file is refused."""
    network = archives.tiny()
    _unchanged(network, lambda: weights.read(_file(folder)).assign_to(network))


def load_weights(folder) -> None:
    """The same with the network's own method."""
    network = archives.tiny()
    _unchanged(network, lambda: network.load_weights(_file(folder)))


def _unchanged(network, load) -> None:
    before = [np.asarray(weight) for weight in network.weights]
    try:
        load()
    except BaseException:
        if not all(np.array_equal(a, np.asarray(b)) for a, b in zip(before, network.weights, strict=True)):
            raise StateChanged("a refused file changed the network") from None
        raise


def build(folder) -> None:
    keras_resnet.ResNet18(weights=_file(folder))


def load(folder) -> None:
    keras_resnet.load_model(_file(folder))


def vgg16(folder) -> None:
    """Load the file as the weights of a detector's VGG-16, which it does not hold."""
    backbone.vgg16(_file(folder))


def _tool(name: str, *arguments: str):
    def use(folder):
        file = _file(folder)
        sys.argv = [name, *(file if argument == "FILE" else argument for argument in arguments)]
        runpy.run_path(str(TOOLS / f"{name}.py"), run_name="__main__")

    use.__name__ = name
    return use


def photos(folder) -> None:
    """Write a data set of two classes, which the tools need."""
    for label, part in enumerate(("train", "val") * 2):
        photo = folder / "photos" / part / f"class{label // 2}" / "0.png"
        photo.parent.mkdir(parents=True)
        Image.fromarray(np.full((16, 16, 3), 60 * label, np.uint8)).save(photo)


PHOTO = "photos/val/class0/0.png"
classify = _tool("classify", PHOTO, "--top", "1", "--model", "FILE")
evaluate = _tool("evaluate", "--model", "FILE", "--data", "photos")
export = _tool("export", "--model", "FILE", "--data", "photos", "--out", "out", "--formats", "saved-model")
convert = _tool("convert_weights", "FILE", "out.npz")
USES = (read, load, build, vgg16, classify, evaluate, export, convert)


@dataclass(frozen=True)
class Kind:
    """Files that are wrong in one way.

    Fields:
        make: writes ``w<suffix>`` into a folder, given a value, the suffix and, where it is drawn, a random source.
        values: what is wrong, by name.
        must: "refused" where only that is right.
        drawn: whether each drawing makes another file.
    """

    make: object
    values: tuple
    suffixes: tuple[str, ...]
    uses: tuple = USES
    must: str | None = None
    drawn: bool = False


def damaged(folder, value, suffix, draw) -> None:
    """A valid weight file that is cut, overwritten or altered at random."""
    models.values(folder, "NaN", suffix) if suffix in (".pth", ".th") else _whole(folder, suffix)
    path = folder / f"w{suffix}"
    content = bytearray(path.read_bytes())
    if value == "cut":
        del content[int(draw.random() * len(content)) :]
    elif value == "without its beginning":
        del content[: 1 + int(draw.random() * 200)]
    elif value == "zeros":
        first = int(draw.random() * len(content))
        content[first : first + 1000] = bytes(len(content[first : first + 1000]))
    elif value == "noise":
        content = draw.randbytes(int(10 ** (5 * draw.random())))
    elif value == "twice":
        content += bytes(content)
    else:
        for _ in range(draw.choice((1, 3, 20))):  # mostly in the structure of the file
            content[int(draw.random() ** 4 * len(content))] = draw.randrange(256)
    path.write_bytes(content)


def _whole(folder, suffix) -> None:
    model = archives.tiny()
    model.save(folder / "w.h5") if suffix == ".h5" else weights.write(model, folder / f"w{suffix}")


def foreign(folder, value, suffix) -> None:
    """Another kind of file by this name."""
    _whole(folder, value)
    (folder / f"w{value}").rename(folder / f"w{suffix}")


UNREADABLE = {
    "closed": lambda path: (path.write_bytes(b"x"), path.chmod(0)),
    "failing": lambda path: path.symlink_to("/proc/self/mem"),
    "a dangling link": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a folder": lambda path: path.mkdir(),
    "a pipe": lambda path: os.mkfifo(path),
    "a socket": lambda path: socket.socket(socket.AF_UNIX).bind(path.name),
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "endless": lambda path: path.symlink_to("/dev/full"),
    "empty": lambda path: path.write_bytes(b""),
    "a sparse TiB": lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_WRONLY), 2**40),
}


def unreadable(folder, value, suffix) -> None:
    UNREADABLE[value](folder / f"w{suffix}")


PRINTING = (classify, evaluate)  # these print numbers
KINDS = {
    "pickle": Kind(torch.pickled, tuple(torch.PICKLES), (".pth", ".th"), (read, load, classify, build), "refused"),
    "packed": Kind(torch.packed, tuple(torch.PACKED), (".pth",), (read, load), "refused"),
    "npy": Kind(archives.npy, tuple(archives.NPY), (".npz",), (read, load, evaluate), "refused"),
    "npz bomb": Kind(archives.npz_bomb, tuple(archives.NPZ_BOMBS), (".npz",), (read, load), "refused"),
    "liar": Kind(archives.liar, (2**22, 2**28), (".npz", ".keras"), (read, load), "refused"),
    "hdf5": Kind(
        archives.hdf5,
        tuple(archives.HDF5),
        (".weights.h5", ".keras", ".h5"),
        (load, read, load_weights, vgg16),
        "refused",
    ),
    "config": Kind(models.configs, tuple(models.CONFIGS), (".keras",), (load, classify, convert, load)),
    "layer": Kind(layers.unusual, tuple(layers.LAYERS), (".keras",), (load, classify, export, convert), "refused"),
    "member": Kind(models.members, models.MEMBERS, (".keras",), (load, read, export, vgg16)),
    "description": Kind(models.descriptions, tuple(models.DESCRIPTIONS), models.OWN, (load, classify, read, convert)),
    "values": Kind(models.values, tuple(models.VALUES), EVERY, (classify, load, evaluate, read, convert), "refused"),
    "types": Kind(models.types, tuple(models.TYPES), (".npz", ".weights.h5", ".keras"), (read, load, load), "refused"),
    "twice": Kind(models.twice, ("conv1.weight", "bn", "fc.bias"), (".pth", ".safetensors", ".th"), must="refused"),
    "unreadable": Kind(unreadable, tuple(UNREADABLE), EVERY, must="refused"),
    "damaged": Kind(damaged, ("cut", "altered", "zeros", "without its beginning", "noise", "twice"), EVERY, drawn=True),
    "foreign": Kind(foreign, (".npz", ".keras", ".safetensors", ".h5"), EVERY),
}


def cases(seed: int, count: int) -> list[Case]:
    """At least ``count`` cases, evenly from all kinds, or fewer if there are not enough."""
    by_name: dict[str, Case] = {}
    for number in range(10 * count):
        for name, kind in KINDS.items():
            case = _case(seed, number, name, kind)
            by_name.setdefault(case.name, case)
        if len(by_name) >= count:
            break
    return list(by_name.values())


def _case(seed: int, number: int, name: str, kind: Kind) -> Case:
    draw = random.Random(f"{seed} {number} {name}")
    shift = random.Random(f"{seed} {name}").randrange(1000)
    value = kind.values[(number + shift) % len(kind.values)]
    turn = (number + shift) // len(kind.values) + number + shift
    suffix, use = kind.suffixes[turn % len(kind.suffixes)], kind.uses[(turn // 2 + number) % len(kind.uses)]
    shown = value if isinstance(value, str) else repr(value)
    called = f"{name}: {ascii(shown)[:70]}, {suffix}, by {use.__name__}" + f", drawing {number}" * kind.drawn

    def prepare(folder):
        kind.make(folder, value, suffix, *([draw] if kind.drawn else []))
        photos(folder)

    return Case(called, prepare, use, must=kind.must)
