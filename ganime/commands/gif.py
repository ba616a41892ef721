"""The command that makes the animation of a training."""

from pathlib import Path

import click

from ganime.commands.outputs import check_file, force_option
from ganime.commands.tools import Number


@click.command()
@click.option("--run", "run_name", metavar="NAME", help="Name of the run, or a path to it.  [default: the latest]")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A .gif, .webp or .mp4.  [default: the run's progress.gif, made anew]",
)
@force_option
@click.option("--fps", default=10.0, show_default=True, type=Number(0.1, 50), help="Pictures per second.")
@click.option("--max-size", default=800, show_default=True, type=click.IntRange(64, 4096), help="Longer side in pixels.")
@click.option("--hold", default=2.0, show_default=True, type=Number(0, 600), help="Seconds that the last picture stays.")
def gif(run_name, output, force, fps, max_size, hold):
    """Make an animation of a run's sample grids.

    \b
    Examples:
      python cli.py gif
      python cli.py gif --run faces-default --output faces.mp4 --fps 20
    """
    from ganime.data.names import show
    from ganime.pictures.animation import save_animation
    from ganime.run import Run, latest_run

    if output is not None:
        check_file("--output", output, force)
    run = Run(run_name) if run_name else latest_run()
    run.read_config()
    output = output or run.gif_path
    used = save_animation(output, run.samples(), fps, max_size, hold)
    click.echo(f"{show(output)}: {used:,} pictures of run {show(run.name)}, {output.stat().st_size / 1e6:.1f} MB")
