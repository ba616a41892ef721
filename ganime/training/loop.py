"""The loop of `ganime.fit`: stretches of steps that TensorFlow computes without a return to Python, of which none is lost.

Keras' own (`steps_per_execution`) tell of a stretch's last step only, and their length must divide every interval.
"""

import math
import time
from collections.abc import Callable

import keras
import tensorflow as tf

from ganime.training.checks import check_fit_arguments
from ganime.training.distribution import chiefs

SECONDS = 0.5  # of a stretch, about: as long as a progress bar, or somebody who has pressed Ctrl-C, can wait
LONGEST = 512  # steps of a stretch
STEP_METHODS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")


class StepLogs(dict):
    """What the last step of a stretch logs.

    Attributes:
        earlier: What each step of the stretch before it logs.
    """

    earlier = ()


def train(
    gan,
    source: Callable[[], Callable],
    last: int,
    callbacks: list[keras.callbacks.Callback],
    jit_compile: bool = False,
    longest: int | None = None,
) -> None:
    """Train up to a step as `gan.fit` would in one epoch, in stretches.

    Callbacks are called between stretches, with `StepLogs`. A stretch ends where one is due: `next_due(step)` of a callback is
    the next step after which it wants to be called. One that lacks this method but does something in every step gets every
    step.

    Args:
        gan: The compiled `GAN`.
        source: Gives, before each stretch, the function by which it gets its batches, within TensorFlow's graph: from the
            number of a step, an int64 scalar, to uint8 [batch, size, size, 3].
        last: The step to reach, counted from the model's beginning.
        callbacks: Keras callbacks.
        jit_compile: Whether XLA compiles the training step.
        longest: Steps of a stretch, at most; by default as many as take half a second.

    Raises:
        InputError: If one of the callbacks cannot work with a GAN.
    """
    check_fit_arguments({"x": source, "callbacks": callbacks})
    first = step = int(gan.step.numpy())
    called = keras.callbacks.CallbackList(callbacks, add_history=True, model=gan, epochs=1, steps=last - first, verbose=0)
    gan.stop_training = False
    gan.reset_metrics()
    called.on_train_begin()
    called.on_epoch_begin(0)
    one = tf.function(gan.train_step, autograph=False, jit_compile=jit_compile)  # traced and compiled once, whatever the source
    next_batch, length, fastest, kept = None, 1, math.inf, gan.steps_per_execution
    while step < last and not gan.stop_training:
        if (given := source()) is not next_batch:
            next_batch, stretch = given, _Stretch(gan, one, given)
        end = min(last, step + length, *(_next_due(callback, step) for callback in called.callbacks))
        end = chiefs(gan.distribute_strategy, end)
        gan.steps_per_execution = end - step  # where a callback asks
        called.on_train_batch_begin(step - first)
        before, began = step, time.monotonic()
        try:
            stretch(step, end)
        finally:  # what was done before an error counts
            step, seconds = int(gan.step.numpy()), time.monotonic() - began
            if step > before:
                logs = stretch.logs(step - before)
                for callback in called.callbacks:  # the list itself would give them plain dictionaries
                    callback.on_train_batch_end(step - first - 1, logs)
            gan.steps_per_execution = kept
        fastest = min(fastest, seconds / (end - before))
        length = max(1, min(longest or LONGEST, 2 * length, int(SECONDS / fastest)))
    logs = gan.get_metrics_result()
    called.on_epoch_end(0, logs)
    called.on_train_end(logs)


def _next_due(callback, step):
    if hasattr(callback, "next_due"):
        return callback.next_due(step)
    base = keras.callbacks.Callback
    in_every_step = any(getattr(getattr(callback, name), "__func__", None) is not getattr(base, name) for name in STEP_METHODS)
    return step + 1 if in_every_step else math.inf


class _Stretch:
    """Steps one after another in TensorFlow's graph. What they log is written where it stays if one of them fails."""

    def __init__(self, gan, one, next_batch):
        strategy, self.names = gan.distribute_strategy, gan.logged
        self.rows = tf.Variable(tf.zeros((LONGEST, len(self.names))), trainable=False)

        @tf.function(autograph=False)
        def run(first, count):
            def advance(i):
                logs = strategy.run(one, (next_batch(first + tf.cast(i, tf.int64)),))
                values = [strategy.reduce(tf.distribute.ReduceOp.MEAN, logs[name], axis=None) for name in self.names]
                row = tf.stack([tf.reshape(tf.cast(value, tf.float32), ()) for value in values])
                with tf.control_dependencies([self.rows.scatter_nd_update([[i]], row[None])]):
                    return i + 1

            # One at a time: an error must not find the next step begun.
            tf.while_loop(lambda i: i < count, advance, [tf.constant(0)], parallel_iterations=1)

        self._run = run

    def __call__(self, first, last):
        self._run(tf.constant(first, tf.int64), tf.constant(last - first))

    def logs(self, count):
        """What the last so many steps log."""
        *earlier, last = (dict(zip(self.names, row, strict=True)) for row in self.rows[:count].numpy().tolist())
        logs = StepLogs(last)
        logs.earlier = earlier
        return logs
