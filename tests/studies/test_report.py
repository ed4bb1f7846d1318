"""The words in which a study's length and data are told."""

import pytest

from keras_resnet.studies.report import length

PAPER = {"steps": 64_000, "batch_size": 128, "data": "cifar10", "seeds": 3}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "64,000 steps of 128 (100 % of the paper's images), cifar10, 3 seeds"),
        ({"steps": 480, "seeds": 1}, "480 steps of 128 (0.75 % of the paper's images), cifar10, 1 seed"),
        (
            {"steps": 20_480, "image_size": 16, "precision": "mixed_bfloat16", "base_lr": 0.1},
            "20,480 steps of 128 (32 % of the paper's images), rate 0.1 at 128, cifar10 at 16 pixels, mixed_bfloat16, "
            "3 seeds",
        ),
        ({"train_images": 2_000}, "64,000 steps of 128 (100 % of the paper's images), 2,000 training images of "
                                  "cifar10, 3 seeds"),
    ],
)  # fmt: skip
def test_the_length_is_told_as_a_share_of_the_papers(changes, words):
    assert length(PAPER | changes) == words
