"""What `fit` costs over its bare training step: pipeline, callbacks, history, grids and saved states included.

Segments of both alternate within one training, so a slow moment of the machine meets both. Run from the project's root:

    python -m benchmarks.fit_overhead --data FOLDER
"""

import statistics
import tempfile
import time
from pathlib import Path

import click
import keras
import tensorflow as tf

import ganime


class BareSegments(keras.callbacks.Callback):
    """After every segment of `fit`, time as many bare steps on one batch that lies in memory.

    Args:
        batch: The batch, uint8.
        length: Steps in a segment.
    """

    def __init__(self, batch, length):
        super().__init__()
        self.batch, self.length = batch, length
        self.fit_seconds, self.bare_seconds = [], []

    def on_train_begin(self, logs=None):
        self.train_step = tf.function(self.model.train_step)
        self.train_step(self.batch)
        self.done = 0

    def on_train_batch_end(self, batch, logs=None):
        self.done += 1
        if self.done % self.length:
            return
        if self.done > self.length:  # the first segment includes tracing
            self.fit_seconds.append(time.perf_counter() - self.since)
        step = int(self.model.step.numpy())
        since = time.perf_counter()
        for _ in range(self.length):
            logs = self.train_step(self.batch)
        float(logs["g_loss"])
        if self.done > self.length:
            self.bare_seconds.append(time.perf_counter() - since)
        self.model.step.assign(step)  # so that grids and states come when they are due
        self.since = time.perf_counter()


@click.command()
@click.option("--data", required=True, help="Folder of pictures.")
@click.option("--recipe", default="default", show_default=True)
@click.option("--segments", default=5, show_default=True)
@click.option("--length", default=60, show_default=True, help="Steps in a segment; each ends with a grid.")
def main(data, recipe, segments, length):
    """Print the ratio of `fit` to the bare step, segment by segment; the last one saves the state."""
    recipe = ganime.get_recipe(recipe)
    pictures = ganime.PictureFolder(data)
    batch = next(iter(ganime.make_dataset(pictures, recipe.image_size, recipe.batch_size)))
    timer = BareSegments(batch, length)
    steps = (segments + 1) * length
    with tempfile.TemporaryDirectory() as folder:
        run = ganime.Run(Path(folder) / "run")
        ganime.fit(run, recipe, pictures, steps, sample_every=length, save_every=steps, callbacks=(timer,))
    ratios = [fit / bare for fit, bare in zip(timer.fit_seconds, timer.bare_seconds, strict=True)]
    click.echo("segment  bare ms/step  fit ms/step  fit/bare")
    for i, (fit, bare, ratio) in enumerate(zip(timer.fit_seconds, timer.bare_seconds, ratios, strict=True)):
        click.echo(f"{i:7}  {bare / length * 1000:12.1f}  {fit / length * 1000:11.1f}  {ratio:8.3f}")
    total = sum(timer.fit_seconds) / sum(timer.bare_seconds)
    click.echo(f"all      {'':12}  {'':11}  {total:8.3f}  (median {statistics.median(ratios):.3f})")


if __name__ == "__main__":
    main()
