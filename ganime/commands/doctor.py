"""The command that says what is wrong with a run."""

import click

from ganime.commands.tools import echo


@click.command()
@click.argument("run_name", required=False, metavar="[RUN]")
def doctor(run_name):
    """Say what is wrong with a run, how that shows, and what to try.

    Looked at are its history, its scores, its newest grid and some of the pictures that it is trained on; nothing is
    changed, and a run that is being trained can be asked too. Without a name it is the one that was trained last. The exit
    code is 0 whatever is found. docs/doctor.md says how each illness is told, and how surely.

    \b
    Examples:
      python cli.py doctor
      python cli.py doctor faces-default
      python cli.py fit --data faces --evaluate-every 1000 --stop-when copying,plateau
    """
    from ganime.doctor import diagnose

    for line in repr(diagnose(run_name)).splitlines():
        echo(line)
