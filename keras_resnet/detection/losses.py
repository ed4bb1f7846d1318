"""Faster R-CNN's losses, one number an image (Girshick 2015, Sec. 2.3; Ren et al. 2015, Sec. 3.1.2)."""

import keras
import tensorflow as tf

from keras_resnet.detection.anchors import encode
from keras_resnet.detection.sampling import LEFT_OUT, POSITIVE

PROPOSAL_DELTA, REGION_DELTA = 1 / 9, 1.0  # where the smooth L1 loss turns from square to straight
BOX_WEIGHTS = (0.1, 0.1, 0.2, 0.2)  # of the regions' box targets, which are learned divided by it


def _smooth_l1(targets, deltas, turn):
    """Summed over the four numbers of a box."""
    return 4 / turn * keras.losses.huber(targets, deltas, turn)


def proposal_losses(scores, deltas, anchors, labels, match, boxes):
    """Class and box loss of the region proposal network over the sampled anchors, two ``[batch]``.

    Args:
        scores, deltas: float32 ``[batch, anchors]``, logits of an object, and ``[batch, anchors, 4]``.
        anchors: ``[anchors, 4]``, or each image's own, ``[batch, anchors, 4]``.
        labels, match: as :func:`sample_anchors` gives them.
        boxes: of the objects, ``[batch, objects, 4]``.
    """
    positive = labels == POSITIVE
    sampled = tf.cast(labels != LEFT_OUT, tf.float32)
    count = tf.maximum(tf.reduce_sum(sampled, axis=1), 1.0)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(positive, tf.float32), scores)
    anchors = tf.broadcast_to(anchors, tf.shape(deltas))
    wanted = tf.where(positive[..., None], tf.gather(boxes, match, batch_dims=1), anchors)
    distance = _smooth_l1(encode(wanted, anchors), deltas, PROPOSAL_DELTA)
    box_loss = tf.reduce_sum(tf.where(positive, distance, 0.0), axis=1)
    return tf.reduce_sum(entropy * sampled, axis=1) / count, box_loss / count


def region_losses(logits, deltas, regions, labels, matched, weights):
    """Class and box loss of the sampled regions, two ``[batch]``.

    Args:
        logits, deltas: float32 ``[batch, regions, classes + 1]``, the first for background, and ``[batch, regions,
            classes, 4]``, in units of ``BOX_WEIGHTS``.
        regions, labels, matched, weights: as :func:`sample_regions` gives them.
    """
    count = tf.maximum(tf.reduce_sum(weights, axis=1), 1.0)
    entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    foreground = labels > 0
    own = tf.gather(deltas, tf.maximum(labels - 1, 0), batch_dims=2)
    targets = encode(tf.where(foreground[..., None], matched, regions), regions) / BOX_WEIGHTS
    distance = _smooth_l1(tf.where(foreground[..., None], targets, 0.0), own, REGION_DELTA)
    box_loss = tf.reduce_sum(tf.where(foreground, distance, 0.0), axis=1)
    return tf.reduce_sum(entropy * weights, axis=1) / count, box_loss / count
