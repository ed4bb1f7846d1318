"""Published weight files: their addresses, hashes and licences."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import keras

from keras_resnet.errors import InputError
from keras_resnet.specs import VGG16

KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/"
TIMM = "https://huggingface.co/timm/"


@dataclass(frozen=True)
class Published:
    """A file, its licence, and its hash if its publisher states one.

    Fields:
        url: its address.
        licence: the terms of its use.
        algorithm: of the hash, ``"md5"`` or ``"sha256"``.
        digest: the hash in hexadecimal digits, or the first of them.
    """

    url: str
    licence: str
    algorithm: str | None = None
    digest: str | None = None

    @property
    def file(self) -> str:
        """The file's name in the download folder."""
        return self.url.removeprefix(TIMM).split("/")[0] + ".safetensors" if TIMM in self.url else Path(self.url).name


def _keras(depth: int, md5: str) -> Published:
    return Published(f"{KERAS}resnet/resnet{depth}_weights_tf_dim_ordering_tf_kernels.h5", "MIT", "md5", md5)


def _timm(depth: int) -> Published:
    return Published(f"{TIMM}resnet{depth}.tv_in1k/resolve/main/model.safetensors", "BSD-3-Clause")


def _akamaster(name: str) -> Published:
    url = f"https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/pretrained_models/{name}.th"
    return Published(url, "BSD-2-Clause", "sha256", name.split("-")[1])


VGG = f"{KERAS}vgg16/vgg16_weights_tf_dim_ordering_tf_kernels.h5"  # Oxford's weights
IMAGENET = {  # the hashes are keras.applications' own (its WEIGHTS_HASHES)
    "ResNet18": _timm(18),
    "ResNet34": _timm(34),
    "ResNet50": _keras(50, "2cb95161c43110f7111970584f804107"),
    "ResNet101": _keras(101, "f1aeb4b969a6efcfb50fad2f0c20cfc5"),
    "ResNet152": _keras(152, "100835be76be38e30d865e96f2aaae62"),
    VGG16: Published(VGG, "CC-BY-4.0", "md5", "64373286793e3c8b2b4e3219cbf3544b"),
}
KNOWN = [*IMAGENET.values(), _akamaster("resnet20-12fca82f"), _akamaster("resnet56-4bfd9763")]


def fetch(name: str) -> Path:
    """The file of ``weights="imagenet"`` for the network called ``name``, downloaded once to Keras' folder.

    Raises:
        InputError: there is no such file, or it cannot be downloaded; the message says how to pass a file instead.
    """
    if name not in IMAGENET:
        raise InputError(f"There are no ImageNet weights for {name}, only for {', '.join(IMAGENET)}: give a file.")
    published = IMAGENET[name]
    checked = f"checked by its published {published.algorithm}" if published.digest else "without a published hash"
    try:
        path = keras.utils.get_file(
            published.file, published.url, cache_subdir="models", file_hash=published.digest, hash_algorithm="auto"
        )
    except Exception as error:  # get_file raises a bare Exception whenever the network fails
        raise InputError(
            f"{published.url} could not be downloaded ({str(error).rstrip('.')}): get the file by other means and "
            f'give its path, {name}(weights="{Path(published.url).name}").'
        ) from error
    print(f"{name}: ImageNet weights from {published.url}, {checked}, {published.licence}", flush=True)
    return Path(path)


def origin(path: Path) -> tuple[str, str | None]:
    """The source of a file, and its licence if its hash is one of the published ones."""
    digests = {}
    for algorithm in ("md5", "sha256"):
        with open(path, "rb") as file:
            digests[algorithm] = hashlib.file_digest(file, algorithm).hexdigest()
    for published in KNOWN:
        if published.digest and digests[str(published.algorithm)].startswith(published.digest):
            return published.url, published.licence
    for published in IMAGENET.values():
        if not published.digest and path.name == published.file:
            return published.url, published.licence
    return f"{path.name}, sha256 {digests['sha256'][:16]}", None
