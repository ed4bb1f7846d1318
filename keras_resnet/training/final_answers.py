"""The answers of a trained network at the end of its run: by class, and its worst mistakes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_resnet import drawing
from keras_resnet.analysis.activation_maps import activation_map
from keras_resnet.evaluation.class_report import ClassReport
from keras_resnet.evaluation.scoring import Scores
from keras_resnet.network import Network
from keras_resnet.training.display.mistakes import WorstMistakes
from keras_resnet.training.stepping.training_model import TrainingModel, cross_entropy

EXPLAINED = 8  # mistakes
IN_A_ROW = 6  # pictures, three per mistake: the image, and its activation maps of the answer and of the label


@dataclass(frozen=True)
class Mistakes:
    """Wrong answers with the highest losses, worst first: preprocessed ``images``, int ``labels`` and ``answers``."""

    images: np.ndarray
    labels: np.ndarray
    answers: np.ndarray


@dataclass(frozen=True)
class FinalAnswers:
    """The answers for one part of the data, and the error rates in percent by the names of their metrics."""

    errors: dict[str, float]
    report: ClassReport
    mistakes: Mistakes


def answer_all(model: TrainingModel, batches: Iterable) -> tuple[dict[str, float], Scores, Mistakes]:
    """Error rates and answers in one pass over ``batches`` of (images, labels), on this worker alone."""

    @tf.function(input_signature=[tf.TensorSpec([None, *model.input_shape[1:]], tf.float32)], autograph=False)
    def forward(images):
        return model(images, training=False)

    worst = WorstMistakes(model.input_shape[1:])
    error_rates = [type(metric).from_config(metric.get_config()) for metric in model.train_metrics[1:]]
    probabilities, labels = [], []
    for images, batch_labels in batches:
        logits = forward(images)
        worst.update(images, batch_labels, logits, cross_entropy(batch_labels, logits))
        for metric in error_rates:
            metric.update_state(batch_labels, logits)
        probabilities.append(tf.nn.softmax(logits).numpy())
        labels.append(batch_labels.numpy())
    images, true, answers, _ = (values[:EXPLAINED] for values in worst.values(lambda variable: variable.numpy()))
    errors = {metric.name: float(metric.result()) for metric in error_rates}
    return errors, Scores(np.concatenate(probabilities), np.concatenate(labels)), Mistakes(images, true, answers)


def explained(network: Network, mistakes: Mistakes, classes: tuple[str, ...]) -> np.ndarray:
    """Each mistake beside its activation maps of the answer and of the label, uint8 ``[height, width, 3]``."""
    if not len(mistakes.images):
        return drawing.photo_grid([drawing.BLANK], ["all answers are right"], IN_A_ROW)
    for_answer = activation_map(network, mistakes.images, mistakes.answers)
    for_label = activation_map(network, mistakes.images, mistakes.labels)
    pictures, titles = [], []
    seen = np.clip(network.preprocessing.undo(mistakes.images), 0, 255).astype(np.uint8)
    for number, (label, answer) in enumerate(zip(mistakes.labels, mistakes.answers, strict=True)):
        maps = (for_answer[number], for_label[number])
        pictures += [seen[number], *(drawing.heat(seen[number], values) for values in maps)]
        titles += [f"{classes[label]}, answer {classes[answer]}", f"for {classes[answer]}", f"for {classes[label]}"]
    return drawing.photo_grid(pictures, titles, IN_A_ROW)
