"""From pictures to batches: a `tf.data` pipeline in which every batch is a function of (seed, step)."""

import numpy as np
import tensorflow as tf


def make_dataset(
    pictures,
    image_size: int,
    batch_size: int,
    first_step: int = 0,
    last_step: int = 2**62,
    seed: int = 0,
    flips: bool = False,
) -> tf.data.Dataset:
    """Batches of pictures for the steps from `first_step` up to but not including `last_step`.

    Each epoch is a permutation of all pictures, drawn statelessly (`index_shuffle`), so no shuffle buffer is held and any
    step can be the first. An epoch may end, and the next begin, within a batch.

    Args:
        pictures: `PictureFolder`, `DrawnFaces`, or anything with `len()` and `load(index, size)` to uint8 [size, size, 3].
        image_size: Side of the pictures in pixels.
        batch_size: Pictures in a batch.
        first_step, last_step: Which steps' batches.
        seed: Seed of the order and of the flips.
        flips: Whether to mirror a random half of the pictures, left to right.

    Returns:
        A data set of uint8 [batch_size, image_size, image_size, 3].

    Example:
        >>> from ganime.data.drawn import DrawnFaces
        >>> next(iter(make_dataset(DrawnFaces(), image_size=64, batch_size=8))).shape
        TensorShape([8, 64, 64, 3])
    """
    count = len(pictures)

    def draw(step):
        places = step * batch_size + tf.range(batch_size, dtype=tf.int64)
        # The op behind tf.random.experimental.index_shuffle. That one takes no seed for each index, and mixes 4 rounds only:
        # of 1,000 pictures, places before and after then correlate by up to 0.4; from 8 rounds on as by chance.
        epochs = tf.pad((places // count)[:, None], [[0, 0], [1, 1]], constant_values=seed)
        last = tf.constant(count - 1, tf.int64)
        indices = tf.raw_ops.RandomIndexShuffle(index=places % count, seed=epochs, max_index=last, rounds=16)
        mirrored = tf.random.stateless_uniform([batch_size], [seed, step]) < 0.5 if flips else tf.zeros([batch_size], tf.bool)
        images = tf.numpy_function(load, [indices, mirrored], tf.uint8)
        return tf.ensure_shape(images, [batch_size, image_size, image_size, 3])

    def load(indices, mirrored):
        batch = np.empty((batch_size, image_size, image_size, 3), np.uint8)
        for image, index, mirror in zip(batch, indices.tolist(), mirrored, strict=True):
            picture = pictures.load(index, image_size)
            image[:] = picture[:, ::-1] if mirror else picture
        return batch

    steps = tf.data.Dataset.range(first_step, last_step)
    return steps.map(draw, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(2)
