"""What happens between steps. All are plain Keras callbacks that work with any `ganime.GAN` under `fit`."""

import logging
import shutil
import time
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ganime.errors import GanimeError, NonFiniteError
from ganime.files import atomic_write
from ganime.generation import latents
from ganime.pictures import grids
from ganime.pictures.animation import save_animation
from ganime.run import list_samples, read_history
from ganime.training.interrupts import StopOnSignal  # noqa: F401 (it is one of `ganime.callbacks`)

REMEDY = "the last saved state stays; in a new --run, try a lower --set g_learning_rate and d_learning_rate or larger batches"

log = logging.getLogger("ganime")


class _ForPeople(keras.callbacks.Callback):
    """Writes what is there to be looked at, and no reason to stop: where a file may not be replaced, the last one stays."""

    told = False

    @contextmanager
    def _or_keep(self):
        try:
            yield
        except PermissionError as error:
            if not self.told:
                log.warning("%s stays as it is (%s); training goes on", error.filename, error.strerror)
            self.told = True


class SampleGrid(_ForPeople):
    """Save a grid of the averaged generator's faces for the same latents every so many steps, at step 0 and at the last.

    Args:
        folder: Where to write `step-000100.png` and so on.
        every: Steps between two grids.
        count: Faces in a grid.
        seed: The faces are those of the seeds `seed` to `seed + count - 1`.
    """

    def __init__(self, folder, every=100, count=64, seed=0):
        super().__init__()
        self.folder, self.every, self.count, self.seed = Path(folder), every, count, seed

    def on_train_begin(self, logs=None):
        if _step(self.model) == 0:
            self.save(0)

    def on_train_batch_end(self, batch, logs=None):
        if _is_due(self.model, self.every):
            self.save(_step(self.model))

    def on_train_end(self, logs=None):
        if (step := _step(self.model)) % self.every and not self.model.stop_training:
            self.save(step)

    def save(self, step):
        seeds = range(self.seed, self.seed + self.count)
        images = self.model.averaged_generator(latents.from_seeds(seeds, self.model.latent_size), training=False)
        with self._or_keep():
            grids.save_picture(self.folder / f"step-{step:06d}.png", grids.make_grid(grids.to_uint8(images)))


class History(keras.callbacks.Callback):
    """Append a row for every step to a CSV file: step, seconds of training, images per second, and the step's logs. Where an
    execution is of several steps, a row for each, with the logs of its last step.

    When training goes on from a saved state, rows after its step are dropped first, so that no step is there twice. What a step
    does not log is not a number in its row; what a later step logs for the first time becomes a new column.

    Args:
        path: The CSV file.
        batch_size: Pictures per step.
    """

    def __init__(self, path, batch_size):
        super().__init__()
        self.path, self.batch_size, self.file = Path(path), batch_size, None

    def on_train_begin(self, logs=None):
        before = read_history(self.path)
        kept = before["step"] <= _step(self.model) if before else np.array([])
        if kept.any():
            lines = self.path.read_text().splitlines(keepends=True)
            with atomic_write(self.path) as part:
                part.write_text("".join([lines[0], *(line for line, keep in zip(lines[1:], kept, strict=False) if keep)]))
        else:
            self.path.unlink(missing_ok=True)
        self.names = list(before) if kept.any() else []
        self.seconds = float(before["seconds"][kept][-1]) if kept.any() else 0.0
        self.last_step, self.last_time = _step(self.model), time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        step, now = _step(self.model), time.monotonic()
        duration = now - self.last_time
        self.seconds += duration
        rate = self.batch_size * (step - self.last_step) / max(duration, 1e-9)
        self.last_step, self.last_time = step, now
        values = {"step": str(step), "seconds": f"{self.seconds:.3f}", "images_per_second": f"{rate:.2f}"}
        values |= {name: repr(float(value)) for name, value in sorted(logs.items())}
        if new := [name for name in values if name not in self.names]:
            self._add_columns(new)
        if self.file is None:
            # Line by line, so that a kill loses no row of a saved step; open as long as training lasts.
            self.file = open(self.path, "a", buffering=1)  # noqa: SIM115
        self.file.write(",".join(values.get(name, "nan") for name in self.names) + "\n")

    def _add_columns(self, names):
        """Write the header with these names added; earlier rows have no values for them."""
        self.close()
        rows = self.path.read_text().splitlines()[1:] if self.names else []
        self.names += names
        with atomic_write(self.path) as part:
            part.write_text("".join(f"{line}\n" for line in [",".join(self.names), *(r + ",nan" * len(names) for r in rows)]))

    def on_train_end(self, logs=None):
        self.close()

    def close(self):
        """Close the file; after an exception Keras does not call `on_train_end`."""
        if self.file:
            self.file.close()
            self.file = None


class Checkpoint(keras.callbacks.Callback):
    """Save the whole state and the averaged generator every so many steps and when training ends, each whole or not at all.

    A state with a weight that is not finite is never saved: the one before stays.

    Args:
        state_path: Weights, optimizers and step, for `GAN.load_weights`; ends in `.weights.h5`.
        generator_path: The averaged generator, ready to use; ends in `.keras`.
        every: Steps between two saves.

    Raises:
        NonFiniteError: From `fit`, if a weight is not finite when it should be saved.
        GanimeError: From `fit`, if there is not enough room on the disk.
    """

    def __init__(self, state_path, generator_path, every=500):
        super().__init__()
        self.state_path, self.generator_path, self.every = Path(state_path), Path(generator_path), every

    def on_train_begin(self, logs=None):
        self.saved_step = _step(self.model) if self.state_path.exists() else None

    def on_train_batch_end(self, batch, logs=None):
        if _is_due(self.model, self.every):
            self.save()

    def on_train_end(self, logs=None):
        if self.saved_step != _step(self.model):
            self.save()

    def save(self):
        step = _step(self.model)
        for variable in self.model.variables:
            if not tf.reduce_all(tf.math.is_finite(tf.cast(variable.value, tf.float32))):
                raise NonFiniteError(f"step {step}: weight {variable.path} is not finite; {REMEDY}")
        needed = (*self.model.variables, *self.model.g_optimizer.variables, *self.model.d_optimizer.variables)
        check_room(self.state_path.parent, needed, f"step {step:,}")
        # The generator first: once the state says that a step is done, nothing that belongs to it may be missing.
        with atomic_write(self.generator_path) as part:
            self.model.averaged_generator.save(part)
        with atomic_write(self.state_path) as part:
            self.model.save_weights(part)
        self.saved_step = step


class Plots(_ForPeople):
    """Draw `losses.png` and `scores.png` from the history file every so many steps and when training ends."""

    def __init__(self, history_path, folder, every=500):
        super().__init__()
        self.history_path, self.folder, self.every = Path(history_path), Path(folder), every

    def on_train_batch_end(self, batch, logs=None):
        if _is_due(self.model, self.every):
            self.save()

    def on_train_end(self, logs=None):
        self.save()

    def save(self):
        if history := read_history(self.history_path):
            with self._or_keep():
                grids.save_plots(history, self.folder)


class ProgressGif(_ForPeople):
    """Make an animation of a folder's sample grids when training ends.

    Args:
        folder: Where `SampleGrid` writes.
        path: The `.gif`.
        most: The GIF shows at most so many grids, evenly chosen.
        max_size: Its longer side in pixels, at most.
    """

    def __init__(self, folder, path, most=100, max_size=400):
        super().__init__()
        self.folder, self.path, self.most, self.max_size = Path(folder), Path(path), most, max_size

    def on_train_end(self, logs=None):
        if samples := list_samples(self.folder):
            chosen = np.unique(np.linspace(0, len(samples) - 1, self.most).round().astype(int))
            with self._or_keep():
                save_animation(self.path, [samples[i] for i in chosen], max_size=self.max_size)


class StopOnNonFinite(keras.callbacks.Callback):
    """Stop at once when a logged value is infinite or not a number.

    Raises:
        NonFiniteError: From `fit`; names the step and the value.
    """

    def on_train_batch_end(self, batch, logs=None):
        causes = ("real_loss", "fake_loss", "r1")  # before the sums and scores that follow from them
        for name in sorted(logs, key=lambda name: name not in causes):
            if not np.isfinite(logs[name]).all():
                raise NonFiniteError(f"step {_step(self.model)}: {name} is {float(logs[name])}; {REMEDY}")


class TensorBoard(keras.callbacks.TensorBoard):
    """Keras' own, with the run's steps: Keras' counts from 0 again when a training is continued."""

    def on_train_batch_begin(self, batch, logs=None):
        self._global_train_batch = _step(self.model) + self.model.steps_per_execution - 1  # Keras adds 1
        super().on_train_batch_begin(batch, logs)


def check_room(folder, variables, what):
    """Make the folder and see that the disk has room for the variables. A full disk would not only fail the writing: HDF5 ends
    the process with a segmentation fault.

    Raises:
        GanimeError: If it has not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    needed = 1.3 * sum(4 * int(np.prod(variable.shape)) for variable in variables) + 1e6
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise GanimeError(
            f"no room to save {what}: {needed / 1e6:,.0f} MB needed, {free / 1e6:,.0f} MB free in {folder}; "
            "the last saved state stays"
        )


def _step(model):
    return int(model.step.numpy())


def _is_due(model, every):
    """Whether a multiple of `every` is among the steps of the execution that has just ended."""
    step = _step(model)
    return step // every > (step - model.steps_per_execution) // every
