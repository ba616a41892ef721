"""The command that shows the recipes."""

import click

WIDTH = 195  # columns of the table


@click.command()
def recipes():
    """Show all recipes side by side, or field by field where the terminal is not 195 columns wide.

    Any field can be changed with `fit --set FIELD=VALUE`.

    \b
    Examples:
      python cli.py recipes
      python cli.py recipes | less -S
    """
    from dataclasses import fields

    from rich.console import Console
    from rich.table import Table

    from ganime.recipes import RECIPES, Recipe

    console = Console(highlight=False, emoji=False)
    if console.is_terminal and console.width < WIDTH:
        for field in fields(Recipe):
            click.echo(f"{field.name}: {field.metadata['doc']}")
            values = {}
            for name, recipe in RECIPES.items():
                values.setdefault(_show_value(getattr(recipe, field.name)), []).append(name)
            for value, names in values.items():
                click.echo(f"  {value}: {', '.join(names) if len(values) > 1 else 'all'}")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("field", no_wrap=True)
    for name in RECIPES:
        table.add_column(name, overflow="fold")
    table.add_column("meaning", overflow="fold")
    for field in fields(Recipe):
        values = [getattr(recipe, field.name) for recipe in RECIPES.values()]
        table.add_row(field.name, *map(_show_value, values), field.metadata["doc"])
    console.width = WIDTH
    console.print(table)


def _show_value(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
