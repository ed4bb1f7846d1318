"""Weights from any source as arrays by canonical name, with their preprocessing, source and licence."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.specs import SPECS, NetSpec
from keras_resnet.structure import CLASSIFIER_KERNEL, FIRST_KERNEL, STAGES, is_classifier, read_name, structure_of
from keras_resnet.weights import array_file, description, keras_file, keras_names, torch_names, values
from keras_resnet.weights.file_bounds import check_file, expanded, reading, shown, suffix_of
from keras_resnet.weights.known import origin
from keras_resnet.weights.named import check_fit, named_arrays, set_arrays
from keras_resnet.weights.preprocessing import Preprocessing
from keras_resnet.weights.torch_file import read_torch_file
from keras_resnet.weights.values import WAY_OUT

if TYPE_CHECKING:
    import keras

    from keras_resnet.network import Network

Load: TypeAlias = Callable[[Path], tuple[Any, dict]]
Convert: TypeAlias = Callable[[Any, str], dict[str, Any]]


@dataclass(frozen=True)
class TrainedWeights:
    """The weights in a file or model, and the data that belongs to them.

    Fields:
        name: the file's or model's name, for messages.
        arrays: values by canonical name, in Keras' layouts.
        names: the file's own key for each canonical name.
        needs: spec fields that the network must have, such as ``zero_channels``: with another value the arrays might
            fit, but the outputs would differ.
        preprocessing: the preprocessing that the weights expect; None if it is not known.
        source, licence: where the weights come from, and the terms of their use; None if not known.
        class_names: names of the scores; None if the file has none.
        input_shape: the input shape of the network they were saved from; None if the file does not state it.
        own_spec: the spec of that network; None if the file does not state it.
    """

    name: str
    arrays: dict[str, np.ndarray]
    names: dict[str, str]
    needs: dict[str, Any]
    preprocessing: Preprocessing | None = None
    source: str | None = None
    licence: str | None = None
    class_names: tuple[str, ...] | None = None
    input_shape: tuple | None = None
    own_spec: NetSpec | None = field(default=None, repr=False)

    @property
    def classes(self) -> int | None:
        """The classifier's number of outputs; None if there is no classifier."""
        kernel = self.arrays.get(CLASSIFIER_KERNEL)
        return kernel.shape[-1] if kernel is not None and kernel.ndim else None

    @property
    def channels(self) -> int | None:
        """The channels of the images that the first convolution reads; None if there is no such convolution."""
        kernel = self.arrays.get(FIRST_KERNEL)
        return kernel.shape[2] if kernel is not None and kernel.ndim == 4 else None

    @property
    def spec(self) -> NetSpec:
        """The spec of the weights' network: ``own_spec``, or the row of ``SPECS`` with as many blocks.

        Raises:
            InputError: there is no such row.
        """
        if self.own_spec:
            return self.own_spec
        names = [name for name in map(read_name, self.arrays) if name]
        counts = Counter(stage for stage, block in {(name.stage, name.block) for name in names} if block)
        blocks = tuple(counts[stage] for stage in STAGES if counts[stage])
        block = "bottleneck" if any(name.position == "3" for name in names) else "basic"
        for spec in SPECS.values():
            if spec.residual and (spec.blocks, spec.block) == (blocks, block):
                return replace(spec, **self.needs)
        raise InputError(
            f"{self.name} has {block} blocks {blocks or 'in no stage'}, unlike any of the named networks: name the "
            "network of these weights."
        )

    def check_spec(self, spec: NetSpec) -> None:
        """Raise :class:`InputError`, which names the field and both values, if ``spec`` conflicts with ``needs``.

        Another epsilon is not a conflict, since the moving variances can make up for the difference.
        """
        for key, needed in self.needs.items():
            value = getattr(spec, key)
            if key == "bn_epsilon" or value == needed or (key == "stride_in" and spec.block == "basic"):
                continue
            raise InputError(
                f"{self.name} needs {key}={needed!r}, but the requested {spec.name} has {key}={value!r}: leave the "
                "field unset, or choose other weights."
            )

    def check_fit(self, model: "keras.Model") -> None:
        """Raise :class:`InputError` unless these are all weights of ``model``, whose variables may be unallocated."""
        check_fit(model, self.arrays, self.name, self.names, self._spare(model))

    def assign_to(self, model: "Network") -> None:
        """Set all weights of ``model`` and the attributes that belong to them; after an error it is unchanged."""
        arrays, spare = self._at_epsilon(model.spec.bn_epsilon), self._spare(model)
        check_fit(model, arrays, self.name, self.names, spare)
        set_arrays(model, arrays)
        for key in ("preprocessing", "source", "licence"):
            setattr(model, key, getattr(self, key))
        model.class_names = None if spare else self.class_names

    def _spare(self, model) -> list[str]:
        """The weights that ``model`` need not have; raises :class:`InputError` if its classifier has other classes."""
        spare = [name for name in self.arrays if is_classifier(name)]
        top, outputs = structure_of(model).classifier, model.output_shape[-1]
        if top and self.classes not in (None, outputs):
            raise InputError(
                f"{self.name} does not fit {model.name}: {self.names[CLASSIFIER_KERNEL]} is for {self.classes} "
                f"classes, {self.arrays[CLASSIFIER_KERNEL].shape} in the file and "
                f"{(top.kernel.shape[0], outputs)} in the network of {outputs}: give "
                f"classes={self.classes}, and then replace_classifier(model, {outputs}) for a new random classifier."
            )
        return [] if top else spare

    def _at_epsilon(self, epsilon: float) -> dict[str, np.ndarray]:
        """The arrays for another epsilon: variance + epsilon, and therefore every output, is the same."""
        shift = self.needs.get("bn_epsilon", epsilon) - epsilon
        if shift == 0:
            return self.arrays
        shifted = dict(self.arrays)
        for name, array in self.arrays.items():
            if values.weight_of(name) == "moving_variance":
                shifted[name] = (array.astype(np.float64) + shift).astype(array.dtype)
        return shifted


def from_model(model: "keras.Model") -> TrainedWeights:
    """The weights of a model: a network of this package, or ResNet50, 101 or 152 of keras.applications."""
    if getattr(model, "spec", None) is not None:
        arrays, needs = named_arrays(model), description.needs_of(model.spec)
        described = model.described()
        described["own_spec"] = described.pop("spec")
        same = {name: name for name in arrays}
        return TrainedWeights(model.name, arrays, same, needs, input_shape=model.input_shape[1:], **described)
    converted = keras_names.convert(keras_names.layers_of(model), model.name)
    del converted["twice"]
    _check_described(converted, model.name)
    return TrainedWeights(model.name, source=f"keras model {model.name}", **converted)


def _check_described(fields, source: str) -> None:
    """Raise :class:`InputError` if networks with other outputs could have these weights, and nothing says which."""
    if not fields["needs"]:
        raise InputError(
            f"{source} does not say which network its weights belong to: build that network, set them with "
            "model.load_weights or weights.assign_arrays, and write it with keras_resnet.weights.write."
        )


def _fields(content, stored: dict, source: str, convert: Convert) -> dict:
    """Fields from a file's content and its ``stored`` description, which is empty in files of other programs."""
    fields = convert(content, source)
    if stored.get("spec"):
        described = description.parse(stored) | {"input_shape": description.input_shape(stored)}
        fields["own_spec"] = described.pop("spec")
        fields["needs"] = description.needs_of(fields["own_spec"])
        fields |= described
    _check_described(fields, source)
    return fields


def _npz(arrays: dict, source: str) -> dict:
    return {"arrays": arrays, "names": {name: name for name in arrays}, "needs": {}, "twice": []}


READERS: dict[str, tuple[Load, Convert]] = {  # by suffix: from file to (content, description), from content to fields
    **{suffix: (load, keras_names.convert) for suffix, load in keras_file.READERS.items()},
    ".safetensors": (array_file.read_safetensors, torch_names.convert),
    ".npz": (array_file.read_npz, _npz),
    **dict.fromkeys((".th", ".pth", ".pt"), (lambda path: (read_torch_file(path), {}), torch_names.convert)),
}


def read(path: str | Path, check_values: bool = True) -> TrainedWeights:
    """Read a weight file, without running code in it or taking more memory than a file of its size needs.

    Args:
        path: the file; its suffix decides how it is read.
        check_values: refuse values that no trained network has: NaN, infinite numbers, numbers beyond float32,
            negative variances, and two keys for one weight. If they are not refused, the second of two keys counts.

    Raises:
        InputError: the file cannot be read or is refused; the message names the first weight that is wrong.
    """
    path = expanded(path)
    load, convert = READERS[suffix_of(path, READERS)]
    check_file(path, "weight file", f"give the path of a {', '.join(READERS)} file")
    content, stored = load(path)
    with reading(path, "describes its network in a way that this version does not know"):
        fields = _fields(content, stored, path.name, convert)
        twice = fields.pop("twice")
        if check_values and twice:
            first, second = map(shown, twice[0])
            raise InputError(f"{path.name} has the same weight twice, as {first} and {second}: {WAY_OUT}.")
        if check_values:
            values.check_values(fields["arrays"], path.name, fields["needs"].get("bn_epsilon", 0.0), fields["names"])
    known_source, known_licence = origin(path)
    fields["source"] = fields.get("source") or known_source
    fields["licence"] = fields.get("licence") or known_licence
    return TrainedWeights(path.name, **fields)
