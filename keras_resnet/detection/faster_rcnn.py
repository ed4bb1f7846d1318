"""Faster R-CNN on a residual network (Sec. 4.3, appendix A)."""

from collections.abc import Callable

import keras
import tensorflow as tf

from keras_resnet.detection import backbone as backbones
from keras_resnet.detection.anchors import decode, make_anchors, spread
from keras_resnet.detection.backbone import Backbone
from keras_resnet.detection.defaults import RATIOS, REGIONS, SCALES, SMALLEST
from keras_resnet.detection.losses import BOX_WEIGHTS, proposal_losses, region_losses
from keras_resnet.detection.roi_pooling import POOLING
from keras_resnet.detection.sampling import sample_anchors, sample_regions
from keras_resnet.detection.suppression import STRIDE, clip_boxes, propose
from keras_resnet.detection.trained_photos import TrainedPhotos
from keras_resnet.errors import InputError, one_of
from keras_resnet.training.stepping.step import Step

TRAINED, TESTED = (12_000, 2_000), (6_000, 300)  # proposals before and after suppression
PARTS = ("proposal_class_loss", "proposal_box_loss", "class_loss", "box_loss")
LEARNED = ("shared", "proposals", "regions")
RPN_CHANNELS = 512


@keras.saving.register_keras_serializable("keras_resnet")
class FasterRCNN(TrainedPhotos, Step, keras.Model):
    """A detector that shares a classification network's conv1 to conv4_x and gives each region a conv5_x of its own.

    ``compile`` takes :class:`keras_resnet.training.SGD`, ``fit`` the batches of ``detection_batches``, under any
    ``tf.distribute`` strategy. The loss is the sum of the proposals' and the regions' (approximate joint training: the
    proposals count as given). Sampling is drawn from the seeds in the batch. ``trained_on``, the contents of the photos
    it has learned from (see ``photo_files``), is saved with it.

    Args:
        backbone: an ImageNet network of this package, or a :class:`Backbone`.
        classes: class names, or how many classes.
        scales, ratios: of the anchors: times 16 pixels, and height over width.
        pooling: of regions, ``"align"`` or ``"max"``.
        context: give each region the features of the whole image too (appendix B).
        regions: that are learned from in each image.
        smallest: proposals with a shorter side, in pixels, are dropped.
        shorter, longer: sides of the images in pixels, which testing takes by default.
        learn: which parts learn, of ``LEARNED``.

    Raises:
        InputError: the backbone is not one, or an argument cannot be used.
    """

    def __init__(
        self,
        backbone,
        classes,
        scales: tuple[float, ...] = SCALES,
        ratios: tuple[float, ...] = RATIOS,
        pooling: str = "align",
        context: bool = False,
        regions: int = REGIONS,
        smallest: float = SMALLEST,
        shorter: int = 600,
        longer: int = 1000,
        learn: tuple[str, ...] = LEARNED,
        name: str | None = None,
    ):
        backbone = backbone if isinstance(backbone, Backbone) else backbones.from_network(backbone)
        super().__init__(name=name or f"FasterRCNN_{backbone.name}")
        one_of("pooling", pooling, tuple(POOLING))
        for part in learn:
            one_of("learn", part, LEARNED)
        self.class_names = tuple(map(str, range(classes))) if isinstance(classes, int) else tuple(classes)
        if not self.class_names or not scales or not ratios:
            raise InputError("A detector needs at least one class, one anchor scale and one ratio.")
        self.arguments = {
            "scales": tuple(scales), "ratios": tuple(ratios), "pooling": pooling, "context": context,
            "regions": regions, "smallest": smallest, "shorter": shorter, "longer": longer, "learn": tuple(learn),
        }  # fmt: skip
        self.context, self.regions_learned, self.smallest = context, regions, smallest
        self.shorter, self.longer = shorter, longer
        self.preprocessing, self.backbone_config = backbone.preprocessing, backbone.config
        self.shared, self.head, self.size = backbone.shared, backbone.head, backbone.size
        self.pool = POOLING[pooling]
        self.cell_anchors = make_anchors(1, 1, STRIDE, scales, ratios).reshape(-1, 4)
        self.rpn = _proposal_network(self.shared.output.shape[-1], len(self.cell_anchors))
        self.outer = _outputs(self.head.output.shape[-1] * (2 if context else 1), len(self.class_names))
        self.transfer = backbones.transfer_report(self, backbone)
        self.learns = frozenset(learn)
        for part, layers in (
            ("shared", [self.shared]),
            ("proposals", [self.rpn]),
            ("regions", [self.head, self.outer]),
        ):
            if part not in learn:
                for layer in layers:
                    layer.trainable = False
        self.proposals_from: Callable | None = None
        self.values_size = len(PARTS)
        self.running = [keras.metrics.Mean(name=part) for part in ("loss", *PARTS)]
        self.built = True

    def saved(self) -> "FasterRCNN":
        """The detector itself."""
        return self

    def features(self, images, training: bool = False):
        """The shared map ``[batch, height / 16, width / 16, channels]`` of prepared images."""
        return self.shared(images, training=training)

    def anchor_scores(self, features):
        """Anchors ``[anchors, 4]``, logits ``[batch, anchors]`` and deltas ``[batch, anchors, 4]``, in float32."""
        scores, deltas = self.rpn(features)
        batch, height, width = (tf.shape(features)[i] for i in range(3))
        anchors = spread(self.cell_anchors, height, width, STRIDE)
        return anchors, tf.reshape(scores, [batch, -1]), tf.reshape(deltas, [batch, -1, 4])

    def propose(self, features, extents, counts: tuple[int, int] = TESTED):
        """Proposals ``[batch, n, 4]``, their logits, and which of them are valid, bool, both ``[batch, n]``."""
        anchors, scores, deltas = self.anchor_scores(features)
        return propose(deltas, scores, anchors, extents, *counts, self.smallest)

    def region_features(self, features, boxes, training: bool = False):
        """What conv5_x makes of each region, float32 ``[batch, regions, width]``."""
        pooled = self.pool(features, boxes, STRIDE, self.size)
        shape = tf.shape(pooled)
        regions = tf.cast(tf.reshape(pooled, [-1, self.size, self.size, pooled.shape[-1]]), self.head.compute_dtype)
        found = tf.cast(self.head(regions, training=training), tf.float32)
        return tf.reshape(found, [shape[0], shape[1], found.shape[-1]])

    def image_features(self, features, extents, training: bool = False):
        """The global context: each whole image as one region, float32 ``[batch, 1, width]``; None without context."""
        if not self.context:
            return None
        whole = tf.concat([tf.zeros_like(extents), extents], axis=1)[:, None]
        return self.region_features(features, whole, training)

    def score(self, found, context):
        """Logits ``[batch, regions, classes + 1]`` and deltas ``[batch, regions, classes, 4]`` of region features."""
        if self.context:
            found = tf.concat([found, tf.broadcast_to(context, tf.shape(found))], axis=2)
        shape = tf.shape(found)
        logits, deltas = self.outer(tf.reshape(found, [-1, found.shape[-1]]))
        classes = len(self.class_names)
        return (
            tf.reshape(logits, [shape[0], shape[1], classes + 1]),
            tf.reshape(deltas, [shape[0], shape[1], classes, 4]),
        )

    def boxes_of(self, regions, deltas, extents):
        """Boxes ``[batch, regions, classes, 4]`` within the images, of what :meth:`score` gave."""
        moved = decode(deltas * BOX_WEIGHTS, regions[:, :, None])
        flat = tf.reshape(moved, [tf.shape(moved)[0], -1, 4])
        return tf.reshape(clip_boxes(flat, extents), tf.shape(moved))

    def call(self, inputs, training=False):
        """Of ``(images, extents)``: ``proposals``, which of them are ``valid``, ``probabilities`` and ``boxes``.

        Images are prepared and padded, float32 ``[batch, height, width, 3]``; extents are their own widths and
        heights, float32 ``[batch, 2]``. Probabilities are ``[batch, 300, classes + 1]``, the first of background,
        boxes ``[batch, 300, classes, 4]``, in pixels.
        """
        images, extents = inputs
        features = self.features(images)
        regions, _, valid = self.propose(features, extents)
        logits, deltas = self.score(self.region_features(features, regions), self.image_features(features, extents))
        boxes = self.boxes_of(regions, deltas, extents)
        return {"proposals": regions, "valid": valid, "probabilities": tf.nn.softmax(logits), "boxes": boxes}

    def forward(self, images, extents, boxes, object_status, classes, seeds):
        """Losses ``[batch]`` and their parts ``[batch, 4]`` of a training batch (see ``detection_batches``)."""
        features = self.features(images, training=True)
        nothing = tf.zeros([tf.shape(images)[0]])
        parts = dict.fromkeys(PARTS, nothing)
        if "proposals" in self.learns:
            anchors, scores, deltas = self.anchor_scores(features)
            labels, match = sample_anchors(
                anchors, boxes, object_status, extents, _draws(seeds, tf.shape(anchors)[0], 0)
            )
            losses = proposal_losses(scores, deltas, anchors, labels, match, boxes)
            parts |= dict(zip(PARTS[:2], losses, strict=True))
        if "regions" in self.learns:
            if self.proposals_from is not None:
                regions, valid = self.proposals_from(images, extents)
            elif "proposals" in self.learns:
                regions, _, valid = propose(deltas, scores, anchors, extents, *TRAINED, self.smallest)
            else:
                regions, _, valid = self.propose(features, extents, TRAINED)
            draws = _draws(seeds, tf.shape(regions)[1] + tf.shape(boxes)[1], 1)
            sample = sample_regions(
                tf.stop_gradient(regions), valid, boxes, object_status, classes, draws, self.regions_learned
            )
            found = self.region_features(features, sample[0], training=True)
            logits, deltas = self.score(found, self.image_features(features, extents, training=True))
            parts |= dict(zip(PARTS[2:], region_losses(logits, deltas, *sample), strict=True))
        values = tf.stack(list(parts.values()), axis=1)
        return tf.reduce_sum(values, axis=1), values

    def update_metrics(self, data, losses, values):
        """Update the running means of the loss and its parts."""
        for metric, value in zip(self.running, [losses, *tf.unstack(values, axis=1)], strict=True):
            metric.update_state(value)

    def take_proposals_from(self, other: "FasterRCNN") -> None:
        """Learn regions from the proposals of another detector, which does not learn (4-step training, step 2)."""

        def proposals(images, extents):
            boxes, _, valid = other.propose(other.features(images), extents, TRAINED)
            return boxes, valid

        self.proposals_from = proposals  # a function, so that the other one is no part of this model

    def get_config(self):
        return {"backbone": self.backbone_config, "classes": self.class_names, **self.arguments, "name": self.name}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        return cls(backbones.rebuild(config.pop("backbone")), **config)


def _draws(seeds, count, number: int):
    """Uniform ``[batch, count]``, each image's of its own seed ``[batch, 2]``."""

    def draw(seed):
        return tf.random.stateless_uniform([count], tf.random.experimental.stateless_fold_in(seed, number))

    return tf.map_fn(draw, seeds, fn_output_signature=tf.TensorSpec([None], tf.float32))


def _proposal_network(channels: int, anchors: int) -> keras.Model:
    """A 3x3 convolution and its two siblings: logits and deltas of each anchor (Ren et al. 2015, Sec. 3.1)."""
    features = keras.Input((None, None, channels))
    x = keras.layers.Conv2D(RPN_CHANNELS, 3, padding="same", activation="relu", name="rpn_conv", **_fresh(0.01))(
        features
    )
    scores = keras.layers.Conv2D(anchors, 1, dtype="float32", name="rpn_scores", **_fresh(0.01))(x)
    deltas = keras.layers.Conv2D(4 * anchors, 1, dtype="float32", name="rpn_deltas", **_fresh(0.01))(x)
    return keras.Model(features, [scores, deltas], name="rpn")


def _outputs(width: int, classes: int) -> keras.Model:
    """The sibling class and box layers (Girshick 2015, Sec. 2.1)."""
    features = keras.Input((width,))
    logits = keras.layers.Dense(classes + 1, dtype="float32", name="class_scores", **_fresh(0.01))(features)
    deltas = keras.layers.Dense(4 * classes, dtype="float32", name="box_deltas", **_fresh(0.001))(features)
    return keras.Model(features, [logits, deltas], name="outer")


def _fresh(deviation: float) -> dict:
    """A layer's initializer of its own."""
    return {"kernel_initializer": keras.initializers.RandomNormal(stddev=deviation)}
