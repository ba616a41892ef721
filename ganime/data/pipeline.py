"""From pictures to batches: a `tf.data` pipeline in which every batch is a function of (seed, step)."""

import atexit
import threading
import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from ganime.data.joined import as_pictures
from ganime.errors import InputError


def make_dataset(
    pictures,
    image_size: int,
    batch_size: int,
    first_step: int = 0,
    last_step: int | None = None,
    seed: int = 0,
    flips: bool = False,
    shares: tuple[int, int, int] = (0, 1, 1),
) -> tf.data.Dataset:
    """Batches of pictures for the steps from `first_step` up to but not including `last_step`.

    Each epoch is a permutation of all pictures, drawn statelessly (`index_shuffle`), so no shuffle buffer is held and any
    step can be the first. An epoch may end, and the next begin, within a batch.

    Args:
        pictures: `PictureFolder`, `PackedPictures`, `DrawnFaces`, what else `ganime.fit` takes, or anything with `len()` and
            `load_batch(indices, size)` to uint8 [count, size, size, 3].
        image_size: Side of the pictures in pixels.
        batch_size: Pictures in a batch.
        first_step, last_step: Which steps' batches; None for no end.
        seed: Seed of the order and of the flips.
        flips: Whether to mirror a random half of the pictures, left to right.
        shares: (first, here, in all): every batch is parted into so many equal shares in all, a divisor of `batch_size`, and
            this data set gives so many of them from the first on, one after another. That is what a worker of a distributed
            training reads.

    Returns:
        A data set of uint8 [batch_size / all shares, image_size, image_size, 3].

    Raises:
        InputError: If there are no pictures in a batch, or none to take them from.

    Example:
        >>> from ganime.data.drawn import DrawnFaces
        >>> next(iter(make_dataset(DrawnFaces(), image_size=64, batch_size=8))).shape
        TensorShape([8, 64, 64, 3])
    """
    if not hasattr(pictures, "load_batch"):
        pictures = as_pictures(pictures)
    count = len(pictures)
    if batch_size < 1 or image_size < 1 or not count:
        raise InputError(f"no batch can be made of {batch_size} pictures of {image_size}x{image_size} out of {count}")
    first_share, shares_here, shares_in_all = shares
    size = batch_size // shares_in_all

    def draw(number):
        step, share = number // shares_here, first_share + number % shares_here
        indices, mirrored = draw_batch(step, count, batch_size, seed, flips)
        here = slice(share * size, (share + 1) * size)
        images = tf.numpy_function(load, [indices[here], mirrored[here]], tf.uint8)
        return tf.ensure_shape(images, [size, image_size, image_size, 3])

    def load(indices, mirrored):
        with _loaders:
            batch = pictures.load_batch(indices.tolist(), image_size)
            pixels = batch.view("V3")[..., 0]  # three bytes moved as one: three times as fast
            pixels[mirrored] = pixels[mirrored, :, ::-1]
        return batch

    numbers = tf.data.Dataset.counter(first_step * shares_here)
    if last_step is not None:
        numbers = numbers.take((last_step - first_step) * shares_here)
    return numbers.map(draw, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(2 * shares_here)


def draw_batch(step: tf.Tensor, count: int, batch_size: int, seed: int, flips: bool) -> tuple[tf.Tensor, tf.Tensor]:
    """Which pictures a step's batch is of, int64 [batch_size], and which of them are mirrored, bool [batch_size].

    Args:
        step: The step's number, an int64 scalar.
        count: Pictures that there are.
        batch_size, seed, flips: As for `make_dataset`.
    """
    places = step * batch_size + tf.range(batch_size, dtype=tf.int64)
    # The op behind tf.random.experimental.index_shuffle. That one takes no seed for each index, and mixes 4 rounds only:
    # of 1,000 pictures, places before and after then correlate by up to 0.4; from 8 rounds on as by chance.
    epochs = tf.pad((places // count)[:, None], [[0, 0], [1, 1]], constant_values=seed)
    last = tf.constant(count - 1, tf.int64)
    indices = tf.raw_ops.RandomIndexShuffle(index=places % count, seed=epochs, max_index=last, rounds=16)
    drawn = tf.random.stateless_uniform([batch_size], [seed, step]) if flips else tf.ones([batch_size])
    return indices, drawn < 0.5


def resident_batches(images: np.ndarray, batch_size: int, seed: int, flips: bool) -> Callable[[tf.Tensor], tf.Tensor]:
    """Batches gathered from pictures that the device holds: bit for bit those of `make_dataset`.

    Args:
        images: uint8 [count, height, width, 3].
        batch_size, seed, flips: As for `make_dataset`.

    Returns:
        A function for TensorFlow's graph from a step's number, an int64 scalar, to uint8 [batch_size, height, width, 3].
    """
    held = tf.Variable(images, trainable=False)

    def next_batch(step):
        with tf.device("CPU:0"):  # which alone has the op that shuffles
            indices, mirrored = draw_batch(step, len(images), batch_size, seed, flips)
        batch = tf.gather(held, indices)
        return tf.where(mirrored[:, None, None, None], tf.reverse(batch, [2]), batch) if flips else batch

    return next_batch


class _Loaders:
    """Counts the batches being loaded, and lets Python end between two of them: in the middle of one it would wait forever,
    each for the other, when an iterator is left open."""

    def __init__(self):
        self.lock, self.working, self.last = threading.Lock(), 0, 0.0
        atexit.register(self.finish)

    def __enter__(self):
        with self.lock:
            self.working += 1

    def __exit__(self, *error):
        with self.lock:
            self.working -= 1
            self.last = time.monotonic()

    def finish(self, quiet=0.1):
        """Wait until nothing has been loaded for a while: what is prefetched is complete then."""
        while self.working or time.monotonic() - self.last < quiet:
            time.sleep(quiet / 10)


_loaders = _Loaders()
