import keras
import numpy as np
import pytest
import tensorflow as tf

from ganime.networks.transposed import double, halve, quick_form


def gradients(function, *inputs):
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = function(*inputs)
        loss = tf.reduce_sum(outputs * tf.random.stateless_normal(tf.shape(outputs), [5, 6]))
    return outputs, *tape.gradient(loss, inputs)


@pytest.mark.parametrize("side, outputs", [(4, 9), (6, 5), (8, 3), (8, 16)])
def test_both_are_tensorflows_own_convolutions(side, outputs):
    """In each of the three ways, forwards and backwards."""
    images = tf.random.stateless_normal((2, side, side, 7), [1, 2])
    kernel = tf.random.stateless_normal((4, 4, outputs, 7), [3, 4])
    shape = (2, 2 * side, 2 * side, outputs)
    for ours, theirs in zip(
        gradients(double, images, kernel),
        gradients(lambda x, k: tf.nn.conv2d_transpose(x, k, shape, 2, "SAME"), images, kernel),
        strict=True,
    ):
        assert np.allclose(ours, theirs, rtol=1e-4, atol=1e-3)
    large = tf.random.stateless_normal(shape, [7, 8])
    for ours, theirs in zip(
        gradients(halve, large, kernel), gradients(lambda x, k: tf.nn.conv2d(x, k, 2, "SAME"), large, kernel), strict=True
    ):
        assert np.allclose(ours, theirs, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("size", [8, 9])
@pytest.mark.parametrize("options", [{}, {"padding": "same", "strides": 2, "activation": "relu"}, {"use_bias": False}])
def test_convolutions_of_all_kinds(size, options):
    layer = keras.layers.Conv2D(5, 4, **options)
    images = tf.random.stateless_normal((2, size, size, 3), [1, 2])
    expected = layer(images)
    assert quick_form(layer) is layer
    quick = quick_form(layer, training=True)
    assert quick is not layer and np.allclose(quick(images), expected, atol=1e-5)
