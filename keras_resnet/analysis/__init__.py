"""What a network costs: ``multiply_adds(model)``."""

from keras_resnet.analysis.compute import multiply_adds

__all__ = ["multiply_adds"]
