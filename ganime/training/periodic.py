"""When a callback has something to do, and what a training can do without."""

import logging
import math
from contextlib import contextmanager

import keras

from ganime.bounds import check_whole
from ganime.errors import GanimeError

log = logging.getLogger("ganime")


def next_multiple(step: int, every: int) -> int:
    """The first multiple of `every` after a step."""
    return (step // every + 1) * every


class Periodic(keras.callbacks.Callback):
    """What happens every so many steps of a `ganime.GAN`.

    Args:
        every: How many; None for what is not bound to a step.

    Raises:
        InputError: If `every` is not a whole number of 1 or more.
    """

    def __init__(self, every: int | None = None):
        super().__init__()
        if every is not None:
            check_whole(every=every)
        self.every, self.seen = every, 0

    @property
    def step(self):
        """The model's own: an execution may be of several steps."""
        return int(self.model.step.numpy())

    def on_train_begin(self, logs=None):
        self.seen = self.step

    def next_due(self, step: int) -> float:
        """The next step after which this is to be called (see `ganime.training.loop.train`)."""
        return math.inf if self.every is None else next_multiple(step, self.every)

    def is_due(self):
        """Whether a multiple of `every` is among the steps since this was last asked."""
        before, self.seen = self.seen, self.step
        return self.seen // self.every > before // self.every

    def each_step(self, logs: dict) -> list[tuple[int, dict]]:
        """The steps that `on_train_batch_end` tells of, and what each logs: those of a stretch, or one."""
        rows = [*getattr(logs, "earlier", ()), logs]
        return [*enumerate(rows, self.step - len(rows) + 1)]


class Dispensable(Periodic):
    """What a training can do without: if it cannot be written, the log says so, once, and the next occasion is a new try."""

    told = False

    @contextmanager
    def or_go_on(self):
        """Let what fails within not end the training."""
        try:
            yield
        except (OSError, GanimeError) as error:
            if not self.told:
                where = getattr(error, "filename2", None) or getattr(error, "filename", None)
                reason = f"{where} cannot be written ({error.strerror})" if where else str(error)
                log.warning("%s; training goes on", reason)
            self.told = True
