"""The command that shows a training over time."""

import math
from pathlib import Path

import click

from ganime.commands.outputs import check_file, check_pixels, force_option, free_name
from ganime.commands.tools import Number, latents_options, open_faces, progress_bar, scale_options
from ganime.errors import InputError

SEEDS = "0-7"  # of a strip, where none are named
COLUMNS = 10  # of a strip


@click.command()
@click.option("--run", "run_name", metavar="NAME", help="Name of the run, or a path to it.  [default: the latest]")
@latents_options(f"the sample grids; for a .png {SEEDS}")
@click.option(
    "--columns",
    type=click.IntRange(1, 1000),
    help=f"Faces in a row.  [default: as near to a square as it goes; of a .png, {COLUMNS} steps at most]",
)
@scale_options
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A .gif, .webp or .mp4, or a .png for a strip.  [default: the run's progress.gif, made anew; for --seeds and "
    "--latents over-time.gif or, if that is taken, the next free name]",
)
@force_option
@click.option("--fps", default=10.0, show_default=True, type=Number(0.1, 50), help="Pictures per second.")
@click.option("--max-size", default=800, show_default=True, type=click.IntRange(64, 4096), help="Longer side in pixels.")
@click.option("--hold", default=2.0, show_default=True, type=Number(0, 600), help="Seconds that the last picture stays.")
def gif(run_name, columns, scale, sharp, output, force, fps, max_size, hold, **chosen):
    """Make an animation of a run's sample grids, or of any faces at the steps that it keeps.

    With --seeds or --latents each picture has these faces as a generator of `fit --keep-every` makes them, the last as the
    run's generator does now; --columns, --scale and --max-size say how they are laid out. With a .png as --output they are one
    picture: a row for each face, a column for each of --columns steps, evenly chosen.

    \b
    Examples:
      python cli.py gif
      python cli.py gif --run faces-default --output faces.mp4 --fps 20
      python cli.py gif --run faces-default --seeds 7,11,40-45 --columns 4
      python cli.py gif --run faces-default --seeds 0-5 --scale 1 --output strip.png
    """
    from ganime.data.names import show
    from ganime.pictures.animation import check_animation, save_animation
    from ganime.run import latest_run
    from ganime.snapshots import Snapshot, open_run

    strip = output is not None and output.suffix.lower() == ".png"
    faces = strip or any(chosen[name] not in (None, ()) for name in ("seeds", "latents", "labels"))
    if not faces and (columns or sharp or chosen["truncation"] != 1 or scale != 4):
        raise InputError("--columns, --scale, --sharp and --truncation are for --seeds or --latents")
    if output is not None:
        check_file("--output", output, force)
        if not strip:
            check_animation(output)
    run = open_run(run_name) if run_name else latest_run()
    if isinstance(run, Snapshot):
        raise InputError(f"--run {show(run.name)}: this shows all steps that a run keeps; leave @{run.step} out")
    run.read_config()
    if not faces:
        output = output or run.gif_path
        used = save_animation(output, run.samples(), fps, max_size, hold)
        click.echo(f"{show(output)}: {used:,} pictures of run {show(run.name)}, {output.stat().st_size / 1e6:.1f} MB")
        return
    output = output or free_name("over-time.gif", force)
    about = _save_faces(output, run, chosen, columns, (scale, sharp), None if strip else (max_size, fps, hold))
    click.echo(f"{show(output)}: {about} of run {show(run.name)}, {output.stat().st_size / 1e6:.1f} MB")


def _save_faces(output, run, chosen, columns, larger, animation):
    """Write the animation of some faces, or the strip if there is nothing to say of an animation."""
    import numpy as np

    from ganime.generation.over_time import paint_each
    from ganime.pictures.animation import choose_evenly, number, save_frames
    from ganime.pictures.grids import add_headings, enlarge, make_grid, save_picture
    from ganime.snapshots import kept_generators

    kept = kept_generators(run)
    if not animation:
        kept = choose_evenly(kept, columns or COLUMNS)

    def check(generator, count):
        across = min(count, columns or math.ceil(math.sqrt(count))) if animation else len(kept)
        height, width = (larger[0] * side for side in generator.output_shape[1:3])
        check_pixels("--output", output, across * width, (math.ceil(count / across) if animation else count) * height)

    first = {"run_name": None, "model": str(kept[0][1]), "strengths": ()}
    points = open_faces(**first, **chosen, default_seeds=SEEDS, check=check)[1]
    with progress_bar("steps") as report:

        def pictures():
            for done, (step, faces) in enumerate(paint_each(kept, points), 1):
                yield step, enlarge(faces, *larger)
                report(done, len(kept))

        if animation:
            max_size, *speed = animation
            frames = (number(make_grid(faces, columns), step, max_size) for step, faces in pictures())
            save_frames(output, frames, len(kept), *speed)
        else:
            steps, faces = zip(*pictures(), strict=True)
            strip = make_grid(np.concatenate(np.stack(faces, axis=1)), len(kept))
            save_picture(output, add_headings(strip, [f"{step:,}" for step in steps]))
    return f"{len(points):,} {'face' if len(points) == 1 else 'faces'} at {len(kept):,} {'step' if len(kept) == 1 else 'steps'}"
