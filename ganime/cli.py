"""The command line: parse, call, print. TensorFlow is imported only by the commands that need it."""

import logging
import math
import os
import shlex
import signal
import sys
import warnings
from contextlib import closing
from pathlib import Path

import click

from ganime import __version__
from ganime.cli_data import data as data_group
from ganime.cli_evaluate import evaluate, hold_out
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
      python cli.py generate --seeds 0-63
    """


@cli.command()
@click.option(
    "--data",
    metavar="PICTURES",
    help="A folder, a file from `data pack`, or a name from `data list`. Without it, ganime draws faces itself.",
)
@click.option("--steps", default=20_000, show_default=True, type=click.IntRange(1), help="Step to reach.")
@click.option("--run", "run_name", metavar="NAME", help="Name of the run, or a path to it.  [default: DATA-RECIPE]")
@click.option("--recipe", "recipe_name", default="default", show_default=True, metavar="NAME", help="See `recipes`.")
@click.option("--set", "overrides", multiple=True, metavar="FIELD=VALUE", help="Change a field of the recipe; repeatable.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0, 2**32 - 1), help="Seed of everything random.")
@click.option("--sample-every", default=100, show_default=True, type=click.IntRange(1), help="Steps between sample grids.")
@click.option("--save-every", default=500, show_default=True, type=click.IntRange(1), help="Steps between saved states.")
@click.option(
    "--evaluate-every", type=click.IntRange(1), metavar="STEPS", help="Hold a tenth of the pictures out and score with them."
)
@click.option("--strict", is_flag=True, help="Stop at an unreadable picture instead of passing over it.")
@click.option("--tensorboard", is_flag=True, help="Also write logs for TensorBoard into the run.")
def fit(data, steps, run_name, recipe_name, overrides, seed, sample_every, save_every, evaluate_every, strict, tensorboard):
    """Train, or continue a training.

    Everything goes to checkpoints/<run>/: sample grids, progress.gif, history.csv, plots, generator.keras and the state to
    continue from. The same command continues a run, a larger --steps extends it, Ctrl-C saves and leaves.

    With --evaluate-every (1000 costs 4 % of the time on two cores) a tenth of the pictures, chosen by their content, is not
    trained on; the averaged generator is scored with them as `evaluate --part test --samples 1000` does, and the best one is
    kept as best.keras.

    \b
    Examples:
      python cli.py fit --data faces --steps 20000
      python cli.py fit --data faces --evaluate-every 1000 --run scored
      python cli.py fit --steps 2000                  (on faces that ganime draws)
      python cli.py fit --recipe zero-to-gans --set batch_size=64 --run smaller-batch
    """
    from ganime.data.drawn import DrawnFaces
    from ganime.data.sources import open_pictures
    from ganime.recipes import get_recipe
    from ganime.runs import Run

    if strict and data is None:
        raise InputError("--strict is for pictures from --data")
    if evaluate_every and evaluate_every > steps:
        raise InputError(f"--evaluate-every {evaluate_every} is never reached in {steps} --steps")
    recipe = get_recipe(recipe_name).override(*overrides)
    pictures = open_pictures(data, strict) if data is not None else DrawnFaces()
    if data is None:
        click.echo("No --data given: training on faces that ganime draws itself.")
    run = Run(run_name or f"{pictures.name}-{recipe_name}")
    if tensorboard:
        _require_tensorboard()

    with quiet_start():
        from ganime import training
        from ganime.callbacks import TensorBoard
        from ganime.progress import TerminalProgress

    extra, scores = [], {}
    if evaluate_every:
        pictures, evaluation = hold_out(pictures, recipe.image_size, evaluate_every, run)
        extra.append(evaluation)
        scores = {"scores": f"each {evaluate_every:,} steps, on {len(evaluation.pictures):,} other pictures"}
    if tensorboard:  # after the evaluation, to see what it adds to the logs
        extra.append(TensorBoard(run.path / "tensorboard", update_freq=math.gcd(100, evaluate_every or 0)))
    title = {
        "recipe": " ".join([recipe_name, *overrides]),
        "data": str(pictures),
        "pictures": f"{recipe.image_size}x{recipe.image_size}, {recipe.batch_size} per step",
        "steps": f"{steps:,} ({steps * recipe.batch_size / len(pictures):.1f} times through the data)",
        **scores,
        "run": f"{run.path}: a grid each {sample_every:,} steps, the state each {save_every:,}",
    }
    progress = TerminalProgress(title, steps, recipe.batch_size)
    try:
        with closing(progress):
            gan = training.fit(run, recipe, pictures, steps, seed, sample_every, save_every, (*extra, progress))
    except KeyboardInterrupt as interrupt:
        state = "the last saved state stays" if run.state_path.exists() else "nothing was saved yet"
        click.echo(f"{interrupt or f'Not saved; {state}.'} Continue with: {_this_command()}", err=True)
        raise
    if (reached := int(gan.step.numpy())) > steps:
        click.echo(f"Run {run.name} is at step {reached:,} already; a larger --steps extends it.")
    if unreadable := len(pictures.unreadable):
        click.echo(f"{unreadable:,} unreadable files were passed over.")
    click.echo(f"Done. Look at {run.gif_path} and {run.samples_path}; {run.generator_path} is ready to use.")


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
@click.option("--run", "run_name", metavar="NAME", help="Name of the run, or a path to it.  [default: the latest]")
@click.option("--model", type=click.Path(path_type=Path), metavar="FILE.keras", help="A generator, instead of a run's.")
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

    The same seed gives the same face on every machine.

    \b
    Examples:
      python cli.py generate --seeds 0-63
      python cli.py generate --run faces-default --seeds 7,11,100-199 --output faces/
      python cli.py generate --model generator.keras --truncation 0.7
    """
    from ganime import latents, pictures
    from ganime.runs import Run, latest_run

    if run_name and model:
        raise InputError("--run and --model exclude each other")
    chosen = latents.parse_seeds(seeds)
    output = output or Path("faces.png")
    single = output.suffix.lower() not in (".png", ".jpg", ".jpeg", ".webp")
    if model is None:
        run = Run(run_name) if run_name else latest_run()
        run.read_config()
        model = run.generator_path

    with quiet_start():
        from ganime.sampling import load_generator, sample

    generator = load_generator(model)
    if single:
        for seed in chosen:
            pictures.save_picture(output / f"face-{seed:06d}.png", sample(generator, [seed], truncation)[0])
    else:
        pictures.save_picture(output, pictures.make_grid(sample(generator, chosen, truncation)))
    click.echo(f"{output}: {len(chosen):,} faces of {model}")


@cli.command()
def recipes():
    """Show all recipes side by side.

    Any field can be changed with `fit --set FIELD=VALUE`. The table is 170 columns wide.

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
    console = console if console.is_terminal else Console(highlight=False, width=180)
    console.print(table)


cli.add_command(data_group)
cli.add_command(evaluate)


def main():
    """Run the command line; every end has its exit code (see `_Group`)."""
    logging.basicConfig(format="%(message)s")
    warnings.filterwarnings("ignore", module="PIL")  # of broken pictures, which are named on the log
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever other programs of this user run on
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(130)


def _this_command():
    program = [sys.executable, sys.argv[0]] if sys.argv[0].endswith(".py") else [Path(sys.argv[0]).name]
    return shlex.join([*program, *sys.argv[1:]])


def _show_value(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _require_tensorboard():
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        raise GanimeError("--tensorboard needs TensorBoard: pip install tensorboard") from None
