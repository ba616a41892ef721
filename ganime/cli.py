"""The command line: parse, call, print. TensorFlow is imported only by the commands that need it."""

import logging
import os
import signal
import sys
import warnings

import click

from ganime import __version__
from ganime.commands.data import data as data_group
from ganime.commands.edits import edits
from ganime.commands.evaluate import evaluate
from ganime.commands.explore import explore
from ganime.commands.export import export
from ganime.commands.fit import fit
from ganime.commands.generate import generate
from ganime.commands.gif import gif
from ganime.commands.mix import mix
from ganime.commands.project import project
from ganime.commands.recipes import recipes
from ganime.commands.runs import runs
from ganime.commands.share import share
from ganime.commands.tools import CHECKOUT, program
from ganime.commands.walk import walk
from ganime.errors import GanimeError, InputError


class _Group(click.Group):
    """Turns errors into one line and an exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""

    def invoke(self, context):
        try:
            return super().invoke(context)
        except InputError as error:
            raise click.UsageError(str(error).replace(CHECKOUT, program())) from error
        except (GanimeError, OSError) as error:
            raise click.ClickException(str(error).replace(CHECKOUT, program())) from error


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


for command in (fit, gif, generate, walk, mix, edits, project, explore, export, share, evaluate, data_group, recipes, runs):
    cli.add_command(command)


def _call_it(name, command):
    """Let a command's help, and that of its own commands, speak of the program by the name that it was started with."""
    command.help = command.help.replace(CHECKOUT, name)
    for part in getattr(command, "commands", {}).values():
        _call_it(name, part)


def main():
    """Run the command line; every end has its exit code (see `_Group`)."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # a file's name that the terminal cannot show is no error
    # A way of its own to the terminal: `quiet_start` holds back what TensorFlow writes to the standard error, and not this.
    log = os.fdopen(os.dup(2), "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace")
    logging.basicConfig(format="%(message)s", stream=log)
    warnings.filterwarnings("ignore", module="PIL")  # of broken pictures, which are named on the log
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever other programs of this user run on
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    name = {"cli.py": CHECKOUT, "__main__.py": "python -m ganime"}.get(os.path.basename(sys.argv[0]), "ganime")
    _call_it(name, cli)
    try:
        cli.main(prog_name=name, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(130)
