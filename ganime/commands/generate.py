"""The commands that make faces, and the animation of a training."""

from pathlib import Path

import click

from ganime.commands.tools import quiet_start
from ganime.errors import InputError


@click.command()
@click.option("--run", "run_name", metavar="NAME", help="Name of the run, or a path to it.  [default: the latest]")
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="FILE", help="A .gif or .mp4.  [default: the run's progress.gif]"
)
@click.option("--fps", default=10.0, show_default=True, type=click.FloatRange(0.1, 50), help="Pictures per second.")
@click.option("--max-size", default=800, show_default=True, type=click.IntRange(64), help="Longer side in pixels, at most.")
@click.option(
    "--hold", default=2.0, show_default=True, type=click.FloatRange(0, 600), help="Seconds that the last picture stays."
)
def gif(run_name, output, fps, max_size, hold):
    """Make an animation of a run's sample grids.

    \b
    Examples:
      python cli.py gif
      python cli.py gif --run faces-default --output faces.mp4 --fps 20
    """
    from ganime.pictures.animation import save_animation
    from ganime.runs import Run, latest_run

    run = Run(run_name) if run_name else latest_run()
    run.read_config()
    output = output or run.gif_path
    samples = run.samples()
    save_animation(output, samples, fps, max_size, hold)
    click.echo(f"{output}: {len(samples):,} pictures of run {run.name}, {output.stat().st_size / 1e6:.1f} MB")


@click.command()
@click.option("--run", "run_name", metavar="NAME", help="A run, by its name or its path.  [default: what ships with ganime]")
@click.option("--model", type=click.Path(path_type=Path), metavar="FILE.keras", help="Any generator, instead of a run's.")
@click.option("--seeds", default="0-63", show_default=True, help="Which faces, as in 0,1,4-6.")
@click.option("--truncation", default=1.0, show_default=True, type=click.FloatRange(0, 1), help="Less: more typical faces.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A .png, .jpg or .webp for a grid, else a folder.  [default: faces.png]",
)
def generate(run_name, model, seeds, truncation, output):
    """Make faces with a trained generator: one grid, or single files in a folder.

    Without --run and --model it is the generator that ships with ganime (checkpoints/anime-face-64.md). The same seed
    gives the same face on every machine.

    \b
    Examples:
      python cli.py generate --seeds 0-63
      python cli.py generate --run faces-default --seeds 7,11,100-199 --output faces/
      python cli.py generate --model generator.keras --truncation 0.7
    """
    from ganime.generation import latents
    from ganime.pictures import grids
    from ganime.runs import Run

    if run_name and model:
        raise InputError("--run and --model exclude each other")
    chosen = latents.parse_seeds(seeds)
    output = output or Path("faces.png")
    single = output.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp")
    if run_name:
        run = Run(run_name)
        run.read_config()
        model = run.generator_path

    with quiet_start():
        from ganime.generation.sampling import load_generator, sample

    generator = load_generator(model)
    if single:
        for start in range(0, len(chosen), 64):
            part = chosen[start : start + 64]
            for seed, face in zip(part, sample(generator, part, truncation), strict=True):
                grids.save_picture(output / f"face-{seed:06d}.png", face)
    else:
        grids.save_picture(output, grids.make_grid(sample(generator, chosen, truncation)))
    click.echo(f"{output}: {len(chosen):,} faces of {model or 'the generator that ships with ganime (--run NAME for a run)'}")
