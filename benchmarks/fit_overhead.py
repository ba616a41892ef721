"""What `fit` costs over its bare training step: pipeline, callbacks, history, grids and saved states included.

Both alternate within one training, a few steps each, so that a slow moment of the machine meets both. From the project's root:

    python -m benchmarks.fit_overhead --data FOLDER
"""

import tempfile
import time
from pathlib import Path

import ganime  # isort: skip  (before TensorFlow: it switches oneDNN on)
import click
import numpy as np
import tensorflow as tf

from ganime.training.periodic import Periodic


class BareSteps(Periodic):
    """After every few steps of `fit`, time as many bare steps on one batch that lies in memory.

    Args:
        batch: The batch, uint8.
        length: How many steps.
    """

    def __init__(self, batch, length):
        super().__init__(length)
        self.batch = batch
        self.fit_seconds, self.bare_seconds = [], []  # pairs of wall-clock and of this process' CPU seconds

    def on_train_begin(self, logs=None):
        self.train_step = tf.function(self.model.train_step)

    def on_train_batch_end(self, batch, logs=None):
        step, now = self.step, _clocks()
        if step % self.every:
            return
        for _ in range(self.every):
            bare = self.train_step(self.batch)
        float(bare["g_loss"])
        if step > self.every:  # the first steps of both include tracing
            self.fit_seconds.append(now - self.since)
            self.bare_seconds.append(_clocks() - now)
        self.model.step.assign(step)  # so that grids and states come when they are due
        self.since = _clocks()


def _clocks():
    return np.array([time.perf_counter(), time.process_time()])


@click.command()
@click.option("--data", required=True, help="Folder of pictures.")
@click.option("--recipe", default="default", show_default=True)
@click.option("--steps", default=300, show_default=True, help="Steps of each; with a grid after every 100, a state at the end.")
@click.option("--length", default=25, show_default=True, help="Steps between changes; at most two batches wait ready at each.")
def main(data, recipe, steps, length):
    """Print the time of a step under `fit` as a multiple of the bare step's; CPU time is the steadier on a shared machine."""
    recipe = ganime.get_recipe(recipe)
    pictures = ganime.PictureFolder(data)
    batch = next(iter(ganime.make_dataset(pictures, recipe.image_size, recipe.batch_size)))
    timer = BareSteps(batch, length)
    steps += length
    with tempfile.TemporaryDirectory() as folder:
        run = ganime.Run(Path(folder) / "run")
        ganime.fit(run, recipe, pictures, steps, sample_every=100, save_every=steps - length, callbacks=[timer])
    for i, clock in enumerate(("wall-clock", "CPU")):
        fit, bare = (np.array(pairs)[:, i] / length for pairs in (timer.fit_seconds, timer.bare_seconds))
        ratio = fit.sum() / bare.sum()
        error = np.std(fit - ratio * bare, ddof=1) / bare.mean() / len(bare) ** 0.5
        click.echo(
            f"{clock:>10}: bare step {bare.mean() * 1000:.0f} ms, under fit {fit.mean() * 1000:.0f} ms, "
            f"ratio {ratio:.3f} ± {error:.3f} (standard error, {len(bare)} pairs of {length} steps)"
        )


if __name__ == "__main__":
    main()
