"""Ensembles: averages, greedy choice, and two trained networks together."""

import numpy as np
import pytest

import keras_resnet
from keras_resnet import InputError, data, evaluation
from keras_resnet.evaluation import Ensemble, Scores, greedy, joint

pytestmark = pytest.mark.long


def scores_of(right, labels, classes=3):
    """Scores that are right with these confidences, where negative ones are for the next class."""
    probabilities = np.full((len(labels), classes), 0.01, "float32")
    for row, (label, value) in enumerate(zip(labels, right, strict=True)):
        probabilities[row, label if value > 0 else (label + 1) % classes] = abs(value)
    return Scores(probabilities, np.array(labels, "int32"))


LABELS = [0, 1, 2, 0, 1, 2]
MEMBERS = {
    "good": scores_of([0.9, 0.9, 0.9, 0.9, -0.6, -0.6], LABELS),
    "same": scores_of([0.9, 0.9, 0.9, 0.9, -0.6, -0.6], LABELS),
    "bad but different": scores_of([-0.5, -0.5, -0.5, -0.5, 0.9, 0.9], LABELS),
}


def test_the_average_is_right_where_the_surer_member_is():
    together = joint([MEMBERS["good"], MEMBERS["bad but different"]])
    np.testing.assert_allclose(together.probabilities[0], [0.455, 0.255, 0.01], atol=1e-6)
    assert together.error().wrong == 0


def test_greedy_choice_takes_what_helps_most():
    assert greedy(MEMBERS, 2, k=1) == ["good", "bad but different"]
    assert greedy(MEMBERS, 3, k=1) == ["good", "bad but different", "same"]
    with pytest.raises(InputError, match="4 members cannot be chosen from 3"):
        greedy(MEMBERS, 4)


def test_members_of_other_sizes_and_preprocessing(photo_folder, tmp_path):
    names = []
    for size, width in ((32, 1.0), (24, 0.5)):
        model = keras_resnet.ResNet20(blocks=(1, 1, 1), classes=2, input_shape=(size, size, 3), width=width)
        model.preprocessing = keras_resnet.Preprocessing(mean=[size] * 3, channels="BGR")
        model.save(tmp_path / f"{size}.keras")
        names.append(str(tmp_path / f"{size}.keras"))
    dataset = data.open_data(str(photo_folder))
    scores = Ensemble(names, keras_resnet.load_model).member_scores(dataset, dataset.validation)
    for name in names:
        alone = evaluation.score(keras_resnet.load_model(name), dataset.validation)
        np.testing.assert_allclose(scores[name].probabilities, alone.probabilities, atol=1e-6)
    assert joint(list(scores.values())).probabilities.shape == (4, 2)


def test_wrong_members_are_refused():
    with pytest.raises(InputError, match="needs at least one member"):
        Ensemble([], keras_resnet.load_model)
    with pytest.raises(InputError, match="takes each member once, not a, a"):
        Ensemble(["a", "a"], keras_resnet.load_model)


def test_trained_networks_alone_and_together(real_data):
    dataset = data.open_data("cifar10", real_data("tfds"))
    weights = real_data("cifar10_weights")
    names = [f"ResNet20:{weights / 'resnet20-12fca82f.th'}", f"ResNet56:{weights / 'resnet56-4bfd9763.th'}"]
    scores = Ensemble(names, keras_resnet.load_model, batch_size=250).member_scores(dataset, dataset.test)
    assert [score.error().wrong for score in scores.values()] == [85, 74]  # PyTorch has 915 and 926 right
    logits = np.load(weights / "logits_test1000.npz")
    exponents = [np.exp(logits[key] - logits[key].max(axis=1, keepdims=True)) for key in ("resnet20", "resnet56")]
    mean = sum(values / values.sum(axis=1, keepdims=True) for values in exponents) / 2
    assert joint(list(scores.values())).error().wrong == (mean.argmax(axis=1) != logits["labels"]).sum()
