"""The description of a study: arms that differ in one respect, and which of them are compared."""

import math
from dataclasses import dataclass, field

import keras_resnet
from keras_resnet.specs import change_spec, find_spec, parse_changes

MEASURES = {"train_error": "training error", "val_error": "validation error"}


@dataclass(frozen=True)
class Arm:
    """A network and its training, one of those that are compared.

    Fields:
        name: its name in tables and in ``--arms``.
        model: a network of ``SPECS``.
        change: changes to its spec, in the form of ``--change``.
        settings: other settings of the CIFAR-10 protocol.
        paper: the paper's test error in percent, if there is one.
    """

    name: str
    model: str
    change: tuple[str, ...] = ()
    settings: dict = field(default_factory=dict)
    paper: float | None = None

    def cost(self, image_size: int | None = None) -> dict[str, int]:
        """Trainable ``parameters``, and ``multiply_adds`` for one image of this side, or of the paper's size."""
        spec = change_spec(find_spec(self.model), **parse_changes(self.change))
        with keras_resnet.analysis.shapes_alone():
            model = keras_resnet.build(spec, input_shape=(image_size, image_size, 3) if image_size else None)
        parameters = sum(math.prod(variable.shape) for variable in model.trainable_variables)
        return {"parameters": parameters, "multiply_adds": keras_resnet.analysis.multiply_adds(model)}


@dataclass(frozen=True)
class Study:
    """A question, and the networks that answer it.

    Fields:
        name: of its folder.
        question: the question, in one sentence.
        arms: what is trained.
        pairs: names of arms to compare, (first, second): is the first one's error lower or higher?
        measure: the error that is compared: ``"val_error"`` on held-out images, or ``"train_error"``, the mean over the
            last tenth of the steps on augmented images, as in Fig. 6.
        seeds: the default number of runs of each arm.
        costed: networks that are not trained, but whose parameters and multiply-adds are part of the answer.
        pocket: settings under the pocket protocol that replace those of the protocol.
    """

    name: str
    question: str
    arms: tuple[Arm, ...]
    pairs: tuple[tuple[str, str], ...]
    measure: str = "val_error"
    seeds: int = 3
    costed: tuple[Arm, ...] = ()
    pocket: dict = field(default_factory=dict)
