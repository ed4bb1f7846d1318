"""Faster R-CNN on a residual network (Sec. 4.3, appendix A), with the paper's head or a feature pyramid."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from typing import Any, Literal, get_args

import keras
import numpy as np
import tensorflow as tf

from keras_resnet.backends import needs_tensorflow
from keras_resnet.detection import backbone as backbones
from keras_resnet.detection.anchors import decode, make_anchors, spread
from keras_resnet.detection.backbone import Backbone
from keras_resnet.detection.detector_specs import (
    DEFAULT_PROPOSALS,
    HeadName,
    ImageSize,
    Proposals,
    RegionHead,
    check_head,
)
from keras_resnet.detection.level_pooling import pool_from_levels
from keras_resnet.detection.losses import BOX_WEIGHTS, proposal_losses, region_losses
from keras_resnet.detection.output_layers import box_predictor, proposal_network
from keras_resnet.detection.roi_pooling import POOLING
from keras_resnet.detection.sampling import sample_anchors, sample_regions
from keras_resnet.detection.suppression import Level, clip_boxes, propose
from keras_resnet.detection.trained_photos import TrainedPhotos
from keras_resnet.errors import InputError, one_of
from keras_resnet.network import Network
from keras_resnet.training.stepping.step import Step
from keras_resnet.typing import Tensor
from keras_resnet.weights.description import check_printable

TRAINING_PROPOSALS, TEST_PROPOSALS = (12_000, 2_000), (6_000, 300)  # before and after suppression
LOSSES = ("proposal_class_loss", "proposal_box_loss", "class_loss", "box_loss")
Learnable = Literal["shared", "proposals", "regions"]
LEARNABLE: tuple[Learnable, ...] = get_args(Learnable)
REGION_HEAD, IMAGE_SIZE = RegionHead(), ImageSize()  # the paper's
SPEC_TYPES = {"proposals": Proposals, "region_head": RegionHead, "image_size": ImageSize}


@keras.saving.register_keras_serializable("keras_resnet")
class FasterRCNN(TrainedPhotos, Step, keras.Model):
    """A detector whose proposals and regions share the layers of a classification network.

    ``compile`` takes a :class:`keras_resnet.training.SGD`, and ``fit`` the batches of
    :func:`~keras_resnet.detection.detection_batches`, under any ``tf.distribute`` strategy. The loss is the sum of the
    proposals' and the regions' losses, without gradients through the proposals' boxes (approximate joint training).
    Samples are drawn from the seeds in the batch.

    Args:
        backbone: an ImageNet network of this package, or a :class:`Backbone`.
        classes: the class names, or how many classes there are.
        proposals: the anchors, and the smallest proposal; by default the head's.
        region_head: the pooling of regions, whether they get global context, and how many are sampled.
        image_size: to which images are resized by default in testing.
        learn: the parts that learn: the shared layers, the proposal network, and the layers after pooling.
        head: of a network: ``"c4"`` (default), the paper's, whose regions go through conv5_x, or ``"fpn"``, a feature
            pyramid (Lin et al. 2017). A :class:`Backbone` has its own.

    Attributes:
        shared: from preprocessed images ``[batch, height, width, 3]`` to the feature map ``[batch, height / 16, width /
            16, channels]``, which conv1 to conv4_x make, or with FPN to the list of P2 to P6.
        rpn: the region proposal network, from a feature map to the anchors' objectness logits and box deltas.
        head: from pooled regions to features.
        box_predictor: from a region's features to class logits and box deltas.
        trained_on: uint64, the hashes of the photos it has learned from (see ``content_hashes``), saved with it.
        thresholds: the score of each class from which F1 was highest when its run validated it, float64 ``[classes]``,
            saved with it; empty before the first validation.

    Raises:
        InputError: the backbone has no stride 16, an argument is out of range, the head has no such option, or Keras
            does not run on TensorFlow.
    """

    stored = ("trained_on", "thresholds")
    thresholds: np.ndarray = np.zeros(0)

    def __init__(
        self,
        backbone: Backbone | Network,
        classes: int | Sequence[str],
        proposals: Proposals | None = None,
        region_head: RegionHead = REGION_HEAD,
        image_size: ImageSize = IMAGE_SIZE,
        learn: Sequence[Learnable] = LEARNABLE,
        head: HeadName | None = None,
    ):
        needs_tensorflow("A detector", "tf.image")
        if not isinstance(backbone, Backbone):
            backbone = backbones.from_network(backbone, head=head or "c4")
        elif head not in (None, backbone.head_name):
            raise InputError(f"The backbone has the head {backbone.head_name}, not {head}: leave out head.")
        super().__init__(name=f"FasterRCNN_{backbone.name}", autocast=False)  # extents in bfloat16 lose pixels
        self.head_name, self.strides = backbone.head_name, backbone.strides
        self.pooled_maps = backbone.pooled_maps
        proposals = proposals or DEFAULT_PROPOSALS[self.head_name]
        check_head(self.head_name, region_head.context, proposals.scales)
        for learning in learn:
            one_of("learn", learning, LEARNABLE)
        self.class_names = tuple(map(str, range(classes))) if isinstance(classes, int) else tuple(classes)
        if not self.class_names:
            raise InputError("A detector needs at least one class.")
        check_printable(*self.class_names)
        self.proposals, self.region_head, self.image_size, self.learn = proposals, region_head, image_size, tuple(learn)
        self.preprocessing, self.backbone_config = backbone.preprocessing, backbone.config
        self.shared, self.head, self.size = backbone.shared, backbone.head, backbone.size
        self.pool = POOLING[region_head.pooling]
        scales = [proposals.scales] if len(self.strides) == 1 else [(scale,) for scale in proposals.scales]
        self.cell_anchors = tuple(
            make_anchors(1, 1, stride, level, proposals.ratios).reshape(-1, 4)
            for stride, level in zip(self.strides, scales, strict=True)
        )
        self.rpn = proposal_network(self.shared.outputs[0].shape[-1], len(self.cell_anchors[0]), backbone.rpn_channels)
        width = self.head.output.shape[-1] * (2 if region_head.context else 1)
        self.box_predictor = box_predictor(width, len(self.class_names))
        self.transfer = backbones.transfer_report(self, backbone)
        parts = {"shared": [self.shared], "proposals": [self.rpn], "regions": [self.head, self.box_predictor]}
        for layer in (layer for part, layers in parts.items() if part not in learn for layer in layers):
            layer.trainable = False
        self.proposals_from: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None
        self.values_size = len(LOSSES)
        self.train_metrics = [keras.metrics.Mean(name=name) for name in ("loss", *LOSSES)]
        self.built = True

    def anchor_levels(self, features: Tensor) -> list[Level]:
        """Of each feature map the anchors and the proposal network's outputs for them, all float32."""
        levels = []
        for level, anchors, stride in zip(tf.nest.flatten(features), self.cell_anchors, self.strides, strict=True):
            scores, deltas = self.rpn(level)
            batch, height, width = (tf.shape(level)[axis] for axis in range(3))
            scores, deltas = tf.reshape(scores, [batch, -1]), tf.reshape(deltas, [batch, -1, 4])
            levels.append(Level(spread(anchors, height, width, stride), scores, deltas, stride))
        return levels

    def anchor_scores(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of all feature maps together the anchors and the proposal network's outputs for them.

        Returns:
            Anchors ``[anchors, 4]``, objectness logits ``[batch, anchors]`` and deltas ``[batch, anchors, 4]``, all
            float32.
        """
        return _joined(self.anchor_levels(features))

    def propose(
        self, features: Tensor, extents: Tensor, counts: tuple[int, int] = TEST_PROPOSALS
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The proposals of an image's features: see :func:`keras_resnet.detection.suppression.propose`.

        Args:
            features: the output of ``shared``.
            extents: float32 ``[batch, 2]``, width and height of each image in pixels, without its padding.
            counts: numbers of boxes before and after suppression.
        """
        return propose(self.anchor_levels(features), extents, counts, self.proposals.smallest)

    def region_features(self, features: Tensor, boxes: Tensor, training: bool = False) -> Tensor:
        """What the head makes of each of ``boxes`` ``[batch, regions, 4]``, float32 ``[batch, regions, width]``."""
        maps = tf.nest.flatten(features)[: self.pooled_maps]
        pooled = pool_from_levels(self.pool, maps, boxes, self.strides[: self.pooled_maps], self.size)
        shape = tf.shape(pooled)
        regions = tf.cast(tf.reshape(pooled, [-1, self.size, self.size, pooled.shape[-1]]), self.head.compute_dtype)
        outputs = tf.cast(self.head(regions, training=training), tf.float32)
        return tf.reshape(outputs, [shape[0], shape[1], outputs.shape[-1]])

    def image_features(self, features: Tensor, extents: Tensor, training: bool = False) -> Tensor | None:
        """The global context, float32 ``[batch, 1, width]``: each whole image as one region; None without context."""
        if not self.region_head.context:
            return None
        whole = tf.concat([tf.zeros_like(extents), extents], axis=1)[:, None]
        return self.region_features(features, whole, training)

    def score(self, region_features: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """Classify regions and predict their boxes.

        Args:
            region_features: float32 ``[batch, regions, width]``.
            context: as :meth:`image_features` returns it; a detector without context ignores it.

        Returns:
            Logits ``[batch, regions, classes + 1]``, background first, and deltas ``[batch, regions, classes, 4]`` in
            units of ``BOX_WEIGHTS``, both float32.
        """
        if self.region_head.context:
            context = tf.broadcast_to(context, tf.shape(region_features))
            region_features = tf.concat([region_features, context], axis=2)
        shape, classes = tf.shape(region_features), len(self.class_names)
        logits, deltas = self.box_predictor(tf.reshape(region_features, [-1, region_features.shape[-1]]))
        return (
            tf.reshape(logits, [shape[0], shape[1], classes + 1]),
            tf.reshape(deltas, [shape[0], shape[1], classes, 4]),
        )

    def call(self, inputs: tuple[Tensor, Tensor], training: bool = False) -> dict[str, Tensor]:
        """Proposals and their scores and boxes, before suppression.

        Args:
            inputs: preprocessed images float32 ``[batch, height, width, 3]``, padded on the right and below, and their
                extents, widths and heights in pixels without padding, float32 ``[batch, 2]``.
            training: not used.

        Returns:
            ``proposals`` ``[batch, 300, 4]``; ``valid``, which of them are not padding, bool ``[batch, 300]``;
            ``probabilities`` ``[batch, 300, classes + 1]``, background first; and ``boxes``
            ``[batch, 300, classes, 4]``, in pixels.
        """
        images, extents = inputs
        features = self.shared(images, training=False)
        regions, _, valid = self.propose(features, extents)
        logits, deltas = self.score(self.region_features(features, regions), self.image_features(features, extents))
        moved = decode(deltas * BOX_WEIGHTS, regions[:, :, None])
        boxes = tf.reshape(clip_boxes(tf.reshape(moved, [tf.shape(moved)[0], -1, 4]), extents), tf.shape(moved))
        return {"proposals": regions, "valid": valid, "probabilities": tf.nn.softmax(logits), "boxes": boxes}

    def forward(
        self, images: Tensor, extents: Tensor, boxes: Tensor, object_status: Tensor, classes: Tensor, seeds: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The losses of a training batch, as :func:`~keras_resnet.detection.detection_batches` describes it.

        Returns:
            Float32 ``[batch]``, and its four terms ``[batch, 4]`` in the order of ``LOSSES``.
        """
        features = self.shared(images, training=True)
        terms = dict.fromkeys(LOSSES, tf.zeros([tf.shape(images)[0]]))
        if "proposals" in self.learn:
            levels = self.anchor_levels(features)
            anchors, scores, deltas = _joined(levels)
            draws = _draws(seeds, tf.shape(anchors)[0], 0)
            labels, matches = sample_anchors(anchors, boxes, object_status, extents, draws)
            losses = proposal_losses(scores, deltas, anchors, labels, matches, boxes)
            terms |= dict(zip(LOSSES[:2], losses, strict=True))
        if "regions" in self.learn:
            if self.proposals_from is not None:
                regions, valid = self.proposals_from(images, extents)
            elif "proposals" in self.learn:
                regions, _, valid = propose(levels, extents, TRAINING_PROPOSALS, self.proposals.smallest)
            else:
                regions, _, valid = self.propose(features, extents, TRAINING_PROPOSALS)
            draws = _draws(seeds, tf.shape(regions)[1] + tf.shape(boxes)[1], 1)
            sample = sample_regions(
                tf.stop_gradient(regions), valid, boxes, object_status, classes, draws, self.region_head.regions
            )
            region_features = self.region_features(features, sample[0], training=True)
            logits, deltas = self.score(region_features, self.image_features(features, extents, training=True))
            terms |= dict(zip(LOSSES[2:], region_losses(logits, deltas, *sample), strict=True))
        values = tf.stack(list(terms.values()), axis=1)
        return tf.reduce_sum(values, axis=1), values

    def take_proposals_from(self, other: "FasterRCNN") -> None:
        """Learn regions from the proposals of another detector, which does not learn (4-step training, step 2)."""

        def proposals(images: Tensor, extents: Tensor) -> tuple[Tensor, Tensor]:
            boxes, _, valid = other.propose(other.shared(images, training=False), extents, TRAINING_PROPOSALS)
            return boxes, valid

        self.proposals_from = proposals  # a function, which hides the other model from Keras

    def get_config(self) -> dict[str, Any]:
        """Plain values, from which :meth:`from_config` makes the same detector without its weights."""
        specs = {key: value for spec in SPEC_TYPES for key, value in asdict(getattr(self, spec)).items()}
        return {
            "backbone": self.backbone_config, "classes": self.class_names, **specs, "learn": self.learn,
            "name": self.name,
        }  # fmt: skip

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> "FasterRCNN":
        """The detector that a saved configuration describes, with random weights."""
        config = dict(config)
        backbone = backbones.rebuild(config.pop("backbone"))
        specs = {
            name: spec(**{field.name: config.pop(field.name) for field in fields(spec) if field.name in config})
            for name, spec in SPEC_TYPES.items()
        }
        name = config.pop("name", None)
        model = cls(backbone, **specs, **config)
        model.name = name or model.name
        return model

    def __dir__(self) -> list[str]:
        """The attributes that Keras saves in this order, without ``box_predictor``, which files have in ``layers``."""
        return [name for name in super().__dir__() if name != "box_predictor"]


def _draws(seeds: Tensor, count: Tensor, number: int) -> Tensor:
    """Uniform random numbers ``[batch, count]`` in [0, 1), those of each image from its seed in ``[batch, 2]``."""

    def draw(seed: Tensor) -> Tensor:
        return tf.random.stateless_uniform([count], tf.random.experimental.stateless_fold_in(seed, number))

    return tf.map_fn(draw, seeds, fn_output_signature=tf.TensorSpec([None], tf.float32))


def _joined(levels: Sequence[Level]) -> tuple[Tensor, Tensor, Tensor]:
    """The anchors, scores and deltas of all levels, one after the other."""
    if len(levels) == 1:
        return levels[0][:3]
    anchors, scores, deltas, _ = zip(*levels, strict=True)
    return tf.concat(anchors, axis=0), tf.concat(scores, axis=1), tf.concat(deltas, axis=1)
