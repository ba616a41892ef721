"""What `fit` shows on a terminal: one screen before, one progress bar during training."""

import time

import keras
import tensorflow as tf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

WARM_UP = 5  # steps that are not timed: the first ones trace and allocate
ESTIMATE = 25  # the step after which the whole duration is told


class TerminalProgress(keras.callbacks.Callback):
    """Say what is trained on what, then show one bar over all steps, or a line a minute where the output is no terminal.

    Args:
        title: Lines of (name, value) shown before training; those about the model are added here.
        steps: The last step.
        batch_size: Pictures per step.
    """

    def __init__(self, title, steps, batch_size):
        super().__init__()
        self.title, self.steps, self.batch_size = title, steps, batch_size
        self.console = Console(highlight=False)
        self.bar = Progress(
            TextColumn("step"),
            MofNCompleteColumn(),
            BarColumn(bar_width=None),
            TextColumn("{task.description}"),
            console=self.console,
            refresh_per_second=2,
            disable=not self.console.is_terminal,
        )

    def on_train_begin(self, logs=None):
        self.first = int(self.model.step.numpy())
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
        for name, value in lines.items():
            self.console.print(f"{name:>10}  {value}", markup=False, soft_wrap=True)
        self.task = self.bar.add_task("starting", total=self.steps, completed=self.first)
        self.untimed, self.told = 0, False
        self.started = self.printed = time.monotonic()
        self.bar.start()

    def on_train_batch_end(self, batch, logs=None):
        step = int(self.model.step.numpy())
        now, done = time.monotonic(), step - self.first
        if self.untimed < WARM_UP:
            self.started, self.untimed = now, done
            return
        seconds = (now - self.started) / (done - self.untimed)
        left = (self.steps - step) * seconds
        if done >= ESTIMATE and not self.told:
            self.told = True
            self.console.print(f"{self.steps - self.first:,} steps will take about {_duration(left + done * seconds)}")
        losses = "  ".join(f"{name} {float(logs[name]):.3f}" for name in ("d_loss", "g_loss"))
        text = f"{losses}  {self.batch_size / seconds:.1f} images/s  {_duration(left)} left"
        self.bar.update(self.task, completed=step, description=text)
        if not self.console.is_terminal and now - self.printed > 60:
            self.printed = now
            self.console.print(f"step {step:,}/{self.steps:,}  {text}", soft_wrap=True)

    def on_train_end(self, logs=None):
        self.close()

    def close(self):
        """Leave the terminal as it was, after an error too."""
        self.bar.stop()


def _devices(strategy):
    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    name, count = ", ".join(names) or "CPU (no GPU found)", strategy.num_replicas_in_sync
    return name if count == 1 else f"{name}; {count} devices share each batch"


def _duration(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
