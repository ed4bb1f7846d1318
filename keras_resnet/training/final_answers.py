"""What a trained network answers at the end of its run: by class, and its worst mistakes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_resnet import plots
from keras_resnet.analysis.activation_maps import activation_map
from keras_resnet.evaluation.class_report import ClassReport
from keras_resnet.evaluation.scoring import Scores
from keras_resnet.network import Network
from keras_resnet.training.display.mistakes import WorstMistakes
from keras_resnet.training.stepping.training_model import cross_entropy

EXPLAINED = 8  # mistakes
IN_A_ROW = 6  # pictures, three of a mistake: the image, and which places speak for the answer and for the label


@dataclass(frozen=True)
class Mistakes:
    """Wrong answers of highest loss, worst first: preprocessed ``images``, and int ``labels`` and ``answers``."""

    images: np.ndarray
    labels: np.ndarray
    answers: np.ndarray


@dataclass(frozen=True)
class FinalAnswers:
    """Of one part of the data."""

    report: ClassReport
    mistakes: Mistakes


def answer_all(network: Network, batches: Iterable) -> tuple[Scores, Mistakes]:
    """The network's answers to one pass of ``batches`` of (images, labels), on this worker alone."""

    @tf.function(input_signature=[tf.TensorSpec([None, *network.input_shape[1:]], tf.float32)])
    def forward(images):
        return network(images, training=False)

    worst = WorstMistakes(network.input_shape[1:])
    probabilities, labels = [], []
    for images, own in batches:
        scores = forward(images)
        worst.update(images, own, scores, cross_entropy(own, scores))
        probabilities.append(scores.numpy())
        labels.append(own.numpy())
    images, true, answers, _ = (each[:EXPLAINED] for each in worst.values(lambda variable: variable.numpy()))
    return Scores(np.concatenate(probabilities), np.concatenate(labels)), Mistakes(images, true, answers)


def explained(network: Network, mistakes: Mistakes, classes: tuple[str, ...]) -> np.ndarray:
    """Each mistake beside the places that speak for the answer, and for the label: uint8 ``[height, width, 3]``."""
    if not len(mistakes.images):
        return plots.photo_grid([np.full((1, 1, 3), 255, np.uint8)], ["all answers are right"], IN_A_ROW)
    for_answer, for_label = (
        activation_map(network, mistakes.images, each) for each in (mistakes.answers, mistakes.labels)
    )
    pictures, titles = [], []
    seen = np.clip(network.preprocessing.undo(mistakes.images), 0, 255).astype(np.uint8)
    for number, (label, answer) in enumerate(zip(mistakes.labels, mistakes.answers, strict=True)):
        maps = (for_answer[number], for_label[number])
        pictures += [seen[number], *(plots.heat(seen[number], each) for each in maps)]
        titles += [f"{classes[label]}, answer {classes[answer]}", f"for {classes[answer]}", f"for {classes[label]}"]
    return plots.photo_grid(pictures, titles, IN_A_ROW)
