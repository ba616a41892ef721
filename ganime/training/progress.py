"""What a training shows while it goes on: on a terminal, in a notebook, and where neither is."""

import html
import io
import time
from contextlib import suppress

from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ganime.errors import one_line
from ganime.run import list_samples
from ganime.training.hardware import find_hardware
from ganime.training.periodic import Periodic

WARM_UP = 5  # steps that are not timed: the first ones trace and allocate
ESTIMATE = 25  # the step after which the whole duration is told
REFRESH = 0.5  # seconds from one change of what is seen to the next
WIDTH = 640  # of a notebook's grid in pixels, at most


class _Progress(Periodic):
    """What is said, and when; a subclass has the place: `begin(lines)`, `tell(line)`, `show(step, text)` and `close()`.

    Args:
        title: Lines of (name, value) shown before training; those about the model are added here.
        steps: The last step.
        batch_size: Pictures per step.
    """

    def __init__(self, title, steps, batch_size):
        super().__init__()
        self.title, self.steps, self.batch_size = title, steps, batch_size

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        self.first = self.step
        parameters = [
            sum(v.shape.num_elements() for v in network.trainable_variables)
            for network in (self.model.generator, self.model.discriminator)
        ]
        lines = {
            **self.title,
            "networks": "generator {:,} and discriminator {:,} trainable parameters".format(*parameters),
            "device": _devices(self.model.distribute_strategy),
        }
        if self.first:
            lines["continues"] = f"from step {self.first:,}"
        self.begin(lines)
        self.untimed, self.told, self.last = 0, False, None
        self.started = self.shown = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        step, now = self.step, time.monotonic()
        if self.untimed < WARM_UP:
            self.started, self.untimed = now, step - self.first
            return
        self.last = step, now, logs
        estimate = not self.told and step - self.first >= ESTIMATE
        if estimate or now - self.shown >= REFRESH or step >= self.steps:
            self._report(estimate)

    def on_train_end(self, logs=None):
        if self.last:
            self._report()
        self.close()

    def _report(self, estimate=False):
        step, self.shown, logs = self.last
        done = step - self.first
        seconds = max(self.shown - self.started, 1e-9) / (done - self.untimed)  # a coarse clock stands still meanwhile
        left = (self.steps - step) * seconds
        if estimate:
            self.told = True
            self.tell(f"{self.steps - self.first:,} steps will take about {_duration(left + done * seconds)}")
        losses = "  ".join(f"{name} {float(logs[name]):.3f}" for name in ("d_loss", "g_loss"))
        self.show(step, f"{losses}  {self.batch_size / seconds:.1f} images/s  {_duration(left)} left")


class TerminalProgress(_Progress):
    """Say what is trained on what, then show one bar over all steps, or a line a minute where the output is no terminal.

    Args:
        title: Lines of (name, value) shown before training; those about the model are added here.
        steps: The last step.
        batch_size: Pictures per step.
    """

    def __init__(self, title, steps, batch_size):
        super().__init__(title, steps, batch_size)
        self.console = Console(highlight=False, emoji=False)
        self.bar = Progress(
            TextColumn("step"),
            MofNCompleteColumn(),
            BarColumn(bar_width=None),
            TextColumn("{task.description}"),
            console=self.console,
            refresh_per_second=1 / REFRESH,
            disable=not self.console.is_terminal,
        )

    def begin(self, lines):
        for name, value in lines.items():
            self.tell(f"{name:>10}  {value}")
        self.task = self.bar.add_task("starting", total=self.steps, completed=self.first)
        self.printed = time.monotonic()
        with suppress(OSError):
            self.bar.start()

    def tell(self, line):
        """Print a line, or what can be printed of it: no training ends because its terminal or log does."""
        encoding = self.console.encoding
        text = one_line(line, longest=None).encode(encoding, "backslashreplace").decode(encoding)
        with suppress(OSError):
            self.console.print(text, markup=False, soft_wrap=True)

    def show(self, step, text):
        self.bar.update(self.task, completed=step, description=text)
        if not self.console.is_terminal and time.monotonic() - self.printed > 60:
            self.printed = time.monotonic()
            self.tell(f"step {step:,}/{self.steps:,}  {text}")

    def close(self):
        """Leave the terminal as it was, after an error too."""
        with suppress(OSError):
            self.bar.stop()


class NotebookProgress(_Progress):
    """A bar that moves and, beneath it, the newest sample grid. Both are replaced in their places, so no lines add up.

    Args:
        title, steps, batch_size: As for `TerminalProgress`.
        samples_path: The folder of `SampleGrid`, which is to come before this among the callbacks.
    """

    def __init__(self, title, steps, batch_size, samples_path):
        super().__init__(title, steps, batch_size)
        self.samples_path, self.bar = samples_path, None

    def begin(self, lines):
        from IPython.display import display

        self.caption = " · ".join(map(str, lines.values()))
        self.now, self.grid, self.newest = (self.first, "starting"), None, None
        self.bar = display(self._draw(), raw=True, display_id=True)
        self._refresh()

    def tell(self, line):
        pass  # the bar says how long it takes

    def show(self, step, text):
        self.now = step, text
        self._refresh()

    def close(self):
        """Show where training has ended, after an error too."""
        if self.bar:
            self._refresh()
            self.bar = None

    def _refresh(self):
        from IPython.display import display

        self.bar.update(self._draw(), raw=True)
        if (samples := list_samples(self.samples_path)) and samples[-1] != self.newest:
            self.newest = samples[-1]
            if self.grid:
                self.grid.update(_small_picture(self.newest[1]))
            else:
                self.grid = display(_small_picture(self.newest[1]), display_id=True)

    def _draw(self):
        step, text = self.now
        about = f"step {step:,} of {self.steps:,}"
        bar = f'<progress value="{step}" max="{self.steps}" style="width: {WIDTH}px; max-width: 100%"></progress>'
        page = f"{bar}<br><b>{about}</b> &ensp; {html.escape(text)}<br><small>{html.escape(self.caption)}</small>"
        return {"text/html": page, "text/plain": f"{about}  {text}"}


def open_progress(title, steps, batch_size, samples_path):
    """The one for where this program runs."""
    if Console().is_jupyter:
        return NotebookProgress(title, steps, batch_size, samples_path)
    return TerminalProgress(title, steps, batch_size)


def _small_picture(path):
    """As a JPEG: a notebook keeps it, and may be far from what computes."""
    from IPython.display import Image as Picture

    with Image.open(path) as image:
        image.thumbnail((WIDTH, WIDTH))
        file = io.BytesIO()
        image.convert("RGB").save(file, "JPEG", quality=90)
        return Picture(file.getvalue(), format="jpeg", width=image.width * (WIDTH // image.width))


def _devices(strategy):
    name, count = ", ".join(find_hardware(gpu_memory=False).gpus) or "CPU (no GPU found)", strategy.num_replicas_in_sync
    return name if count == 1 else f"{name}; {count} devices share each batch"


def _duration(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
