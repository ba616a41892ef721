"""Ctrl-C, SIGTERM and a terminal that goes away while training."""

import signal
import sys
import threading
from contextlib import suppress

from ganime.training.periodic import Periodic


class StopOnSignal(Periodic):
    """Let training end after the present step, or stretch of steps, on Ctrl-C or SIGTERM; a second one ends the program as
    usual. A signal that was ignored stays so, and SIGHUP is ignored: the training goes on when its terminal is gone.

    Where several workers train together, one's signal ends the training of all, a step later.

    Attributes:
        received: The signal's number, or None.
    """

    def __init__(self):
        super().__init__()
        self.received, self.before = None, {}

    def on_train_begin(self, logs=None):
        self.received = None
        self.model.stop_votes.assign(0.0)
        if threading.current_thread() is threading.main_thread():
            handlers = {signal.SIGINT: self._stop, signal.SIGTERM: self._stop}
            if hasattr(signal, "SIGHUP"):  # not on Windows
                handlers[signal.SIGHUP] = signal.SIG_IGN
            self.before = {
                number: signal.signal(number, handler)
                for number, handler in handlers.items()
                if signal.getsignal(number) is not signal.SIG_IGN
            }

    def on_train_batch_end(self, batch, logs=None):
        if self.model.stop_votes.numpy() > 0:  # somebody's, before this step
            self.received = self.received or signal.SIGTERM
        elif self.received and self.model.distribute_strategy.num_replicas_in_sync > 1:
            self.model.stop_votes.assign(1.0)
            return
        if self.received:
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        self.close()

    def close(self):
        """Give the signals back to whoever handled them before; Keras itself does not call back after an exception."""
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _stop(self, number, frame):
        self.received = number
        signal.signal(number, self.before[number])
        # The training may be about to write itself, and the terminal may be gone.
        with suppress(RuntimeError, OSError, ValueError, AttributeError):
            sys.stderr.write("\nStopping, then saving; once more to leave without saving.\n")
