"""What happens between steps. All are plain Keras callbacks that work with any `ganime.GAN` under `fit`."""

import keras
import numpy as np

from ganime.errors import NonFiniteError, missing
from ganime.training.interrupts import StopOnSignal
from ganime.training.periodic import Periodic, next_multiple
from ganime.training.records import History, Plots, ProgressGif, SampleGrid
from ganime.training.saving import REMEDY, Checkpoint, Snapshots

__all__ = [
    "Checkpoint",
    "History",
    "Plots",
    "ProgressGif",
    "SampleGrid",
    "Snapshots",
    "StopOnNonFinite",
    "StopOnSignal",
    "TensorBoard",
]


def __dir__():
    return __all__


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
