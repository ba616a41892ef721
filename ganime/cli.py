"""The command line: parse, call, print. TensorFlow is imported only by the commands that need it."""

import io
import logging
import os
import signal
import sys
import warnings
from contextlib import contextmanager

import click

from ganime import __version__
from ganime.commands.data import data as data_group
from ganime.commands.doctor import doctor
from ganime.commands.edits import edits
from ganime.commands.evaluate import evaluate
from ganime.commands.explore import explore
from ganime.commands.export import export
from ganime.commands.fit import fit
from ganime.commands.generate import generate
from ganime.commands.gif import gif
from ganime.commands.mix import mix
from ganime.commands.process import INTERRUPTED, at_once, check_outputs, interrupt, on_signals, open_outputs
from ganime.commands.project import project
from ganime.commands.recipes import recipes
from ganime.commands.runs import runs
from ganime.commands.share import share
from ganime.commands.tools import CHECKOUT, echo, program
from ganime.commands.walk import walk
from ganime.data.names import show
from ganime.errors import GanimeError, InputError, one_line
from ganime.quiet import AroundImport


class _Group(click.Group):
    """Turns errors into one line and an exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""

    def invoke(self, context):
        try:
            return super().invoke(context)
        except InputError as error:
            raise click.UsageError(str(error).replace(CHECKOUT, program())) from error
        except GanimeError as error:
            raise click.ClickException(str(error).replace(CHECKOUT, program())) from error
        except OSError as error:
            raise click.ClickException(_in_words(error)) from error
        except MemoryError as error:
            raise click.ClickException("out of memory; try fewer or smaller pictures or batches") from error
        except KeyboardInterrupt:
            echo("Interrupted.", err=True)
            context.exit(INTERRUPTED)


def _in_words(error):
    """What the system says, as in `faces.png: Permission denied`."""
    try:
        os.getcwd()
    except OSError:
        return "the current folder is gone; change to one that is there"
    named = isinstance(error.filename, str | bytes) and error.strerror
    return one_line(f"{show(os.fsdecode(error.filename))}: {error.strerror}" if named else str(error))


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="ganime %(version)s")
def cli():
    """Train GANs on anime faces, watch them learn, and use what they learned.

    \b
    Examples:
      python cli.py fit --data faces --steps 20000
      python cli.py gif
      python cli.py generate --run faces-default
      python cli.py walk --seeds 7,11,40-45
    """


FACES = (generate, walk, mix, edits, project, explore, export, share)
for command in (fit, gif, *FACES, evaluate, doctor, data_group, recipes, runs):
    cli.add_command(command)


def _call_it(name, command):
    """Let a command's help, and that of its own commands, speak of the program by the name that it was started with."""
    command.help = command.help.replace(CHECKOUT, name)
    for part in getattr(command, "commands", {}).values():
        _call_it(name, part)


def main():
    """Run the command line; every end has its exit code (see `_Group`)."""
    open_outputs()
    handler = logging.StreamHandler()
    handler.setFormatter(_Line())
    logging.basicConfig(handlers=[handler])
    warnings.formatwarning = lambda message, category, *_: one_line(f"{category.__name__}: {message}") + "\n"
    warnings.filterwarnings("ignore", module="PIL")  # of broken pictures, which are named on the log
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever other programs of this user run on
    sys.meta_path[:0] = [AroundImport("tensorflow", at_once), AroundImport("keras", at_once), AroundImport("keras", _own_keras)]
    name = {"cli.py": CHECKOUT, "__main__.py": "python -m ganime"}.get(os.path.basename(sys.argv[0]), "ganime")
    _call_it(name, cli)
    on_signals(signal.default_int_handler)
    try:
        code = cli.main(prog_name=name, standalone_mode=False) or 0
    except click.ClickException as error:
        error.show(shown := io.StringIO())
        for line in shown.getvalue().splitlines():  # what is wrong may follow in several
            echo(one_line(line.expandtabs()), err=True)
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        echo("Interrupted.", err=True)
        code = INTERRUPTED
    on_signals(interrupt)
    sys.exit(check_outputs(code))


class _Line(logging.Formatter):
    """The message alone, which may quote a file or a library, as one line."""

    def formatMessage(self, record):
        return one_line(record.message)


@contextmanager
def _own_keras():
    """Let Keras have its defaults, whatever `keras.json` and the environment say for other programs, or fail to say."""
    kept = {name: os.environ.pop(name) for name in [*os.environ] if name.startswith("KERAS_") and name != "KERAS_BACKEND"}
    os.environ["KERAS_HOME"] = os.devnull  # a place where no file can be
    try:
        yield
    finally:
        del os.environ["KERAS_HOME"]
        os.environ.update(kept)
