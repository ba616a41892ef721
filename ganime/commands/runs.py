"""The command that lists the runs."""

import click

from ganime.commands.tools import echo
from ganime.data.names import show
from ganime.errors import one_line


@click.command()
def runs():
    """List the runs: how far they are, how good, how large.

    The last trained comes first. The score is the last kernel distance to real faces, lower is better (docs/measuring.md);
    where nothing was measured there are the last losses, which do not say how good the faces are.

    \b
    Examples:
      python cli.py runs
      python cli.py fit --data faces --evaluate-every 1000      (measures)
      python cli.py generate --run faces-default                (uses one)
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ganime.overview import runs as list_runs
    from ganime.run import ROOT

    found = list_runs()
    if not found:
        echo(f"There are no runs in {show(ROOT.resolve())}; train one with `fit`.")
        return
    console = Console(highlight=False, emoji=False)
    console = console if console.is_terminal else Console(highlight=False, emoji=False, width=195)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("run", "recipe", "pictures"):
        table.add_column(name, overflow="fold", min_width=16)
    for name in ("side", "step"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("score", no_wrap=True)
    table.add_column("MB", justify="right", no_wrap=True)
    table.add_column("last trained", no_wrap=True)
    rows = [_describe(run) for run in found]
    if kept := any(run.snapshots for run in found):
        table.add_column("snapshots", no_wrap=True)
    if any(run.problem for run in found):
        table.add_column("what is wrong", overflow="fold", min_width=16)
    for cells in rows:
        table.add_row(*map(Text, (cells if kept else [*cells[:8], *cells[9:]])[: len(table.columns)]))
    if console.measure(table, options=console.options.update_width(1000)).minimum <= console.width:
        console.print(table)
        return
    for run, (name, recipe, pictures, side, step, score, size, trained, snapshots, problem) in zip(found, rows, strict=True):
        click.echo(name)
        lines = [recipe, f"{pictures}, {side}x{side}"] if run.recipe else []
        lines += [", ".join(filter(None, [f"step {step}", score, f"{size} MB", trained])), snapshots, problem]
        for line in filter(None, lines):
            click.echo(click.wrap_text(line, console.width, "  ", "    "))


def _describe(run):
    """The cells of a run's row; what others wrote into its files is made harmless."""
    pictures = f"{run.data}: {run.pictures:,}" if run.recipe else ""
    recipe = f"{run.recipe}, from {run.start}" if run.start else run.recipe
    cells = [run.name, recipe, pictures, str(run.image_size or ""), f"{run.step:,}", ", ".join(run.describe_scores())]
    snapshots = f"{run.snapshots:,}: {run.snapshots_size / 1e6:,.1f} MB" if run.snapshots else ""
    cells += [f"{run.size / 1e6:,.1f}", f"{run.trained:%Y-%m-%d %H:%M}", snapshots, run.problem]
    return [one_line(cell, longest=300) for cell in cells]
