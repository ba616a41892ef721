"""What happens between steps. All are plain Keras callbacks that work with any `ganime.GAN` under `fit`."""

import os
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ganime.bounds import check_ending
from ganime.errors import GanimeError, NonFiniteError, missing
from ganime.files import atomic_write, insist
from ganime.state import sealed
from ganime.training.interrupts import StopOnSignal
from ganime.training.periodic import Periodic, next_multiple
from ganime.training.records import History, Plots, ProgressGif, SampleGrid

__all__ = ["Checkpoint", "History", "Plots", "ProgressGif", "SampleGrid", "StopOnNonFinite", "StopOnSignal", "TensorBoard"]


def __dir__():
    return __all__


REMEDY = "in a new --run, try a lower --set g_learning_rate and d_learning_rate or larger batches"


class Checkpoint(Periodic):
    """Save the whole state and the averaged generator every so many steps and when training ends, each whole or not at all.

    A state with a weight that is not finite is never saved: the one before stays. What cannot be written is tried again for a
    minute.

    Args:
        state_path: Weights, optimizers and step, for `GAN.load_weights`; ends in `.weights.h5`.
        generator_path: The averaged generator, ready to use; ends in `.keras`.
        every: Steps between two saves.
        about: Gives what else to keep with the state, of JSON's types, for `ganime.state.read_state`.
        previous_path: Where to keep the state before the last.

    Raises:
        InputError: If a path has another ending, or `every` is not a whole number of 1 or more.
        NonFiniteError: From `fit`, if a weight is not finite when it should be saved.
        GanimeError: From `fit`, if it cannot be saved.
    """

    def __init__(
        self,
        state_path: str | os.PathLike,
        generator_path: str | os.PathLike,
        every: int = 500,
        about: Callable[[], dict] = dict,
        previous_path: str | os.PathLike | None = None,
    ):
        super().__init__(every)
        check_ending("state_path", state_path, ".weights.h5")
        check_ending("generator_path", generator_path, ".keras")
        self.state_path, self.generator_path = Path(state_path), Path(generator_path)
        self.about, self.previous_path = about, previous_path and Path(previous_path)

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        saved = (path for path in (self.state_path, self.previous_path) if path)
        self.saved_step = self.step if any(path.exists() for path in saved) else None

    def on_train_batch_end(self, batch, logs=None):
        if self.is_due():
            self.save()

    def on_train_end(self, logs=None):
        self.save()

    @property
    def kept(self):
        """What there is to continue from, in words."""
        return "nothing is saved yet" if self.saved_step is None else f"the state of step {self.saved_step:,} is saved"

    def save(self):
        """Save, if that step is not saved yet."""
        if self.saved_step == self.step:
            return
        for variable in self.model.variables:
            if not tf.reduce_all(tf.math.is_finite(tf.cast(variable.value, tf.float32))):
                raise NonFiniteError(f"step {self.step}: weight {variable.path} is not finite; {REMEDY}")
        try:
            insist(self._write, f"step {self.step:,} cannot be saved")
        except GanimeError as error:
            raise GanimeError(f"{error}; {self.kept}") from error
        self.saved_step = self.step

    def _write(self):
        with sealed(self.model, self.about()) as write:
            # The generator first: once the state says that a step is done, nothing that belongs to it may be missing.
            with atomic_write(self.generator_path) as part:
                self.model.averaged_generator.save(part)
            write(self.state_path, self.previous_path)


class StopOnNonFinite(Periodic):
    """Stop at once when a logged value is infinite or not a number.

    Raises:
        NonFiniteError: From `fit`; names the step and the value.
    """

    def on_train_batch_end(self, batch, logs=None):
        causes = ("real_loss", "fake_loss", "r1")  # before the sums and scores that follow from them
        for step, row in self.each_step(logs):
            for name in sorted(row, key=lambda name: name not in causes):
                if not np.isfinite(row[name]).all():
                    raise NonFiniteError(f"step {step}: {name} is {float(row[name])}; {REMEDY}")


class TensorBoard(keras.callbacks.TensorBoard):
    """Keras' own, with the run's steps: Keras' counts from 0 again when a training is continued.

    Raises:
        GanimeError: If the package tensorboard is not installed.
    """

    def __init__(self, *args, **kwargs):
        try:
            import tensorboard  # noqa: F401
        except ImportError as error:
            raise missing("tensorboard") from error
        super().__init__(*args, **kwargs)

    def next_due(self, step: int) -> int:
        """The next step that is written (see `ganime.training.loop.train`)."""
        every = self.update_freq if isinstance(self.update_freq, int) and not self._should_trace else 1
        return next_multiple(step, every)

    def on_train_batch_begin(self, batch, logs=None):
        self._global_train_batch = int(self.model.step.numpy()) + self.model.steps_per_execution - 1  # Keras adds 1
        super().on_train_batch_begin(batch, logs)
