"""What a training leaves for people to look at. None of it ends a training: what cannot be written is named on the log, once,
and tried again at the next occasion."""

import errno
import itertools
import logging
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from ganime.bounds import check_whole
from ganime.data.names import show
from ganime.files import atomic_write
from ganime.generation.conditions import make_latents
from ganime.history import Summary, cut_after, read_rows, summarize
from ganime.pictures import grids
from ganime.pictures.animation import choose_evenly, save_animation
from ganime.run import list_samples
from ganime.training.periodic import Dispensable, Periodic

MOST_ROWS = 32  # of a grid, one for each label

log = logging.getLogger("ganime")


class SampleGrid(Dispensable):
    """Save a grid of the averaged generator's faces for the same latents every so many steps, at step 0 and at the last.

    Where there are labels, it has a row for each of the first 32, in which are the faces of the same seeds.

    Args:
        folder: Where to write `step-000100.png` and so on.
        every: Steps between two grids.
        count: Faces in a grid; with labels about so many, 4 to 16 in a row.
        seed: The faces are those of the seeds `seed` to `seed + count - 1`.

    Raises:
        InputError: If `every` or `count` is not a whole number of 1 or more.
    """

    def __init__(self, folder: str | os.PathLike, every: int = 100, count: int = 64, seed: int = 0):
        super().__init__(every)
        check_whole(count=count)
        self.folder, self.count, self.seed = Path(folder), count, seed

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        if self.step == 0:
            self.save(0)

    def on_train_batch_end(self, batch, logs=None):
        if self.is_due():
            self.save(self.step)

    def on_train_end(self, logs=None):
        if self.step % self.every and not self.model.stop_training:
            self.save(self.step)

    def save(self, step):
        generator, labels = self.model.averaged_generator, self.model.labels[:MOST_ROWS]
        columns = min(16, max(4, self.count // len(labels))) if labels else None
        seeds = range(self.seed, self.seed + (columns or self.count))
        parts = [make_latents(generator, seeds, labels=label) for label in labels or [None]]
        faces = grids.to_uint8(generator(np.concatenate(parts), training=False))
        with self.or_go_on():
            grid = grids.make_grid(faces, columns)
            grids.save_picture(self.folder / f"step-{step:06d}.png", grids.add_names(grid, labels) if labels else grid)


class _Clock(Periodic):
    def __init__(self, history):
        super().__init__()
        self.history = history

    def on_train_batch_end(self, batch, logs=None):
        self.history.end_step()


class History(Dispensable):
    """Append a row for every step to a CSV file: step, seconds of training, images per second, and the step's logs. The seconds
    count everything since training began; images per second are those of the step alone, reading the pictures included, without
    what callbacks do between steps. Steps of a stretch share its time. (Where Keras executes several steps at once, there is a
    row for the last of them only.)

    When training goes on from a saved state, rows after its step are dropped first, so that no step is there twice; where rows
    cannot be read, the file as it was is kept beside it. What a step does not log is not a number in its row; what a later step
    logs for the first time becomes a new column. Rows that cannot be written wait until they can.

    Args:
        path: The CSV file.
        batch_size: Pictures per step.
        summary: What the history came to when the state was saved; without it the file is read from its beginning.

    Attributes:
        summary: What it comes to now.
        clock: A callback to be given before all others that take time when a step ends, as `Evaluation` does; else the step's
            time is up when this one's turn comes.
    """

    def __init__(self, path: str | os.PathLike, batch_size: int, summary: Summary | None = None):
        super().__init__()
        check_whole(batch_size=batch_size)
        self.path, self.batch_size, self.file = Path(path), batch_size, None
        self.began = self.ended = None
        self.clock = _Clock(self)
        self.summary = summary or Summary()

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self.first, self.waiting, self.columns = self.step, [], None
        with self.or_go_on():
            self.expected = self.summary.rows
            if self.summary.step != self.first:
                self.summary, self.expected = summarize(self.path, self.first), 0
            self._cut()
        self.last_time = time.monotonic()

    def on_train_batch_begin(self, batch, logs=None):
        self.began, self.ended = time.monotonic(), None

    def end_step(self):
        """What callbacks do from now on is none of the step's time."""
        self.ended = self.ended or time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        self.end_step()
        now, rows = time.monotonic(), self.each_step(logs)
        steps, duration = self.step - self.summary.step, (now - self.last_time) / len(rows)
        self.last_time = now
        rate = self.batch_size * steps / max(self.ended - self.began, 1e-9)
        for step, values in rows:
            row = {"step": str(step), "seconds": f"{self.summary.seconds + duration:.3f}", "images_per_second": f"{rate:.2f}"}
            row |= {name: repr(float(value)) for name, value in sorted(values.items())}
            self.summary.add({name: float(value) for name, value in row.items()})
            self.waiting.append(row)
        with self.or_go_on():
            try:
                self._write()
            except OSError:
                self.close()
                raise

    def on_train_end(self, logs=None):
        self.close()

    def close(self):
        """Close the file; after an exception Keras does not call `on_train_end`."""
        if self.file:
            with suppress(OSError):
                self.file.close()
            self.file = None

    def _cut(self):
        """Leave in the file the rows up to the step from which training goes on."""
        if cut_after(self.path, self.summary):
            self.columns, self.size = self.summary.names, self.summary.size
            return
        names, rows, table, damaged = read_rows(self.path)
        rows = [row for row, values in zip(rows, table, strict=True) if values[names.index("step")] <= self.first]
        if damaged or len(rows) < self.expected:
            kept = "it is not there any more"
            if self.path.exists():
                beside = (self.path.with_stem(f"{self.path.stem}-damaged-{number}") for number in itertools.count(1))
                copy = next(path for path in beside if not path.exists())
                shutil.copyfile(self.path, copy)
                kept = f"as it was, it is kept as {copy.name}"
            log.warning("%s lacks rows of this training, or has some that cannot be read: %s", self.path, kept)
        self._replace(names if rows else [], rows)

    def _replace(self, names, rows):
        if names:
            with atomic_write(self.path) as part:
                part.write_text("".join([",".join(names) + "\n", *rows]), encoding="utf-8", newline="\n")
        else:
            self.path.unlink(missing_ok=True)
        self.columns, self.size = names, self.path.stat().st_size if names else 0

    def _write(self):
        if self.columns is None:
            self._cut()
        names = [*dict.fromkeys([*self.columns, *(name for row in self.waiting for name in row)])]
        if new := names[len(self.columns) :]:  # earlier rows have no values for them
            self.close()
            before = self.path.read_bytes()[: self.size].decode().splitlines()[1:] if self.columns else []
            self._replace(names, [row + ",nan" * len(new) + "\n" for row in before])
        if self.file is None:
            # Unbuffered, so that a kill loses no row of a saved step; open as long as training lasts.
            self.file = open(self.path, "r+b", buffering=0)  # noqa: SIM115
            self.file.truncate(self.size)  # what was written of a row when the disk was full
            self.file.seek(self.size)
        text = "".join(",".join(row.get(name, "nan") for name in names) + "\n" for row in self.waiting).encode()
        if self.file.write(text) < len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        self.size += len(text)
        self.summary.names, self.summary.size = names, self.size
        self.waiting.clear()


class Plots(Dispensable):
    """Draw `losses.png`, `scores.png` and, where there are scores of `ganime.metrics`, `quality.png` every so many steps, as
    long as that takes a fiftieth of the time at most, and when training ends.

    Args:
        history: The `History` of the training, which comes before this among its callbacks.
        folder: Where to write.
        every: Steps between two drawings.

    Raises:
        InputError: If `every` is not a whole number of 1 or more.
    """

    def __init__(self, history: History, folder: str | os.PathLike, every: int = 500):
        super().__init__(every)
        self.history, self.folder, self.next_time = history, Path(folder), 0.0

    def on_train_batch_end(self, batch, logs=None):
        if self.is_due() and (began := time.monotonic()) > self.next_time:
            self.save()
            self.next_time = began + 50 * (time.monotonic() - began)

    def on_train_end(self, logs=None):
        self.save()

    def save(self):
        if self.history.summary.rows:
            with self.or_go_on():
                grids.save_plots(self.history.summary.means(), self.history.summary.score_table(), self.folder)


class ProgressGif(Dispensable):
    """Make an animation of a folder's sample grids when training ends.

    Args:
        folder: Where `SampleGrid` writes.
        path: The `.gif`.
        most: The GIF shows at most so many grids, evenly chosen.
        max_size: Its longer side in pixels, at most.

    Raises:
        InputError: If `most` or `max_size` is not a whole number of 1 or more.
    """

    def __init__(self, folder: str | os.PathLike, path: str | os.PathLike, most: int = 100, max_size: int = 400):
        super().__init__()
        check_whole(most=most, max_size=max_size)
        self.folder, self.path, self.most, self.max_size = Path(folder), Path(path), most, max_size

    def on_train_end(self, logs=None):
        if samples := list_samples(self.folder):
            with self.or_go_on():
                save_animation(self.path, choose_evenly(samples, self.most), max_size=self.max_size)
        else:
            log.warning("%s is not made: there are no grids of SampleGrid in %s", show(self.path), show(self.folder))
