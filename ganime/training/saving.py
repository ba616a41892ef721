"""States that are saved while training goes on, and those that are kept."""

import errno
import math
import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import tensorflow as tf

from ganime.bounds import check_ending, check_whole
from ganime.errors import GanimeError, NonFiniteError
from ganime.files import atomic_write, insist
from ganime.snapshots import MOST, kept_steps, make_room, snapshot_paths, spacing
from ganime.state import sealed
from ganime.training.forms import own_statistics
from ganime.training.periodic import Dispensable, Periodic

REMEDY = "in a new --run, try a lower --set g_learning_rate and d_learning_rate or larger batches"


class Checkpoint(Periodic):
    """Save the whole state and the averaged generator every so many steps and when training ends, each whole or not at all.

    A state with a weight that is not finite is never saved: the one before stays. What cannot be written is tried again for a
    minute.

    Args:
        state_path: Weights, optimizers and step, for `GAN.load_weights`; ends in `.weights.h5`.
        generator_path: The averaged generator, ready to use: with batch-norm statistics of its own activations, where the model
            has those that followed the generator's (see `ganime.own_statistics`). Ends in `.keras`.
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

    def save(self, keep: Callable[[Callable, Path], None] | None = None) -> None:
        """Save, if that step is not saved yet, or if it is to be kept as well.

        Args:
            keep: Keeps it: given the function that writes the state to a path, and the generator's path, before the state
                itself is replaced. What it is for, `ganime.callbacks.Snapshots`, says more.
        """
        if self.saved_step == self.step and keep is None:
            return
        for variable in self.model.variables:
            if not tf.reduce_all(tf.math.is_finite(tf.cast(variable.value, tf.float32))):
                raise NonFiniteError(f"step {self.step}: weight {variable.path} is not finite; {REMEDY}")
        try:
            insist(partial(self._write, keep), f"step {self.step:,} cannot be saved")
        except GanimeError as error:
            raise GanimeError(f"{error}; {self.kept}") from error
        self.saved_step = self.step

    def _write(self, keep):
        with sealed(self.model, self.about()) as write:
            # The generator first: once the state says that a step is done, nothing that belongs to it may be missing.
            with atomic_write(self.generator_path) as part, own_statistics(self.model.averaged_generator) as average:
                average.save(part)
            if keep:
                keep(write, self.generator_path)
            write(self.state_path, self.previous_path)


class Snapshots(Dispensable):
    """Keep the whole state and the averaged generator of step 0 and of every so many steps, each of which is saved too.

    With more than `most` besides step 0, twice as many steps lie between two from then on, and of those before every second one
    is dropped as others come, the oldest first. Which are there depends on the step, `every` and `most` alone, and not on when
    training was stopped and continued. Keeping ends no training: what cannot be written, or would leave no room for the next
    state, is named on the log and left out.

    Args:
        checkpoint: The `Checkpoint` of the same training, which comes after this one among its callbacks.
        folder: Where to write `step-012000.weights.h5`, `step-012000.keras` and so on.
        every: Steps between two that are kept; where several steps are executed at once, a multiple of those.
        most: How many are kept, at most; by default 50, or as many as there are already.

    Raises:
        InputError: If `every` or `most` is not a whole number of 1 or more.

    Example:
        >>> checkpoint = Checkpoint("gan.weights.h5", "generator.keras")  # doctest: +SKIP
        >>> gan.fit(pictures, callbacks=[Snapshots(checkpoint, "snapshots", every=1000), checkpoint])  # doctest: +SKIP
    """

    def __init__(self, checkpoint: Checkpoint, folder: str | os.PathLike, every: int = 1000, most: int | None = None):
        super().__init__(every)
        self.checkpoint, self.folder = checkpoint, Path(folder)
        self.most = max(MOST, len([step for step in kept_steps(self.folder) if step])) if most is None else most
        check_whole(most=self.most)

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self.checkpoint.on_train_begin()  # its own turn comes later
        with self.or_go_on():
            make_room(self.folder, self.every, self.most)
        if not all(path.exists() for path in snapshot_paths(self.folder, self.step)):
            self.keep()

    def on_train_batch_end(self, batch, logs=None):
        if self.is_due():
            self.keep()

    def keep(self) -> None:
        """Keep the present step, if it is one of those that stay."""
        if self.step % spacing(self.step, self.every, self.most) == 0:
            self.checkpoint.save(self._write)

    def _write(self, write: Callable, generator: Path):
        """Copies, and no links: whoever copies something onto the run's own state must not change what is kept."""
        state, copy = snapshot_paths(self.folder, self.step)
        with self.or_go_on():
            make_room(self.folder, self.every, self.most, self.step)
            variables = *self.model.variables, *self.model.optimizer.variables
            size = generator.stat().st_size + 4 * sum(math.prod(variable.shape) for variable in variables)
            self.folder.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(self.folder).free < 2 * size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(state))
            with atomic_write(copy) as part:
                shutil.copyfile(generator, part)
            write(state)
