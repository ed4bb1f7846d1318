"""Lesions against networks rebuilt without the block, and paths against the gradients they add up to."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_networks import batch, tiny

from keras_resnet import InputError, analysis
from keras_resnet.analysis.lesions import without_branch


def guesses_error(model, images, labels):
    return 100 * np.mean(np.argmax(model(images, training=False), axis=-1) != labels)


@pytest.mark.parametrize("changes", [{}, {"placement": "full_preactivation"}, {"unroll": False}, {"shortcut": "B"}])
@pytest.mark.long
def test_deletion_leaves_the_shortcut(rng, changes):
    """A network with the branch's last scale, offset or kernel at zero gives the same outputs."""
    model = tiny(rng, blocks=(2, 2), **changes)
    images, labels = batch(rng, model, 40)
    lesions = analysis.Lesions(model, images, labels, batch_size=16)
    assert lesions.error() == pytest.approx(guesses_error(model, images, labels))
    errors = {deletion.block: deletion.error for deletion in lesions.deletions()}
    assert list(errors) == ["conv2_block1", "conv2_block2", "conv3_block1", "conv3_block2"]
    if model.spec.unroll is False:
        return
    ends = ("2_bn/gamma", "2_bn/beta") if model.spec.placement == "original" else ("2_conv/kernel",)
    for block, error in errors.items():
        before = model.get_weights()
        for variable in model.variables:
            if any(variable.path.endswith(f"{block}_{end}") for end in ends):
                variable.assign(tf.zeros_like(variable.value))
        assert error == pytest.approx(guesses_error(model, images, labels))
        model.set_weights(before)


@pytest.mark.long
def test_loops_lose_the_same_blocks(rng):
    import keras_resnet

    looped = tiny(rng, blocks=(3, 3), unroll=False)
    images, labels = batch(rng, looped, 40)
    one, other = (analysis.Lesions(m, images, labels) for m in (looped, keras_resnet.convert(looped, unroll=True)))
    assert [e.error for e in one.deletions()] == [e.error for e in other.deletions()]
    assert one.permute(3, seed=1) == other.permute(3, seed=1)


@pytest.mark.long
def test_several_deletions_and_orders(rng):
    model = tiny(rng, blocks=(3, 3))
    images, labels = batch(rng, model, 20)
    lesions = analysis.Lesions(model, images, labels)
    x = images
    for part in lesions.parts:
        lesioned = part.name in ("conv2_block2", "conv3_block3")
        x = (without_branch(part) if lesioned else part.model)(x, training=False)
    expected = 100 * np.mean(np.argmax(x, axis=-1) != labels)
    assert lesions.delete("conv2_block2", "conv3_block3") == pytest.approx(expected)
    assert {count: len(errors) for count, errors in lesions.delete_random((1, 2), 3).items()} == {1: 3, 2: 3}
    swapped = lesions.permute(1)
    assert swapped.tau == pytest.approx(1 - 4 / 20)  # 5 movable blocks, one neighbouring pair, of 10, turned around
    by_name = {part.name: part.model for part in lesions.parts}
    order = [part.name for part in lesions.parts]
    candidates = []
    for a, b in (("conv2_block1", "conv2_block2"), ("conv2_block2", "conv2_block3"), ("conv3_block2", "conv3_block3")):
        names = [b if n == a else a if n == b else n for n in order]
        x = images
        for name in names:
            x = by_name[name](x, training=False)
        candidates.append(100 * np.mean(np.argmax(x, axis=-1) != labels))
    assert swapped.error in candidates


def test_plain_blocks_are_skipped_where_shapes_allow(rng):
    model = tiny(rng, blocks=(2, 2), residual=False)
    images, labels = batch(rng, model, 20)
    lesions = analysis.Lesions(model, images, labels)
    assert lesions.blocks == ["conv2_block1", "conv2_block2", "conv3_block2"]
    with pytest.raises(InputError, match="conv3_block1 cannot be deleted"):
        lesions.delete("conv3_block1")
    with pytest.raises(InputError, match="which has only one path"):
        analysis.paths(model, images, labels)


def test_the_gradients_of_all_paths_add_up_to_the_network_s(rng):
    """With one block, the gradients of branch and shortcut add up to the whole gradient."""
    model = tiny(rng, blocks=(1,), filters=(3,))
    images, labels = batch(rng, model, 3)
    paths = analysis.paths(model, images, labels, draws=1)
    stem, block, head = analysis.split(model)
    x = stem.model(images, training=False)
    with tf.GradientTape() as tape:
        tape.watch(x)
        shortcut_only = without_branch(block)(x, training=False)
        y = block.model(x, training=False)
        losses = keras.losses.sparse_categorical_crossentropy(labels, head.model(y, training=False))
    assert shortcut_only.shape == y.shape
    whole = tape.gradient(losses, x).numpy()
    with tf.GradientTape() as tape:
        tape.watch(y)
        losses = keras.losses.sparse_categorical_crossentropy(labels, head.model(y, training=False))
    top = tape.gradient(losses, y).numpy()
    through_shortcut = top * (np.asarray(y) > 0)  # the ReLU behind the addition
    sizes = [np.mean(np.linalg.norm(g.reshape(3, -1), axis=1)) for g in (through_shortcut, whole - through_shortcut)]
    np.testing.assert_allclose(paths.gradients, sizes, rtol=1e-4)
    np.testing.assert_allclose(paths.shares, [0.5, 0.5])
    assert paths.effective_length == pytest.approx(sizes[1] / sum(sizes), rel=1e-4)


def test_scores_that_are_not_finite_are_no_right_answers(rng):
    model = tiny(rng, blocks=(2, 2))
    images, labels = batch(rng, model, 8)
    images[3] = np.nan
    with pytest.raises(InputError, match=r"not finite for 1 of 8 photos \(3\)"):
        analysis.Lesions(model, images, labels).error()
