"""The process of a command: signals, and outputs that take nothing more (next to nothing is imported)."""

import errno
import io
import os
import signal
import sys
import time
from contextlib import contextmanager, suppress

INTERRUPTED = 130  # the exit code
_UNREAD = (errno.EPIPE, errno.EINVAL)  # the reader has seen enough; Windows says EINVAL


def on_signals(handler):
    """Handle Ctrl-C and SIGTERM so, unless whoever started the program had them ignored; who handled them before."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with suppress(ValueError):  # another thread than the main one cannot
        for number, earlier in before.items():
            if earlier is not signal.SIG_IGN:
                signal.signal(number, handler[number] if isinstance(handler, dict) else handler)
    return before


def leave(words):
    """End the process at once, whatever it is in the midst of; nothing is flushed or tidied up."""
    with suppress(OSError, AttributeError):
        os.write(sys.stderr.fileno(), f"{words}\n".encode(sys.stderr.encoding, "backslashreplace"))
    os._exit(INTERRUPTED)


def interrupt(number, frame):
    """A signal's handler for where nothing has been begun, or all is done."""
    leave("Interrupted.")


@contextmanager
def at_once():
    """Let signals end the process at once: an interrupted import of a library in C++ raises anything, or nothing."""
    before = on_signals(interrupt)
    try:
        yield
    finally:
        on_signals(before)


class _Lasting(io.RawIOBase):
    """A file that takes everything: what it cannot write is lost, and its first error is kept."""

    def __init__(self, raw):
        self.raw, self.error = raw, None

    def write(self, data):
        try:
            while (written := self.raw.write(data)) is None:  # a pipe of another program's that does not wait
                time.sleep(0.01)
            return written
        except OSError as error:
            self.error = self.error or error
            return len(data)

    def writable(self):
        return True

    def fileno(self):
        return self.raw.fileno()

    def isatty(self):
        return self.raw.isatty()


class Output(io.TextIOWrapper):
    """A standard stream for which no text is an error, and no fault of the disk, pipe or terminal behind it: what is shown is
    worth less than the work that it tells of.

    Args:
        number: Of the open file.
        encoding: What Python has chosen for it.

    Attributes:
        error: The first `OSError`, or None.
    """

    buffer = None  # else click goes around a stream that knows ASCII alone, and writes UTF-8

    def __init__(self, number, encoding):
        self.lasting = _Lasting(open(number, "wb", buffering=0, closefd=False))  # noqa: SIM115
        super().__init__(io.BufferedWriter(self.lasting), encoding, "backslashreplace", line_buffering=True)

    @property
    def error(self):
        self.flush()
        return self.lasting.error


def open_outputs():
    """Put an `Output` in the places of `sys.stdout` and `sys.stderr`.

    The standard error gets a way of its own to where it goes, which stays open while TensorFlow's is held back. Who closed one
    wants none: else the next file that is opened would get its number, and all that a library writes there.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(number, True)
    os.close(number)
    for name, number in (("stdout", 1), ("stderr", os.dup(2))):
        setattr(sys, name, Output(number, getattr(getattr(sys, name), "encoding", "utf-8")))


def check_outputs(code):
    """The exit code, which is 1 instead of 0 if not all could be written; unless nobody wanted to read it, that is said."""
    errors = [stream.error for stream in (sys.stdout, sys.stderr) if stream.error]
    for error in errors:
        if error.errno not in _UNREAD:
            sys.stderr.write(f"Error: not all that was to be shown could be written: {error.strerror}\n")
    sys.stderr.flush()
    return code or int(bool(errors))
