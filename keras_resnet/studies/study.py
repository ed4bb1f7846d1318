"""What a study is: arms that differ in one thing, and which of them are compared."""

from dataclasses import dataclass, field

import keras_resnet
from keras_resnet.specs import change_spec, find_spec, parse_changes

MEASURES = {"train_error": "training error", "val_error": "validation error"}


@dataclass(frozen=True)
class Arm:
    """One of the things that are compared.

    Fields:
        name: as tables and ``--arms`` have it.
        model: a network of ``SPECS``.
        change: fields of its spec, as ``--change`` takes them.
        settings: other settings of the CIFAR-10 protocol.
        paper: the paper's test error in percent, if it has one.
    """

    name: str
    model: str
    change: tuple[str, ...] = ()
    settings: dict = field(default_factory=dict)
    paper: float | None = None

    def cost(self, image_size: int | None = None) -> dict[str, int]:
        """``parameters``, trainable ones, and ``multiply_adds`` of one image of so many pixels, or of the paper's."""
        spec = change_spec(find_spec(self.model), **parse_changes(self.change))
        model = keras_resnet.build(spec, input_shape=(image_size, image_size, 3) if image_size else None)
        parameters = sum(int(v.value.shape.num_elements()) for v in model.trainable_variables)
        return {"parameters": parameters, "multiply_adds": keras_resnet.analysis.multiply_adds(model)}


@dataclass(frozen=True)
class Study:
    """What is asked, and of which networks.

    Fields:
        name: of its folder.
        question: what it answers, in one sentence.
        arms: what is trained.
        pairs: names of arms to compare, (first, second): is the first one's error lower or higher?
        measure: the error that is compared: ``"val_error"`` of the held-out images, or ``"train_error"``, the mean
            over the last tenth of the steps, augmented images, as Fig. 6 draws it.
        seeds: how many runs of each arm, by default.
        costed: more networks whose parameters and multiply-adds belong to the answer and that are not trained here.
        pocket: what ``StudySettings`` leave out under the pocket protocol, where that is not the protocol's own.
    """

    name: str
    question: str
    arms: tuple[Arm, ...]
    pairs: tuple[tuple[str, str], ...]
    measure: str = "val_error"
    seeds: int = 3
    costed: tuple[Arm, ...] = ()
    pocket: dict = field(default_factory=dict)
