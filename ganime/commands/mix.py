"""The command that shows what lies between faces."""

import click

from ganime.commands.outputs import check_picture_name, check_pixels, free_name, output_options
from ganime.commands.tools import faces_options, open_faces, scale_options

SEEDS = "0,1,2,3"


@click.command()
@faces_options(SEEDS)
@click.option(
    "--steps", default=8, show_default=True, type=click.IntRange(2, 64), help="Faces in a row, the two ends among them."
)
@scale_options
@output_options("mix.png")
def mix(steps, scale, sharp, output, force, **chosen):
    """Show what lies between faces: a row between two, a sheet between four, which are its corners.

    \b
    Examples:
      python cli.py mix
      python cli.py mix --seeds 7,11 --steps 12 --output row.png
      python cli.py mix --run faces-default --seeds 0-3 --truncation 0.7 --scale 2
    """
    from ganime.data.names import show
    from ganime.generation.latents import parse_seeds
    from ganime.generation.walks import check_corners
    from ganime.generation.walks import mix as make_mix
    from ganime.pictures.grids import check_sides, enlarge, make_grid, save_picture

    output = output or free_name("mix.png", force)
    check_picture_name("--output", output, force)
    if chosen["latents"] is None and chosen["seeds"] is not None and not chosen["labels"]:  # before the latents are made
        check_corners(parse_seeds(chosen["seeds"]))
    generator, points, source, *_ = open_faces(default_seeds=SEEDS, also=steps * steps, **chosen)
    height, width = (scale * side * steps for side in generator.output_shape[1:3])
    height = height if len(points) == 4 else height // steps
    check_pixels("--output", output, width, height)
    check_sides(output, width, height)
    faces = make_mix(generator, points, steps)
    save_picture(output, make_grid(enlarge(faces, scale, sharp), steps, gap=0))
    click.echo(f"{show(output)}: {len(faces):,} faces between {len(points)} of {show(source)}")
