"""The steps of a detector's testing, compiled once a detector for images of any size."""

import tensorflow as tf

from keras_resnet.detection.data.batches import prepare_image
from keras_resnet.detection.faster_rcnn import TEST_PROPOSALS, FasterRCNN
from keras_resnet.detection.losses import BOX_WEIGHTS
from keras_resnet.detection.suppression import propose
from keras_resnet.typing import Tensor


def compiled_parts(model: FasterRCNN) -> "CompiledParts":
    """Those of ``model``, which keeps them, because each Detector that traced them again would take seconds."""
    parts = model.__dict__  # not through setattr, with which Keras would track them
    if "compiled_parts" not in parts:
        parts["compiled_parts"] = CompiledParts(model)
    return parts["compiled_parts"]


class CompiledParts:
    """Compiled functions of a detector; the weights that they use are those of the moment.

    Attributes:
        features: from images uint8 ``[photos, height, width, 3]`` and the shorter and longer sides in pixels to which
            they are resized, to feature maps ``[photos, height, width, channels]`` and float32 ``[1, 2]``, the width
            and height of the resized images.
        propose: from the maps of one photo and this width and height to boxes ``[n, 4]``, best first, and whether all
            outputs are finite.
        pooled: from the maps of one photo and boxes ``[1, n, 4]`` to the features ``[n, width]`` of these regions.
        outputs: from features ``[n, width]`` and those of the whole image ``[1, width]`` to probabilities
            ``[n, classes + 1]`` and deltas ``[n, classes, 4]``.
    """

    def __init__(self, model: FasterRCNN):
        maps = [tf.TensorSpec([1, None, None, output.shape[-1]]) for output in model.shared.outputs]
        boxes, width = tf.TensorSpec([1, None, 4]), model.head.output.shape[-1]
        images, number = tf.TensorSpec([None, None, None, 3], tf.uint8), tf.TensorSpec([], tf.float32)

        @tf.function(input_signature=[images, number, number], autograph=False)
        def features(images: Tensor, shorter: Tensor, longer: Tensor) -> tuple[list[Tensor], Tensor]:
            prepared = tf.map_fn(
                lambda image: prepare_image(image, shorter, longer, model.preprocessing),
                images,
                fn_output_signature=tf.TensorSpec([None, None, 3]),
            )
            extents = tf.cast(tf.reverse(tf.shape(prepared)[1:3], [0]), tf.float32)[None]
            outputs = tf.nest.flatten(model.shared(prepared, training=False))
            return [tf.cast(output, tf.float32) for output in outputs], extents

        @tf.function(input_signature=[maps, tf.TensorSpec([1, 2])], autograph=False)
        def proposals(features: list[Tensor], extents: Tensor) -> tuple[Tensor, Tensor]:
            levels = model.anchor_levels([tf.cast(level, model.shared.compute_dtype) for level in features])
            boxes, _, valid = propose(levels, extents, TEST_PROPOSALS, model.proposals.smallest)
            outputs = (part for level in levels for part in (level.scores, level.deltas))
            finite = [tf.reduce_all(tf.math.is_finite(part)) for part in outputs]
            return boxes[0][valid[0]], tf.reduce_all(finite)

        @tf.function(input_signature=[maps, boxes], autograph=False)
        def pooled(features: list[Tensor], boxes: Tensor) -> Tensor:
            return model.region_features(features, boxes)[0]

        @tf.function(input_signature=[tf.TensorSpec([None, width]), tf.TensorSpec([1, width])], autograph=False)
        def outputs(region_features: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
            logits, deltas = model.score(region_features[None], context[None])
            return tf.nn.softmax(logits)[0], deltas[0] * BOX_WEIGHTS

        self.features, self.propose, self.pooled, self.outputs = features, proposals, pooled, outputs
