"""Faster R-CNN's losses, one value per image (Girshick 2015, Sec. 2.3; Ren et al. 2015, Sec. 3.1.2)."""

import keras
import tensorflow as tf

from keras_resnet.detection.anchors import encode
from keras_resnet.detection.sampling import LEFT_OUT, POSITIVE
from keras_resnet.typing import Tensor

# Where the smooth L1 loss turns from quadratic to linear: 1 / sigma^2 of the released code, with sigma 3 and 1.
PROPOSAL_DELTA, REGION_DELTA = 1 / 9, 1.0
BOX_WEIGHTS = (0.1, 0.1, 0.2, 0.2)  # the region head learns box targets divided by these


def _smooth_l1(targets: Tensor, predictions: Tensor, delta: float) -> Tensor:
    """The sum over a box's four numbers of the smooth L1 loss, ``|x| - delta / 2`` beyond ``delta``."""
    return 4 / delta * keras.losses.huber(targets, predictions, delta)


def proposal_losses(
    scores: Tensor, deltas: Tensor, anchors: Tensor, labels: Tensor, matches: Tensor, boxes: Tensor
) -> tuple[Tensor, Tensor]:
    """The region proposal network's objectness and box losses, means over the sampled anchors.

    Args:
        scores: float32 ``[batch, anchors]``, logits of objectness.
        deltas: float32 ``[batch, anchors, 4]``.
        anchors: float32 ``[anchors, 4]``, or those of each image, ``[batch, anchors, 4]``.
        labels, matches: int32 ``[batch, anchors]``, as :func:`~keras_resnet.detection.sampling.sample_anchors` returns
            them.
        boxes: float32 ``[batch, objects, 4]``, the objects' boxes.

    Returns:
        Two float32 ``[batch]``.
    """
    positive = labels == POSITIVE
    sampled = tf.cast(labels != LEFT_OUT, tf.float32)
    count = tf.maximum(tf.reduce_sum(sampled, axis=1), 1.0)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(positive, tf.float32), scores)
    anchors = tf.broadcast_to(anchors, tf.shape(deltas))
    matched = tf.where(positive[..., None], tf.gather(boxes, matches, batch_dims=1), anchors)
    distance = _smooth_l1(encode(matched, anchors), deltas, PROPOSAL_DELTA)
    box_loss = tf.reduce_sum(tf.where(positive, distance, 0.0), axis=1)
    return tf.reduce_sum(entropy * sampled, axis=1) / count, box_loss / count


def region_losses(
    logits: Tensor, deltas: Tensor, regions: Tensor, labels: Tensor, matched: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    """The region head's class and box losses, means over the sampled regions.

    Args:
        logits: float32 ``[batch, regions, classes + 1]``, background first.
        deltas: float32 ``[batch, regions, classes, 4]``, in units of ``BOX_WEIGHTS``.
        regions, labels, matched, weights: as :func:`~keras_resnet.detection.sampling.sample_regions` returns them.

    Returns:
        Two float32 ``[batch]``.
    """
    count = tf.maximum(tf.reduce_sum(weights, axis=1), 1.0)
    entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    foreground = labels > 0
    predicted = tf.gather(deltas, tf.maximum(labels - 1, 0), batch_dims=2)
    targets = encode(tf.where(foreground[..., None], matched, regions), regions) / BOX_WEIGHTS
    distance = _smooth_l1(tf.where(foreground[..., None], targets, 0.0), predicted, REGION_DELTA)
    box_loss = tf.reduce_sum(tf.where(foreground, distance, 0.0), axis=1)
    return tf.reduce_sum(entropy * weights, axis=1) / count, box_loss / count
