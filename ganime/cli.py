"""The command line: parse, call, print. TensorFlow is imported only by the commands that need it."""

import logging
import os
import signal
import sys
import warnings
from pathlib import Path

import click

from ganime import __version__
from ganime.cli_data import data as data_group
from ganime.cli_evaluate import evaluate
from ganime.cli_fit import fit
from ganime.cli_tools import quiet_start
from ganime.errors import GanimeError, InputError


class _Group(click.Group):
    """Turns errors into one line and an exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""

    def invoke(self, context):
        try:
            return super().invoke(context)
        except InputError as error:
            raise click.UsageError(str(error)) from error
        except (GanimeError, OSError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="ganime %(version)s")
def cli():
    """Train GANs on anime faces, watch them learn, and use what they learned.

    \b
    Examples:
      python cli.py fit --data faces --steps 20000
      python cli.py gif
      python cli.py generate --run faces-default
    """


@cli.command()
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
    from ganime.animation import save_animation
    from ganime.runs import Run, latest_run

    run = Run(run_name) if run_name else latest_run()
    run.read_config()
    output = output or run.gif_path
    samples = run.samples()
    save_animation(output, samples, fps, max_size, hold)
    click.echo(f"{output}: {len(samples):,} pictures of run {run.name}, {output.stat().st_size / 1e6:.1f} MB")


@cli.command()
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
    from ganime import latents, pictures
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
        from ganime.sampling import load_generator, sample

    generator = load_generator(model)
    if single:
        for start in range(0, len(chosen), 64):
            part = chosen[start : start + 64]
            for seed, face in zip(part, sample(generator, part, truncation), strict=True):
                pictures.save_picture(output / f"face-{seed:06d}.png", face)
    else:
        pictures.save_picture(output, pictures.make_grid(sample(generator, chosen, truncation)))
    click.echo(f"{output}: {len(chosen):,} faces of {model or 'the generator that ships with ganime (--run NAME for a run)'}")


@cli.command()
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


cli.add_command(fit)
cli.add_command(data_group)
cli.add_command(evaluate)


def main():
    """Run the command line; every end has its exit code (see `_Group`)."""
    logging.basicConfig(format="%(message)s")
    warnings.filterwarnings("ignore", module="PIL")  # of broken pictures, which are named on the log
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever other programs of this user run on
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # errors come as exceptions; the rest is notes
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(130)


def _show_value(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
