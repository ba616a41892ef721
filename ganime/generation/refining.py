"""How whole faces are, and where their latents have to go to make them more so."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ganime.errors import InputError
from ganime.generation.conditions import free_size

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


def distances_at(places: "np.ndarray | tf.Tensor", means: np.ndarray, axes: np.ndarray) -> "tf.Tensor":
    """Squared Mahalanobis distances, summed over the places: float32 [count].

    Args:
        places: Features, [count, places, channels].
        means: Theirs in pictures, [places, channels].
        axes: Whose products with features of pictures have equal variances, [places, channels, channels].
    """
    import tensorflow as tf

    offsets = tf.transpose(tf.cast(places - means, tf.float32), (1, 0, 2))
    return tf.reduce_sum(tf.square(tf.matmul(offsets, tf.cast(axes, tf.float32))), (0, 2))


def mover(
    generator: "keras.Model", look: "keras.Model", weights: np.ndarray, means: np.ndarray, axes: np.ndarray
) -> Callable[[np.ndarray, np.ndarray, np.ndarray], tuple["tf.Tensor", "tf.Tensor", "tf.Tensor"]]:
    """A graph that takes latents one step, as `Judge.refine` does.

    Args:
        generator: From latents to square images in [-1, 1].
        look: From pictures in [0, 255] to their `features` and `places`.
        weights: Of the features, in the ratio's logarithm.
        means, axes: As in `distances_at`.

    Returns:
        From latents, the steps in radians and the ratio's weights to the latents after them, to the distances of the faces
        before them, and to whether all numbers of these are finite.

    Raises:
        InputError: When it is called, if the images have no gradient.
    """
    import tensorflow as tf

    from ganime.networks.transposed import quick_network

    network, size = quick_network(generator), free_size(generator)
    signature = [tf.TensorSpec([None, generator.input_shape[-1]]), tf.TensorSpec([None]), tf.TensorSpec([None])]

    @tf.function(input_signature=signature, autograph=False)
    def move(latents, angles, ratios):
        free, labels = latents[:, :size], latents[:, size:]
        with tf.GradientTape() as tape:
            tape.watch(free)
            images = tf.cast(network(tf.concat([free, labels], 1), training=False), tf.float32)
            seen = look(tf.clip_by_value((images + 1.0) * 127.5, 0.0, 255.0))
            distances = distances_at(seen["places"], means, axes)
            value = ratios * tf.linalg.matvec(seen["features"], weights) - distances
        slope = tape.gradient(value, free)
        if slope is None:
            raise InputError("the generator's images have no gradient, so nothing says how to refine them")
        ahead, length = _directions(free)
        aside, _ = _directions(slope - ahead * tf.reduce_sum(slope * ahead, 1, keepdims=True))
        moved, _ = _directions(tf.cos(angles)[:, None] * ahead + tf.sin(angles)[:, None] * aside)
        return tf.concat([length * moved, labels], 1), distances, tf.reduce_all(tf.math.is_finite(images))

    return move


def _directions(rows):
    """Rows at length 1, those of zeros as they are, and their lengths, whose squares may be no float32."""
    import tensorflow as tf

    largest = tf.reduce_max(tf.abs(rows), 1, keepdims=True)
    rows = tf.math.divide_no_nan(rows, largest)
    length = tf.norm(rows, axis=1, keepdims=True)
    return tf.math.divide_no_nan(rows, length), largest * length
