"""What the command line's commands share."""

import os
import sys
import tempfile
import time
from contextlib import contextmanager

import click

from ganime.errors import GanimeError, InputError


@contextmanager
def quiet_start():
    """Import TensorFlow and find its devices without its notes, which TF_CPP_MIN_LOG_LEVEL does not reach in 2.21; they are
    shown if it fails."""
    sys.stderr.flush()
    stderr = os.dup(2)
    hidden = sys.modules.setdefault("matplotlib", None) is None  # Keras would import it, in vain, for 0.6 seconds
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            yield
            if tensorflow := sys.modules.get("tensorflow"):
                tensorflow.config.list_physical_devices()
        except GanimeError:  # says all in its one line
            raise
        except BaseException:
            notes.seek(0)
            os.write(stderr, notes.read())
            raise
        finally:
            if hidden:
                del sys.modules["matplotlib"]
            os.dup2(stderr, 2)
            os.close(stderr)


@contextmanager
def progress_bar(what="pictures", interrupted=""):
    """A function of the numbers done and to do: a bar with the time left, or a line a minute where there is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, highlight=False)
    columns = (TextColumn(what), MofNCompleteColumn(), BarColumn(bar_width=None), TimeRemainingColumn())
    printed, first = time.monotonic(), None

    def report(done, total):
        nonlocal printed, first
        progress.update(task, completed=done, total=total)
        now = time.monotonic()
        if first is None:
            first = now, done
        elif not console.is_terminal and now - printed > 60:
            printed = now
            left = (now - first[0]) / (done - first[1]) * (total - done) / 60
            console.print(f"{done:,} of {total:,} {what}, about {left:,.0f} minutes left", soft_wrap=True)

    try:
        with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
            task = progress.add_task(what, total=None)
            yield report
    except KeyboardInterrupt:
        click.echo(interrupted, err=True)
        raise


def check_outside(path, folder):
    """Refuse to write a file into a folder of pictures."""
    from ganime.data.folder import show

    if folder.resolve() in path.resolve().parents:
        raise InputError(f"{show(path)} lies in the folder of pictures; nothing in there is changed")


def check_suffix(option, path):
    """Refuse a name that does not say in what format a picture is to be written."""
    from PIL import Image

    from ganime.data.folder import show

    if path.suffix.lower() not in Image.registered_extensions():
        raise InputError(f"{option} {show(path)}: the name must end like a picture's, as in picture.png")
