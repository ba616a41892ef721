"""Differentiable augmentation of what the discriminator sees, real and generated alike (Zhao et al. 2020, DiffAugment,
https://arxiv.org/abs/2006.10738): it keeps a discriminator from learning a small set of pictures by heart."""

import tensorflow as tf

from ganime.training import draws


def augment(images: tf.Tensor, policy: tuple[str, ...], seed: tf.Tensor) -> tf.Tensor:
    """Augment a batch; the same seed gives the same transformation, and gradients flow through.

    Args:
        images: float32 [batch, height, width, 3] in [-1, 1].
        policy: Names from `POLICIES`, applied in this order; empty leaves the images as they are.
        seed: Integers of shape [2].

    Returns:
        Images of the same shape; colors may leave [-1, 1].

    Example:
        >>> augment(tf.zeros((4, 64, 64, 3)), ("color", "translation"), seed=[0, 1]).shape
        TensorShape([4, 64, 64, 3])
    """
    for name, part_seed in zip(policy, draws.split(seed, len(policy) or 1), strict=False):
        images = POLICIES[name](images, part_seed)
    return images


def _color(images, seed):
    """Brightness ±0.5, saturation times 0 to 2, contrast times 0.5 to 1.5, drawn for each picture."""
    uniform = draws.uniform((3, tf.shape(images)[0], 1, 1, 1), seed, axis=1)
    images += uniform[0] - 0.5
    grey = tf.reduce_mean(images, axis=3, keepdims=True)
    images = grey + (images - grey) * (uniform[1] * 2.0)
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    return mean + (images - mean) * (uniform[2] + 0.5)


def _translation(images, seed, share=1 / 8):
    """Shift by up to an eighth of the side in each direction; what comes in is 0 (mid grey)."""
    height, width = images.shape[1:3]
    reach = round(height * share), round(width * share)
    seeds = draws.split(seed, 2)
    images = tf.pad(images, [[0, 0], [reach[0]] * 2, [reach[1]] * 2, [0, 0]])
    for axis, size, limit, axis_seed in zip((1, 2), (height, width), reach, seeds, strict=True):
        first = draws.integers((tf.shape(images)[0], 1), axis_seed, 0, 2 * limit + 1)
        rows = images if axis == 1 else tf.transpose(images, (0, 2, 1, 3))
        rows = tf.gather(rows, first + tf.range(size), axis=1, batch_dims=1)
        images = rows if axis == 1 else tf.transpose(rows, (0, 2, 1, 3))
    return images


def _cutout(images, seed, share=1 / 2):
    """Set a square of half the side, its centre anywhere in the picture, to 0 (mid grey)."""
    height, width = images.shape[1:3]
    seeds = draws.split(seed, 2)

    def inside(size, axis_seed):
        centre = draws.integers((tf.shape(images)[0], 1), axis_seed, 0, size)
        return tf.abs(tf.range(size) - centre) < round(size * share / 2)

    hole = inside(height, seeds[0])[:, :, None] & inside(width, seeds[1])[:, None, :]
    return tf.where(hole[..., None], tf.zeros((), images.dtype), images)


POLICIES = {"color": _color, "translation": _translation, "cutout": _cutout}
