"""The command that finds and shows edits."""

from pathlib import Path

import click

from ganime.commands.outputs import check_picture_name, check_pixels, force_option
from ganime.commands.tools import faces_options, find_model, is_file, open_faces, progress_bar, quiet_start
from ganime.errors import GanimeError, InputError

SEEDS = "0,1,2"
STRENGTHS = (-3, -2, -1, 0, 1, 2, 3)


@click.command()
@click.argument("generator", required=False, metavar="[RUN[@STEP]|FILE.keras]")
@faces_options(SEEDS)
@click.option("--sheet", type=click.Path(path_type=Path), metavar="FILE", help="Show a film strip of every edit there.")
@force_option
@click.option("--again", is_flag=True, help="Find them anew even if there are some.")
def edits(generator, sheet, force, again, **chosen):
    """Find what can be edited in a generator's faces, and show it.

    The edits of a run or of a .keras file are found once, in a few minutes, and stored beside the generator; the one
    that ships has its own. `generate --edit NAME=STRENGTH` uses them. The table says for how many faces two deviations either
    way do what the name says, and how much of the largest other change comes with it, both on faces not used to find them.

    --sheet shows each edit from -3 to 3 deviations on the faces of --seeds or --latents.

    \b
    Examples:
      python cli.py edits
      python cli.py edits faces-default --sheet edits.png
      python cli.py generate --run faces-default --edit hair-brightness=+1.5
    """
    from ganime.data.names import show
    from ganime.generation.edits import Edits, edits_path
    from ganime.generation.sampling import find_generator

    if generator is not None and (chosen["run_name"] is not None or chosen["model"] is not None):
        raise InputError(f"{show(generator)} and --run or --model exclude each other")
    if generator is not None:
        chosen["model" if is_file(generator) else "run_name"] = generator
    if sheet:
        check_picture_name("--sheet", sheet, force)
    elif force or chosen["seeds"] or chosen["latents"] or chosen["strengths"] or chosen["truncation"] != 1:
        raise InputError("--seeds, --latents, --truncation, --edit and --force are for --sheet")
    faces = open_faces(default_seeds=SEEDS, **chosen) if sheet else None  # fails before the long part
    path = faces[-1] if sheet else find_generator(find_model(chosen["run_name"], chosen["model"]))
    place = edits_path(path)
    found = None if again else _load_current(path)
    if found is None:
        with quiet_start():
            from ganime.generation.sampling import load_generator

            model = load_generator(path)
        with progress_bar("steps", interrupted="Nothing was stored.") as report:
            found = Edits.find(model, report)
        found.save(path)
    click.echo(f"{show(place)}: {len(found.names)} edits")
    for name, right, spill in sorted(zip(found.names, found.right, found.spill, strict=True)):
        click.echo(f"{name:>24}  the right way for {right:.1%} of faces, with up to {spill:.2f} of another change")
    if sheet and not found.names:
        raise GanimeError(f"{show(sheet)} is not written: there is no edit to show")
    if sheet:
        _save_sheet(sheet, found, *faces[:2])
        click.echo(f"{show(sheet)}: each from {STRENGTHS[0]} to {STRENGTHS[-1]} deviations")


def _load_current(path):
    """The stored edits, or None if there are none for the generator as it is now."""
    from ganime.generation.edits import Edits, edits_path

    if not edits_path(path).exists():
        return None
    try:
        return Edits.load(path)
    except InputError as error:
        click.echo(f"{error.args[0].rpartition(';')[0]}; they are found anew.")
        return None


def _save_sheet(path, edits, generator, points):
    import numpy as np

    from ganime.generation.sampling import paint
    from ganime.pictures.grids import add_caption, make_grid, save_picture

    columns = max(1, round(len(edits.names) ** 0.5 / 2))
    height, width = generator.output_shape[1:3]
    rows = -(-len(edits.names) // columns) * len(points)
    check_pixels("--sheet", path, columns * len(STRENGTHS) * width, rows * height)
    strips = []
    for name in edits.names:
        moved = np.stack([edits.apply(points, {name: strength}) for strength in STRENGTHS], axis=1)
        faces = paint(generator, moved.reshape(-1, points.shape[1]))
        strips.append(add_caption(make_grid(faces, len(STRENGTHS), gap=0), name))
    save_picture(path, make_grid(strips, columns, gap=4))
