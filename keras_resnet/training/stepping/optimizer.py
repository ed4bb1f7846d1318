"""The paper's optimizer."""

import keras
from keras import ops

from keras_resnet.structure import stage_of, weight_of
from keras_resnet.training.stepping.keras_hooks import SumsOnce


@keras.saving.register_keras_serializable("keras_resnet")
class SGD(SumsOnce, keras.optimizers.SGD):
    """Momentum SGD with L2 decay inside the gradient (Sec. 3.4): v <- m v - lr (g + l2 w), w <- w + v.

    The weights decay, the kernels of convolutions and of the classifier; biases and the scale and offset of
    normalization do not. Keras' own ``weight_decay`` is decoupled from the momentum, another and much weaker method.

    ``rates`` gives stages (``"conv1"`` ... ``"predictions"``) a share of the learning rate and the update from which
    on they learn; others learn at the whole rate from the start.
    """

    def __init__(self, learning_rate=0.1, momentum=0.9, l2=1e-4, name="sgd", rates=None, **kwargs):
        super().__init__(learning_rate=learning_rate, momentum=momentum, name=name, **kwargs)
        self.l2 = l2
        self.rates = rates or {}

    def build(self, variables):
        super().build(variables)
        self.shares = [self.rates.get(stage_of(v.path), (1.0, 0)) for v in variables]
        self.decays = [weight_of(v.name) == "kernel" for v in variables]

    def update_step(self, gradient, variable, learning_rate):
        share, start = self.shares[self._get_variable_index(variable)]
        if start:
            learning_rate = ops.where(self.iterations >= start, learning_rate, ops.zeros_like(learning_rate))
        if share != 1:
            learning_rate = learning_rate * share
        if self.decays[self._get_variable_index(variable)]:
            gradient = ops.cast(gradient, variable.dtype) + self.l2 * ops.convert_to_tensor(variable)
        super().update_step(gradient, variable, learning_rate)

    def get_config(self):
        return {**super().get_config(), "l2": self.l2, "rates": self.rates}
