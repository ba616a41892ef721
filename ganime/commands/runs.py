"""The command that lists the runs."""

import click


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
        click.echo(f"There are no runs in {ROOT.resolve()}; train one with `fit`.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("run", "recipe", "pictures"):
        table.add_column(name, overflow="fold")
    for name in ("side", "step"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("score", no_wrap=True)
    table.add_column("MB", justify="right", no_wrap=True)
    table.add_column("last trained", no_wrap=True)
    problems = any(run.problem for run in found)
    if problems:
        table.add_column("what is wrong", overflow="fold")
    for run in found:
        pictures = f"{run.data}: {run.pictures:,}" if run.recipe else ""
        cells = [run.name, run.recipe, pictures, str(run.image_size or ""), f"{run.step:,}", ", ".join(run.describe_scores())]
        cells += [f"{run.size / 1e6:,.1f}", f"{run.trained:%Y-%m-%d %H:%M}", *([run.problem] if problems else [])]
        table.add_row(*map(Text, cells))
    console = Console(highlight=False)
    console = console if console.is_terminal else Console(highlight=False, width=195)
    console.print(table)
