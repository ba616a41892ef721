import keras
import numpy as np
import pytest
import tensorflow as tf

from ganime.networks.transposed import double, halve, quick_form


def gradients(function, *inputs):
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = function(*inputs)
        loss = tf.reduce_sum(outputs * tf.cast(tf.random.stateless_normal(tf.shape(outputs), [5, 6]), outputs.dtype))
    return outputs, *tape.gradient(loss, inputs)


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-6), ("bfloat16", 1e-2)])
@pytest.mark.parametrize("side, outputs", [(4, 9), (6, 5), (8, 3), (8, 16)])
def test_both_are_tensorflows_own_convolutions(side, outputs, dtype, tolerance):
    """In each of the ways, forwards and backwards."""
    images = tf.random.stateless_normal((2, side, side, 7), [1, 2])
    kernel = tf.random.stateless_normal((4, 4, outputs, 7), [3, 4])
    shape = (2, 2 * side, 2 * side, outputs)
    large = tf.random.stateless_normal(shape, [7, 8])
    for ours, theirs, inputs in (
        (double, lambda x, k: tf.nn.conv2d_transpose(x, k, shape, 2, "SAME"), images),
        (halve, lambda x, k: tf.nn.conv2d(x, k, 2, "SAME"), large),
    ):
        found = gradients(ours, tf.cast(inputs, dtype), tf.cast(kernel, dtype))
        for one, other in zip(found, gradients(theirs, inputs, kernel), strict=True):
            assert one.dtype == dtype and one.shape == other.shape
            assert np.linalg.norm(tf.cast(one, "float32") - other) < tolerance * np.linalg.norm(other)


@pytest.mark.parametrize("size", [8, 9])
@pytest.mark.parametrize("options", [{}, {"padding": "same", "strides": 2, "activation": "relu"}, {"use_bias": False}])
def test_convolutions_of_all_kinds(size, options):
    layer = keras.layers.Conv2D(5, 4, **options)
    images = tf.random.stateless_normal((2, size, size, 3), [1, 2])
    expected = layer(images)
    assert quick_form(layer) is layer
    quick = quick_form(layer, training=True)
    assert quick is not layer and np.allclose(quick(images), expected, atol=1e-5)
