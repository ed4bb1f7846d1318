"""The paper's optimizer."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_resnet")
class SGD(keras.optimizers.SGD):
    """Momentum SGD with L2 decay inside the gradient (Sec. 3.4): v <- m v - lr (g + l2 w), w <- w + v.

    The weights decay, the kernels of convolutions and of the classifier; biases and the scale and offset of
    normalization do not. Keras' own ``weight_decay`` is decoupled from the momentum, another and much weaker method.
    """

    def __init__(self, learning_rate=0.1, momentum=0.9, l2=1e-4, name="sgd", **kwargs):
        super().__init__(learning_rate=learning_rate, momentum=momentum, name=name, **kwargs)
        self.l2 = l2
        self.gradients_summed = False  # by the training step, over the replicas, before it calls apply

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return list(grads_and_vars) if self.gradients_summed else super()._all_reduce_sum_gradients(grads_and_vars)

    def build(self, variables):
        super().build(variables)
        self.decays = [v.name.endswith("kernel") for v in variables]  # block_1_conv_kernel in a loop

    def update_step(self, gradient, variable, learning_rate):
        if self.decays[self._get_variable_index(variable)]:
            gradient = ops.cast(gradient, variable.dtype) + self.l2 * ops.convert_to_tensor(variable)
        super().update_step(gradient, variable, learning_rate)

    def get_config(self):
        return {**super().get_config(), "l2": self.l2}
