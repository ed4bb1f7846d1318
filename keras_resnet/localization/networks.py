"""The two networks of localization, on a classification network: the per-class RPN and the R-CNN (appendix C)."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from keras_resnet.backends import needs_tensorflow
from keras_resnet.detection import backbone as backbones
from keras_resnet.detection.anchors import BASE_SIDE, decode, make_anchors, spread
from keras_resnet.detection.backbone import Backbone
from keras_resnet.detection.losses import proposal_losses
from keras_resnet.detection.sampling import LEFT_OUT, NEGATIVE, OBJECT, POSITIVE, pairwise, sample_anchors
from keras_resnet.detection.suppression import clip_boxes
from keras_resnet.detection.trained_photos import TrainedPhotos
from keras_resnet.localization.defaults import ANCHORS_LEARNED, FOREGROUND, RATIOS, SHARES, SIZE
from keras_resnet.localization.per_class import PerClass
from keras_resnet.network import Network
from keras_resnet.training.stepping.step import Step
from keras_resnet.typing import Tensor
from keras_resnet.weights.description import check_printable

STRIDE = 32  # of the last feature map
LOSSES = ("class_loss", "box_loss")
Outputs = tuple[Tensor, Tensor]


class LocalizationNetwork(TrainedPhotos, Step, keras.Model):
    """What both have: a classification network up to its last feature map, and outputs of each class's own.

    Normalization is a constant scale and offset, as in detection. ``trained_on``, the contents of the photos it has
    learned from (see ``photo_files``), is saved with it.

    Args:
        backbone: an ImageNet network of this package, or a :class:`Backbone`.
        classes: class names.
        size: side of the square images it learns from, in pixels.
        anchors: at each position of the map.

    Raises:
        InputError: the network cannot be a backbone.
    """

    def __init__(
        self, backbone: Backbone | Network, classes: tuple[str, ...], size: int, anchors: int, name: str | None
    ):
        needs_tensorflow("A localization network", "tf.image")
        backbone = backbone if isinstance(backbone, Backbone) else backbones.from_network(backbone, frozen=None)
        super().__init__(name=name or f"{type(self).__name__}_{backbone.name}")
        self.class_names, self.size = tuple(classes), size
        check_printable(*self.class_names)
        self.preprocessing, self.backbone_config = backbone.preprocessing, backbone.config
        self.lower = backbone.shared
        last = _below_pooling(backbone.head)
        self.upper = keras.Model(backbone.head.input, last, name="upper")
        self.outputs_of = PerClass(len(self.class_names), anchors, dtype="float32", name="outputs")
        self.outputs_of.build((None, None, last.shape[-1]))
        self.values_size = len(LOSSES)
        self.train_metrics = [keras.metrics.Mean(name=name) for name in ("loss", *LOSSES)]
        self.built = True

    def features(self, images: Tensor, training: bool = False) -> Tensor:
        """The last map ``[batch, height / 32, width / 32, channels]`` of prepared images."""
        return self.upper(self.lower(images, training=training), training=training)

    def losses_of(self, outputs: Outputs, anchors: Tensor, labels: Tensor, match: Tensor, boxes: Tensor) -> Outputs:
        """Losses ``[batch]`` and their parts ``[batch, 2]`` of logits and offsets (see :func:`proposal_losses`)."""
        values = tf.stack(proposal_losses(*outputs, anchors, labels, match, boxes), axis=1)
        return tf.reduce_sum(values, axis=1), values

    def get_config(self) -> dict[str, Any]:
        """What makes the same network again, but for its weights."""
        return {"backbone": self.backbone_config, "classes": self.class_names, "size": self.size, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict | None = None) -> LocalizationNetwork:
        """The network that :meth:`get_config` describes."""
        config = dict(config)
        return cls(backbones.rebuild(config.pop("backbone")), **config)


def _below_pooling(head: keras.Model):
    """The last map of a backbone's head, which its output is the mean of."""
    pooling, node, _ = head.output._keras_history
    return pooling._inbound_nodes[node].input_tensors[0]


@keras.saving.register_keras_serializable("keras_resnet")
class LocalizationRPN(LocalizationNetwork):
    """The per-class RPN: on the last feature map one logit and four offsets for each class and anchor.

    It learns from random crops with the boxes clipped to them: of 8 anchors an image, positive and negative ones 1:1,
    of the image's class alone. Anchors that cross the border take part, since most of a 7 x 7 map's do.

    Args:
        backbone: a classification network, or its feature maps.
        classes: names in the order of the outputs.
        size: side of the network's input, in pixels.
        shares: sides of the anchors, as shares of ``size``.
        ratios: of the anchors, width over height.
    """

    def __init__(
        self,
        backbone: Backbone | Network,
        classes: tuple[str, ...],
        size: int = SIZE,
        shares: tuple[float, ...] = SHARES,
        ratios: tuple[float, ...] = RATIOS,
        name: str | None = None,
    ):
        scales = tuple(share * size / BASE_SIDE for share in shares)
        self.cell_anchors = make_anchors(1, 1, STRIDE, scales, ratios).reshape(-1, 4)
        super().__init__(backbone, classes, size, len(self.cell_anchors), name)
        self.arguments = {"shares": tuple(shares), "ratios": tuple(ratios)}

    def flat_features(self, images: Tensor, training: bool = False) -> Outputs:
        """Features ``[batch, positions, channels]`` and anchors ``[positions x n, 4]`` of prepared images."""
        features = self.features(images, training)
        batch, height, width = (tf.shape(features)[i] for i in range(3))
        anchors = spread(self.cell_anchors, height, width, STRIDE)
        return tf.reshape(features, [batch, height * width, features.shape[-1]]), anchors

    def forward(self, images: Tensor, boxes: Tensor, object_status: Tensor, classes: Tensor, seeds: Tensor) -> Outputs:
        """Losses ``[batch]`` and their parts ``[batch, 2]`` of a training batch (see ``crop_batches``)."""
        features, anchors = self.flat_features(images, training=True)
        draws = tf.map_fn(
            lambda seed: tf.random.stateless_uniform(tf.shape(anchors)[:1], seed),
            seeds,
            fn_output_signature=tf.TensorSpec([None], tf.float32),
        )
        labels, match = sample_anchors(anchors, boxes, object_status, None, draws, ANCHORS_LEARNED)
        _, chosen = tf.math.top_k(tf.cast(labels != LEFT_OUT, tf.int32), ANCHORS_LEARNED)
        labels, match = (tf.gather(part, chosen, batch_dims=1) for part in (labels, match))
        anchors_per_position = len(self.cell_anchors)
        features = tf.gather(features, chosen // anchors_per_position, batch_dims=1)
        outputs = self.outputs_of.sampled(features, classes, chosen % anchors_per_position)
        return self.losses_of(outputs, tf.gather(anchors, chosen), labels, match, boxes)

    def candidates(self, images: Tensor, classes: Tensor, count: int) -> Outputs:
        """The best ``count`` boxes of one class an image, clipped to it, and their probabilities, the best first.

        Args:
            images: prepared, ``[batch, height, width, 3]``; one image serves all ``classes``.
            classes: int ``[batch]``.

        Returns:
            float32 ``[batch, n, 4]``, in pixels of the images, and ``[batch, n]``; n is less than ``count`` where there
            are fewer anchors.
        """
        features, anchors = self.flat_features(images)
        scores, deltas = self.outputs_of(features, classes)
        scores, best = tf.math.top_k(scores, tf.minimum(count, tf.shape(scores)[1]))
        boxes = decode(tf.gather(deltas, best, batch_dims=1), tf.gather(anchors, best))
        extents = tf.cast(tf.reverse(tf.shape(images)[1:3], [0]), tf.float32)[None]
        return clip_boxes(boxes, extents), tf.sigmoid(scores)

    def get_config(self) -> dict[str, Any]:
        """What makes the same network again, but for its weights."""
        return {**super().get_config(), **self.arguments}


@keras.saving.register_keras_serializable("keras_resnet")
class LocalizationRCNN(LocalizationNetwork):
    """The RoI-centric R-CNN: a region, warped to a square, through the whole network, with outputs of its class's own.

    It learns from the RPN's boxes of the image's class: one that overlaps an object by half or more is positive.

    Args:
        backbone: a classification network, or its feature maps.
        classes: names in the order of the outputs.
        size: side of the network's input, in pixels.
    """

    def __init__(
        self, backbone: Backbone | Network, classes: tuple[str, ...], size: int = SIZE, name: str | None = None
    ):
        super().__init__(backbone, classes, size, 1, name)

    def pooled(self, images: Tensor, training: bool = False) -> Tensor:
        """Features ``[batch, 1, channels]``, the mean of the last map."""
        return tf.reduce_mean(tf.cast(self.features(images, training), tf.float32), axis=[1, 2])[:, None]

    def forward(
        self, images: Tensor, regions: Tensor, boxes: Tensor, object_status: Tensor, classes: Tensor
    ) -> Outputs:
        """Losses ``[batch]`` and their parts ``[batch, 2]`` of a training batch (see ``region_batches``)."""
        overlaps, _ = pairwise(regions[:, None], boxes)
        overlaps = tf.where((object_status == OBJECT)[:, None], overlaps, -1.0)
        labels = tf.where(tf.reduce_max(overlaps, axis=2) >= FOREGROUND, POSITIVE, NEGATIVE)
        match = tf.argmax(overlaps, axis=2, output_type=tf.int32)
        outputs = self.outputs_of.sampled(self.pooled(images, training=True), classes, tf.zeros_like(match))
        return self.losses_of(outputs, regions[:, None], labels, match, boxes)

    def rescored(self, images: Tensor, regions: Tensor, classes: Tensor) -> Outputs:
        """What becomes of regions: their boxes moved, ``[n, 4]``, and probabilities ``[n]``.

        Args:
            images: the regions warped and prepared, ``[n, size, size, 3]``.
            regions: ``[n, 4]``.
            classes: int ``[n]``.
        """
        scores, deltas = self.outputs_of(self.pooled(images), classes)
        return decode(deltas[:, 0], regions), tf.sigmoid(scores[:, 0])
