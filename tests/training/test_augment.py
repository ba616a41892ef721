import numpy as np
import pytest
import tensorflow as tf

from ganime.training.augment import POLICIES, augment


@pytest.mark.parametrize("policy", [*[(name,) for name in POLICIES], tuple(POLICIES)])
def test_a_seed_is_a_transformation_and_gradients_flow(images, policy):
    x = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = augment(x, policy, [1, 2])
    assert y.shape == x.shape
    assert np.array_equal(y, augment(x, policy, [1, 2]))
    assert not np.allclose(y, augment(x, policy, [1, 3]))
    assert float(tf.norm(tape.gradient(y, x))) > 0


def test_no_policy_is_the_identity(images):
    assert np.array_equal(augment(images, (), [1, 2]), images)


def test_translation_moves_each_picture_by_up_to_an_eighth():
    dot = np.zeros((200, 32, 32, 1), np.float32)
    dot[:, 16, 16] = 1
    moved = np.argwhere(augment(tf.constant(dot), ("translation",), [5, 6]).numpy()[..., 0] == 1)
    assert np.array_equal(moved[:, 0], np.arange(200))  # one dot in every picture
    for axis in (1, 2):
        assert sorted(set(moved[:, axis] - 16)) == list(range(-4, 5))


def test_color_keeps_the_place_of_everything(images):
    """Brightness, saturation and contrast are affine: what is equal in a picture stays equal."""
    flat = np.repeat(np.repeat(images[:, :1, :1], 32, 1), 32, 2)
    y = augment(tf.constant(flat), ("color",), [1, 2]).numpy()
    assert np.allclose(y, y[:, :1, :1], atol=1e-5)


def test_cutout_hides_at_most_a_quarter():
    y = augment(tf.ones((100, 32, 32, 3)), ("cutout",), [1, 2]).numpy()
    hidden = (y == 0).mean(axis=(1, 2, 3))
    assert hidden.min() > 0
    assert 0.2 < hidden.max() <= 0.25
