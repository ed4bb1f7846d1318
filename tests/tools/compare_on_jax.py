"""Run by test_study_on_jax.py with KERAS_BACKEND=jax: the compiled steps, and Keras' own, from the same weights.

Two networks are trained side by side, and Keras trains the second one alone.

python compare_on_jax.py OUT.npz
"""

import sys
from dataclasses import replace

import jax
import keras
import numpy as np
from jax_trainer import JaxTrainer, views
from pack_images import Images

import keras_resnet
from keras_resnet.specs import find_spec
from keras_resnet.training.stepping.optimizer import SGD

BATCH, STEPS, RATES = 8, 5, (0.1, 0.1, 0.1, 0.01, 0.01)
keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)
images = rng.integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
part = Images(images, (images[:, 4, 4, 0] // 26).astype(np.int32))
spec = replace(find_spec("ResNet20"), name="ResNet8", blocks=(1, 1, 1))
networks = [keras_resnet.build(spec, input_shape=(16, 16, 3)) for _ in range(2)]
network = networks[1]
weights = network.get_weights()
trainer = JaxTrainer(networks, part, BATCH, 1e-4, seeds=[2, 3])
order = trainer.positions(0, STEPS)[1]
view, inputs = jax.jit(views), trainer.inputs._replace(key=trainer.inputs.key[1])
batches = [np.asarray(view(inputs, positions, number)) for number, positions in enumerate(order)]

rates = np.stack([np.full(STEPS, 0.01), RATES])
state, losses_of_both, _ = trainer.train(trainer.start(), 0, rates[:, :2])
state, later_losses, _ = trainer.train(state, 2, rates[:, 2:])
recalibrated = trainer.recalibrated(state, 0, STEPS)
trainer.assign(recalibrated)
ours = network.get_weights()
outputs = network.predict(images - np.asarray(trainer.inputs.mean), verbose=0)

network.set_weights(weights)
network.compile(SGD(l2=1e-4), keras.losses.SparseCategoricalCrossentropy())
losses = []
for x, positions, rate in zip(batches, order, RATES, strict=True):
    network.optimizer.learning_rate = rate
    losses.append(float(network.train_on_batch(x, part.labels[positions])))
theirs = network.get_weights()
arrays = {f"ours{k}": v for k, v in enumerate(ours)} | {f"theirs{k}": v for k, v in enumerate(theirs)}
moving = [place for place, v in enumerate(network.variables) if v.name.startswith("moving")]
probe = keras.Model(network.input, network.get_layer("conv1_conv").output)
results = {
    "order": order,
    "batches": batches,
    "images": images,
    "labels": part.labels,
    "mean": trainer.inputs.mean,
    "moving": moving,
    "losses": losses,
    "our_losses": [losses_of_both[1], later_losses[1]],
    "error": trainer.errors(recalibrated, part)[1],
    "outputs": outputs,
    "first_maps": [probe.predict(x, verbose=0) for x in batches],
    "names": [v.path for v in network.variables],
}
np.savez(sys.argv[1], **results, **arrays)
