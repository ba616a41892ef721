import keras
import numpy as np
import pytest
import tensorflow as tf

from ganime.networks import build_discriminator
from ganime.training import losses


def test_binary_cross_entropy_is_the_textbook_one():
    labels, logits = np.array([[0.9], [0.1]], np.float32), np.array([[2.0], [-1.0]], np.float32)
    p = 1 / (1 + np.exp(-logits))
    expected = -(labels * np.log(p) + (1 - labels) * np.log(1 - p)).mean()
    assert float(losses.binary_cross_entropy(labels, logits)) == pytest.approx(expected, rel=1e-6)


def test_labels_fill_their_range():
    uniform = tf.random.stateless_uniform((10_000, 1), [1, 2])
    real, fake = losses.real_labels(uniform, 0.2, smoothing=0.1).numpy(), losses.fake_labels(uniform, 0.2).numpy()
    assert 0.7 <= real.min() < 0.701 and 0.899 < real.max() <= 0.9
    assert 0 <= fake.min() < 0.001 and 0.199 < fake.max() <= 0.2
    flipped = losses.flip_labels(real, tf.random.stateless_uniform((10_000, 1), [3, 4]), 0.05).numpy()
    assert (flipped != real).mean() == pytest.approx(0.05, abs=0.007)
    assert np.allclose(flipped[flipped != real], (1 - real)[flipped != real])


def test_r1_of_a_linear_discriminator_is_its_squared_norm(images):
    inputs = keras.Input((32, 32, 3))
    linear = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Flatten()(inputs)))
    expected = float(np.square(linear.trainable_variables[0].numpy()).sum())
    assert float(losses.r1_penalty(linear, tf.constant(images))) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_r1_has_a_gradient_for_every_kernel(images, norm):
    discriminator = build_discriminator(32, widths=(4, 8, 8), norm=norm, minibatch_deviation=2)
    kernels = [v.value for v in discriminator.trainable_variables if v.path.endswith("kernel")]
    with tf.GradientTape() as tape:
        penalty = losses.r1_penalty(discriminator, tf.constant(images))
    gradients = tape.gradient(penalty, kernels)
    assert all(gradient is not None and float(tf.norm(gradient)) > 0 for gradient in gradients)
