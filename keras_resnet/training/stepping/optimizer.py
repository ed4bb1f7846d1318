"""The paper's optimizer."""

from typing import Any, TypeAlias

import keras
from keras import ops

from keras_resnet.structure import stage_of, weight_of
from keras_resnet.training.stepping.keras_hooks import SumsOnce
from keras_resnet.typing import Tensor

Rates: TypeAlias = dict[str, tuple[float, int]]


@keras.saving.register_keras_serializable("keras_resnet")
class SGD(SumsOnce, keras.optimizers.SGD):
    """Momentum SGD with L2 weight decay inside the gradient (Sec. 3.4): v <- m v - lr (g + l2 w), w <- w + v.

    Only the kernels of convolutions and of the classifier decay; biases and the scale and offset of normalization do
    not. Keras' own ``weight_decay`` is decoupled from the momentum, which is a different and much weaker method.

    A variable with an attribute ``fixed``, a mask that broadcasts to it, keeps its values where that is True.

    Args:
        learning_rate: lr above.
        momentum: m above.
        l2: the factor of the weights in their gradient.
        name: of the optimizer, as Keras has it.
        rates: for a stage (``"conv1"`` ... ``"predictions"``), its share of the learning rate and the number of the
            update at which it begins to learn. Other stages learn at the full rate from the start.
        kwargs: further arguments of ``keras.optimizers.SGD``.
    """

    def __init__(
        self,
        learning_rate: float = 0.1,
        momentum: float = 0.9,
        l2: float = 1e-4,
        name: str = "sgd",
        rates: Rates | None = None,
        **kwargs: Any,
    ):
        super().__init__(learning_rate=learning_rate, momentum=momentum, name=name, **kwargs)
        self.l2 = l2
        self.rates = rates or {}

    def build(self, variables: list[keras.Variable]) -> None:
        super().build(variables)
        self.shares = [self.rates.get(stage_of(v.path), (1.0, 0)) for v in variables]
        self.decays = [weight_of(v.name) == "kernel" for v in variables]
        self.fixed = [getattr(v, "fixed", None) for v in variables]

    def update_step(self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor) -> None:
        share, start = self.shares[self._get_variable_index(variable)]
        if start:
            learning_rate = ops.where(self.iterations >= start, learning_rate, ops.zeros_like(learning_rate))
        if share != 1:
            learning_rate = learning_rate * share
        if self.decays[self._get_variable_index(variable)]:
            gradient = ops.cast(gradient, variable.dtype) + self.l2 * ops.convert_to_tensor(variable)
        fixed = self.fixed[self._get_variable_index(variable)]
        if fixed is not None:  # a constraint would have to be assigned, which replicas cannot
            gradient = ops.where(fixed, ops.zeros_like(gradient), gradient)
        super().update_step(gradient, variable, learning_rate)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "l2": self.l2, "rates": self.rates}
