"""The command that shows the recipes."""

import click


@click.command()
def recipes():
    """Show all recipes side by side.

    Any field can be changed with `fit --set FIELD=VALUE`. The table is 195 columns wide.

    \b
    Examples:
      python cli.py recipes
      python cli.py recipes | less -S
    """
    from dataclasses import fields

    from rich.console import Console
    from rich.table import Table

    from ganime.recipes import RECIPES, Recipe

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("field", no_wrap=True)
    for name in RECIPES:
        table.add_column(name, overflow="fold")
    table.add_column("meaning", overflow="fold")
    for field in fields(Recipe):
        values = [getattr(recipe, field.name) for recipe in RECIPES.values()]
        table.add_row(field.name, *map(_show_value, values), field.metadata["doc"])
    console = Console(highlight=False)
    console = console if console.is_terminal else Console(highlight=False, width=195)
    console.print(table)


def _show_value(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
