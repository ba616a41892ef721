"""Random numbers as functions of a seed and a place in the global batch: the same on CPUs and GPUs, on one device or several,
and compiled by XLA or not.

Everything comes from the bits of Philox (Salmon et al. 2011), of which TensorFlow promises that; of what it makes of them under
XLA, floating-point numbers are others than without (2.21).
"""

import math

import tensorflow as tf

from ganime.training import replicas


def split(seed: tf.Tensor, count: int) -> list[tf.Tensor]:
    """So many new seeds out of one; seeds are integers of shape [2]."""
    return tf.unstack(tf.random.split(seed, count, alg="philox"))


def integers(shape, seed, low: int, high: int) -> tf.Tensor:
    """Integers from `low` up to but not including `high`: int32 of a shape whose first axis is the batch's."""
    return replicas.part(lambda whole: tf.random.stateless_uniform(whole, seed, low, high, tf.int32, alg="philox"), shape)


def uniform(shape, seed, axis: int = 0) -> tf.Tensor:
    """Numbers in [0, 1), multiples of 2**-24: float32 of a shape in which `axis` is the batch's."""
    bits = replicas.part(
        lambda whole: tf.random.stateless_uniform(whole, seed, None, None, tf.uint32, alg="philox"), shape, axis
    )
    return tf.cast(tf.bitwise.right_shift(bits, 8), tf.float32) * 2.0**-24


def normal(shape, seed) -> tf.Tensor:
    """Numbers of the standard normal distribution (Box and Muller 1958): float32 of a shape whose first axis is the batch's."""
    radius, angle = tf.unstack(uniform((2, *shape), seed, axis=1))
    return tf.sqrt(-2.0 * tf.math.log(1.0 - radius)) * tf.cos(2.0 * math.pi * angle)
