"""From pictures to batches: a `tf.data` pipeline in which every batch is a function of (seed, step)."""

import atexit
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from ganime.data.joined import as_pictures
from ganime.data.labelled import renumber
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
    labels: Sequence[str] | None = None,
    balance_labels: bool = False,
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
        labels: The names of the labels, in the order of their weights; by default those of the pictures, if these are
            `LabelledPictures`.
        balance_labels: Whether all labels are shown equally often. Each round of as many pictures as there are labels then has
            one of each, and a label's pictures are all shown before one comes again.

    Returns:
        A data set of uint8 [batch_size / all shares, image_size, image_size, 3]; of labelled pictures one of tuples of these
        and of the weights of the labels, float32 [batch_size / all shares, number of labels], 1 for the picture's own.

    Raises:
        InputError: If there are no pictures in a batch, or none to take them from, or they have a label that is none of these.

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
    labels = getattr(pictures, "labels", ()) if labels is None else labels
    places = renumber(pictures, labels, "those that are wanted") if labels else None
    balanced = pictures.numbers if balance_labels else None

    def draw(number):
        step, share = number // shares_here, first_share + number % shares_here
        indices, mirrored = draw_batch(step, count, batch_size, seed, flips, balanced)
        here = slice(share * size, (share + 1) * size)
        kinds = [tf.uint8, tf.int32] if labels else tf.uint8
        loaded = tf.numpy_function(load, [indices[here], mirrored[here]], kinds)
        images = tf.ensure_shape(loaded[0] if labels else loaded, [size, image_size, image_size, 3])
        return (images, tf.one_hot(tf.ensure_shape(loaded[1], [size]), len(labels))) if labels else images

    def load(indices, mirrored):
        with _loaders:
            batch = pictures.load_batch(indices.tolist(), image_size)
            pixels = batch.view("V3")[..., 0]  # three bytes moved as one: three times as fast
            pixels[mirrored] = pixels[mirrored, :, ::-1]
            return (batch, places[pictures.numbers_of(indices.tolist())]) if labels else batch

    numbers = tf.data.Dataset.counter(first_step * shares_here)
    if last_step is not None:
        numbers = numbers.take((last_step - first_step) * shares_here)
    return numbers.map(draw, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(2 * shares_here)


def draw_batch(
    step: tf.Tensor, count: int, batch_size: int, seed: int, flips: bool, numbers: np.ndarray | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Which pictures a step's batch is of, int64 [batch_size], and which of them are mirrored, bool [batch_size].

    Args:
        step: The step's number, an int64 scalar.
        count: Pictures that there are.
        batch_size, seed, flips: As for `make_dataset`.
        numbers: Of the label of each picture, if all labels are to be drawn equally often.
    """
    places = step * batch_size + tf.range(batch_size, dtype=tf.int64)
    drawn = tf.random.stateless_uniform([batch_size], [seed, step]) if flips else tf.ones([batch_size])
    if numbers is not None:
        return _draw_balanced(places, seed, numbers), drawn < 0.5
    # The op behind tf.random.experimental.index_shuffle. That one takes no seed for each index, and mixes 4 rounds only:
    # of 1,000 pictures, places before and after then correlate by up to 0.4; from 8 rounds on as by chance.
    epochs = tf.pad((places // count)[:, None], [[0, 0], [1, 1]], constant_values=seed)
    last = tf.constant(count - 1, tf.int64)
    return tf.raw_ops.RandomIndexShuffle(index=places % count, seed=epochs, max_index=last, rounds=16), drawn < 0.5


def _draw_balanced(places, seed, numbers):
    """Pictures of all labels equally often: the label by a shuffle of each round, the picture by one of the label's own."""
    counts = np.bincount(numbers)
    there = np.flatnonzero(counts)
    starts, counts = (np.cumsum(counts) - counts)[there], counts[there]
    order, starts, counts = (tf.constant(array, tf.int64) for array in (np.argsort(numbers, kind="stable"), starts, counts))

    def shuffle(index, *drawn_by, last):
        seeds = tf.stack([part + tf.zeros_like(index) for part in (seed, *drawn_by)], axis=1)
        return tf.raw_ops.RandomIndexShuffle(index=index, seed=seeds, max_index=last, rounds=16)

    rounds = places // len(there)
    label = shuffle(places % len(there), rounds, -1, last=tf.constant(len(there) - 1, tf.int64))
    count = tf.gather(counts, label)
    return tf.gather(order, tf.gather(starts, label) + shuffle(rounds % count, rounds // count, label, last=count - 1))


def resident_batches(
    images: np.ndarray,
    batch_size: int,
    seed: int,
    flips: bool,
    labelled=None,
    labels: Sequence[str] = (),
    balance_labels: bool = False,
) -> Callable[[tf.Tensor], tf.Tensor | tuple[tf.Tensor, tf.Tensor]]:
    """Batches gathered from pictures that the device holds: bit for bit those of `make_dataset`.

    Args:
        images: uint8 [count, height, width, 3].
        batch_size, seed, flips, labels, balance_labels: As for `make_dataset`.
        labelled: The pictures of these images, if there are labels.

    Returns:
        A function for TensorFlow's graph from a step's number, an int64 scalar, to uint8 [batch_size, height, width, 3]; of
        labelled pictures to these and the weights of their labels.
    """
    count, held = len(images), tf.Variable(images, trainable=False)
    balanced = labelled.numbers if balance_labels else None
    if labels:
        numbers = renumber(labelled, labels, "those that are wanted")[labelled.numbers_of([*range(count)])]
        own = tf.Variable(numbers, trainable=False)

    def next_batch(step):
        with tf.device("CPU:0"):  # which alone has the op that shuffles
            indices, mirrored = draw_batch(step, count, batch_size, seed, flips, balanced)
        batch = tf.gather(held, indices)
        batch = tf.where(mirrored[:, None, None, None], tf.reverse(batch, [2]), batch) if flips else batch
        return (batch, tf.one_hot(tf.gather(own, indices), len(labels))) if labels else batch

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
