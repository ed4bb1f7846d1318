"""The detector's output layers: proposals for every anchor, and classes and boxes for every region."""

import keras


def proposal_network(channels: int, anchors: int, width: int) -> keras.Model:
    """A 3x3 convolution and two sibling 1x1 convolutions: objectness and box deltas (Ren et al. 2015, Sec. 3.1).

    Args:
        channels: of the feature maps.
        anchors: at each cell.
        width: channels of the 3x3 convolution.
    """
    features = keras.Input((None, None, channels))
    conv = keras.layers.Conv2D(width, 3, padding="same", activation="relu", name="rpn_conv", **_random(0.01))
    x = conv(features)
    scores = keras.layers.Conv2D(anchors, 1, dtype="float32", name="rpn_scores", **_random(0.01))(x)
    deltas = keras.layers.Conv2D(4 * anchors, 1, dtype="float32", name="rpn_deltas", **_random(0.01))(x)
    return keras.Model(features, [scores, deltas], name="rpn")


def box_predictor(width: int, classes: int) -> keras.Model:
    """The sibling class and box layers (Girshick 2015, Sec. 2.1), for regions of ``width`` features."""
    features = keras.Input((width,))
    logits = keras.layers.Dense(classes + 1, dtype="float32", name="class_scores", **_random(0.01))(features)
    deltas = keras.layers.Dense(4 * classes, dtype="float32", name="box_deltas", **_random(0.001))(features)
    return keras.Model(features, [logits, deltas], name="outer")  # as files have it


def _random(deviation: float) -> dict[str, keras.initializers.Initializer]:
    """Zero-mean Gaussian initial weights; each layer has an initializer of its own."""
    return {"kernel_initializer": keras.initializers.RandomNormal(stddev=deviation)}
