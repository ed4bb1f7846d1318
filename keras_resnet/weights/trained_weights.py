"""Weights of any origin as arrays by canonical name, with what they need and where they come from."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from keras_resnet.errors import InputError
from keras_resnet.specs import SPECS, NetSpec
from keras_resnet.structure import CLASSIFIER_KERNEL, FIRST_KERNEL, STAGES, is_classifier, read_name, structure_of
from keras_resnet.weights import array_file, description, keras_file, keras_names, torch_names, values
from keras_resnet.weights.file_bounds import check_file, expanded, reading, shown, suffix_of
from keras_resnet.weights.known import origin
from keras_resnet.weights.named import assign_arrays, check_fit, named_arrays
from keras_resnet.weights.preprocessing import Preprocessing
from keras_resnet.weights.torch_file import read_torch_file
from keras_resnet.weights.values import WAY_OUT


@dataclass(frozen=True)
class TrainedWeights:
    """What a weight file, or a live model, holds.

    Fields:
        name: the file, for messages.
        arrays: values by canonical name, in Keras' layouts.
        names: canonical name to the file's own key.
        needs: spec fields without which the arrays fit and give other outputs, such as ``zero_channels``.
        preprocessing: what the weights expect of their inputs.
        source, licence: where they come from, and their terms; None where nothing says so.
        class_names: names of the scores, where the file has them.
        input_shape: of the network they were saved from, where the file has it.
        own_spec: that network's whole spec, where the file has it.
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
        """Scores of the classifier; None without one."""
        kernel = self.arrays.get(CLASSIFIER_KERNEL)
        return kernel.shape[-1] if kernel is not None and kernel.ndim else None

    @property
    def channels(self) -> int | None:
        """Channels of the images the first convolution reads; None without one."""
        kernel = self.arrays.get(FIRST_KERNEL)
        return kernel.shape[2] if kernel is not None and kernel.ndim == 4 else None

    @property
    def spec(self) -> NetSpec:
        """The network the weights are of: its own, or the row of ``SPECS`` with as many blocks.

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
            f"{self.name} has {block} blocks {blocks or 'of no stage'}, which is none of the named networks: name the "
            "network it is of."
        )

    def check_spec(self, spec: NetSpec) -> None:
        """Raise :class:`InputError` naming the field and both values where ``spec`` conflicts with ``needs``.

        Another epsilon is no conflict: the moving variances take up the difference.
        """
        for key, needed in self.needs.items():
            given = getattr(spec, key)
            if key == "bn_epsilon" or given == needed or (key == "stride_in" and spec.block == "basic"):
                continue
            raise InputError(
                f"{self.name} needs {key}={needed!r}, and the {spec.name} asked for has {key}={given!r}: leave the "
                "field unset, or choose other weights."
            )

    def check_fit(self, model) -> None:
        """Raise :class:`InputError` unless these are all the weights of ``model``, which may have no memory yet."""
        check_fit(model, self.arrays, self.name, self.names, self._spare(model))

    def assign_to(self, model) -> None:
        """Set all weights of ``model``, and what it remembers of them; an error changes nothing."""
        arrays, spare = self._at_epsilon(model.spec.bn_epsilon), self._spare(model)
        assign_arrays(model, arrays, self.name, self.names, spare)
        for key in ("preprocessing", "source", "licence"):
            setattr(model, key, getattr(self, key))
        model.class_names = None if spare else self.class_names

    def _spare(self, model) -> list[str]:
        """The weights that ``model`` need not have; raises :class:`InputError` for a classifier of other classes."""
        spare = [name for name in self.arrays if is_classifier(name)]
        top = structure_of(model).classifier
        if top and self.classes not in (None, model.output_shape[-1]):
            wanted = model.output_shape[-1]
            raise InputError(
                f"{self.name} does not fit {model.name}: {self.names[CLASSIFIER_KERNEL]} is for {self.classes} "
                f"classes, {self.arrays[CLASSIFIER_KERNEL].shape} in the file and "
                f"{(top.kernel.shape[0], wanted)} in the network of {wanted}: give "
                f"classes={self.classes}, and then replace_classifier(model, {wanted}) for a new, untrained classifier."
            )
        return [] if top else spare

    def _at_epsilon(self, epsilon: float) -> dict[str, np.ndarray]:
        """The arrays for another epsilon: variance + epsilon, and so every output, stays the same."""
        shift = self.needs.get("bn_epsilon", epsilon) - epsilon
        if shift == 0:
            return self.arrays
        shifted = dict(self.arrays)
        for name, array in self.arrays.items():
            if values.weight_of(name) == "moving_variance":
                shifted[name] = (array.astype(np.float64) + shift).astype(array.dtype)
        return shifted


def from_model(model) -> TrainedWeights:
    """The weights of a live model: a network of this package, or a ResNet50, 101 or 152 of keras.applications."""
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
    """Raise :class:`InputError` for weights that fit networks of several outputs, and do not say of which they are."""
    if not fields["needs"]:
        raise InputError(
            f"{source} does not say what network its weights are of: build that network, set them with "
            "model.load_weights or weights.assign_arrays, and write it with keras_resnet.weights.write."
        )


def _own_or(content, found, source: str, convert: Callable[[object, str], dict]) -> dict:
    """Fields from a file's content and its description; without one, of a file of another program."""
    fields = convert(content, source)
    if found.get("spec"):
        described = description.parse(found) | {"input_shape": description.input_shape(found)}
        fields["own_spec"] = described.pop("spec")
        fields["needs"] = description.needs_of(fields["own_spec"])
        fields |= described
    _check_described(fields, source)
    return fields


def _npz(arrays: dict) -> dict:
    return {"arrays": arrays, "names": {name: name for name in arrays}, "needs": {}, "twice": []}


READERS = {  # suffix: file to (content, description), content to fields
    **{suffix: (load, keras_names.convert) for suffix, load in keras_file.READERS.items()},
    ".safetensors": (array_file.read_safetensors, torch_names.convert),
    ".npz": (array_file.read_npz, lambda arrays, source: _npz(arrays)),
    **dict.fromkeys((".th", ".pth", ".pt"), (lambda path: (read_torch_file(path), {}), torch_names.convert)),
}


def read(path, check_values: bool = True) -> TrainedWeights:
    """Read a weight file without running code it may bring, or taking more memory than a file of its size needs.

    Args:
        path: the file, whose suffix says how it is read.
        check_values: refuse what no trained network has: NaN, infinite numbers, numbers beyond float32, negative
            variances, two keys for one weight, of which the second counts.

    Raises:
        InputError: the file cannot be read, or is refused; it names the first weight that is wrong.
    """
    path = expanded(path)
    load, convert = READERS[suffix_of(path, READERS)]
    check_file(path, "weight file", f"give the path of a {', '.join(READERS)} file")
    content, found = load(path)
    with reading(path, "describes its network in a way this version does not know"):
        fields = _own_or(content, found, path.name, convert)
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
