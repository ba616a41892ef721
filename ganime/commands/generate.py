"""The command that makes faces."""

import math
from functools import partial
from pathlib import Path

import click

from ganime.commands.outputs import (
    MOST_PIXELS,
    MOST_SIDE,
    check_free,
    check_latents_name,
    check_place,
    free_name,
    output_options,
)
from ganime.commands.tools import faces_options, open_faces
from ganime.errors import InputError

SEEDS = "0-63"
GRIDS = (".png", ".jpg", ".jpeg", ".webp")
OTHERS = (".gif", ".bmp", ".tif", ".tiff", ".avif", ".npy", ".zip", ".tar", ".gz", ".parquet", ".pdf", ".mp4")


@click.command()
@faces_options(SEEDS)
@output_options("faces.png", "A .png, .jpg or .webp for a grid, .npz for an array, else a folder.", "PATH")
@click.option(
    "--save-latents", "latents_path", type=click.Path(path_type=Path), metavar="FILE.npy", help="Also write the faces' latents."
)
def generate(output, force, latents_path, **chosen):
    """Make faces with a trained generator: one grid, an array, or single files in a folder.

    Without --run and --model it is the generator that ships with ganime (checkpoints/anime-face-64.md). The same seed
    gives the same face on every machine. An .npz has them in the order of the seeds, uint8 [count, height, width, 3], as
    programs that score pictures take them; so does `evaluate --images`.

    \b
    Examples:
      python cli.py generate --seeds 0-63
      python cli.py generate --run faces-default --seeds 7,11,100-199 --output faces/
      python cli.py generate --model generator.keras --truncation 0.7
      python cli.py generate --seeds 0-49999 --output faces.npz
      python cli.py generate --seeds 7,11 --save-latents two.npy
    """
    from ganime.data.names import show
    from ganime.generation.latents import parse_seeds, save_latents
    from ganime.generation.sampling import paint
    from ganime.pictures import grids

    output = output or free_name("faces.png", force)
    ending = output.suffix.lower()
    grid, array = ending in GRIDS, ending == ".npz"
    check_place("--output", output, folder=not (grid or array))
    if grid or array:
        check_free("--output", output, force)
    if latents_path is not None:
        check_latents_name("--save-latents", latents_path, force)
        if latents_path.resolve() == output.resolve():
            raise InputError("--save-latents and --output are the same")
    if ending in OTHERS and not output.is_dir():
        kinds = f"{', '.join(GRIDS)} for a grid, .npz for an array, or give a folder"
        raise InputError(f"--output {show(output)}: nothing is written as {ending}; take {kinds}")
    check = partial(_check_grid, output) if grid else None
    generator, points, source = open_faces(default_seeds=SEEDS, check=check, **chosen)
    if grid:
        grids.save_picture(output, grids.make_grid(paint(generator, points)))
    elif array:
        from ganime.data.arrays import save_array

        batches = (paint(generator, points[start : start + 64]) for start in range(0, len(points), 64))
        save_array(output, (len(points), *generator.output_shape[1:]), batches)
    else:
        numbers = range(len(points)) if chosen["latents"] else parse_seeds(chosen["seeds"] or SEEDS)
        for number in numbers:
            check_free("--output", _place(output, number), force)
        for start in range(0, len(points), 64):
            faces = paint(generator, points[start : start + 64])
            for number, face in zip(numbers[start:], faces, strict=False):
                grids.save_picture(_place(output, number), face)
    if latents_path:
        save_latents(latents_path, points)
    click.echo(f"{show(output)}: {len(points):,} faces of {show(source)}")


def _place(folder, number):
    return folder / f"face-{number:06d}.png"


def _check_grid(output, generator, count):
    """Refuse a grid that is too large to be made in memory, or to be looked at."""
    from ganime.data.names import show
    from ganime.pictures.grids import GAP

    height, width = (side + GAP for side in generator.output_shape[1:3])
    most = min(math.isqrt(MOST_PIXELS // (height * width)), MOST_SIDE // max(height, width)) ** 2
    if count > most:
        raise InputError(
            f"--output {show(output)}: {count:,} faces are too many for one grid, {most:,} of this generator's size fit in it; "
            "take fewer, or give a folder"
        )
