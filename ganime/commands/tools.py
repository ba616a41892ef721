"""What the command line's commands share."""

import gc
import math
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import click

from ganime.errors import InputError, one_line
from ganime.quiet import without_notes

CHECKOUT = "python cli.py"  # how the program is called in help and messages, where it is not installed


def program():
    """How the program was started, for the commands that it names."""
    name = click.get_current_context().find_root().info_name
    return name if name in ("ganime", "python -m ganime") else CHECKOUT


STEPS = click.IntRange(1, 10**9)


class Number(click.FloatRange):
    """A number within bounds that is one: click lets `nan` through."""

    def convert(self, value, param, context):
        number = super().convert(value, param, context)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number.", param, context)
        return number


class Edit(click.ParamType):
    """An edit's name and strength, as in hair-brightness=+1.5."""

    name = "NAME=STRENGTH"

    def convert(self, value, param, context):
        name, _, strength = value.partition("=")
        try:
            return name, float(strength)
        except ValueError:
            self.fail(f"{value!r} is not of the form hair-brightness=+1.5.", param, context)


def generator_options(command):
    """Options of all commands that use a generator, for `find_model`."""
    run = click.option("--run", "run_name", metavar="NAME", help="A run, by name or path.  [default: what ships with ganime]")
    model = click.option("--model", metavar="FILE.keras", help="Any generator: a file, or hf://USER/NAME on the model hub.")
    return run(model(command))


def faces_options(default):
    """Options of all commands that show faces, for `open_faces`: whose generator, and which latents."""
    options = (
        generator_options,
        click.option("--seeds", help=f"Which faces, as in 0,1,4-6.  [default: {default}]"),
        click.option(
            "--latents",
            type=click.Path(path_type=Path),
            metavar="FILE.npy",
            help="Faces of these latents instead: float32 or float64 [count, latent size].",
        ),
        click.option("--truncation", default=1.0, show_default=True, type=Number(0, 1), help="Less: more typical faces."),
        click.option(
            "--edit",
            "strengths",
            multiple=True,
            type=Edit(),
            metavar="NAME=STRENGTH",
            help="Change the faces, as in hair-brightness=+1.5 (deviations, -4 to 4; names: `edits`); repeatable.",
        ),
    )

    def decorate(command):
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def scale_options(command):
    """Options that make faces larger, for `ganime.pictures.grids.enlarge`."""
    sharp = click.option("--sharp", is_flag=True, help="Enlarge pixels to squares instead of smoothly.")
    scale = click.option("--scale", default=4, show_default=True, type=click.IntRange(1, 16), help="How many times as large.")
    return scale(sharp(command))


def open_faces(run_name, model, seeds, latents, truncation, strengths, default_seeds, also=0, check=None):
    """The generator and the latents that a user has chosen.

    Args:
        run_name, model, seeds, latents, truncation, strengths: What `faces_options` gave.
        default_seeds: Which seeds where neither seeds nor latents are given.
        also: How many more faces the generator is going to make.
        check: Called with the generator and the number of latents before they are made; may raise.

    Returns:
        A generator for `ganime.generation.sampling.paint`, latents float32 [count, latent_size], and whose it is, in words.
    """
    import numpy as np

    from ganime.generation import latents as points
    from ganime.generation.edits import Edits
    from ganime.generation.sampling import load_for

    if seeds is not None and latents is not None:
        raise InputError("--seeds and --latents exclude each other")
    path = find_model(run_name, model)
    chosen = points.read_latents(latents) if latents else points.parse_seeds(default_seeds if seeds is None else seeds)
    with quiet_start():
        generator = load_for(len(chosen) + also, path)
    size = generator.input_shape[-1]
    if latents and chosen.shape[1] != size:
        raise InputError(f"{latents} holds latents of {chosen.shape[1]} numbers; those of this generator have {size}")
    if check:
        check(generator, len(chosen))
    if not latents:
        chosen = points.from_seeds(chosen, size)
    chosen = chosen * np.float32(truncation)
    if strengths:
        if len(dict(strengths)) < len(strengths):
            raise InputError("--edit names one edit twice")
        chosen = Edits.load(path).apply(chosen, dict(strengths))
    source = model or path or "the generator that ships with ganime (--run NAME for a run)"
    return generator, chosen, source


def find_model(run_name, model):
    """The file of the generator that `--run` or `--model` names, fetched if need be; None if it is the one that ships."""
    from ganime.generation.sampling import find_generator
    from ganime.run import Run

    if run_name is not None and model is not None:
        raise InputError("--run and --model exclude each other")
    if model is not None:
        return find_generator(model or ".")  # an empty name is not the default
    if run_name is None:
        return None
    run = Run(run_name)
    run.read_config()
    return run.generator_path


def is_file(generator):
    """Whether a generator's name means a file, or one on the model hub, and not a run."""
    return generator.endswith(".keras") or generator.startswith("hf://")


def echo(line, err=False):
    """Print a line, whatever is in the names that it tells of."""
    click.echo(one_line(line, longest=None), err=err)


@contextmanager
def quiet_start():
    """Import TensorFlow and find its devices without its notes. Python's search for unused objects, which would find none among
    so many new ones, waits until the end."""
    gc.disable()
    hidden = sys.modules.setdefault("matplotlib", None) is None  # Keras would import it, in vain, for 0.6 seconds
    try:
        with without_notes():
            yield
            if tensorflow := sys.modules.get("tensorflow"):
                tensorflow.config.list_physical_devices()
    finally:
        gc.freeze()
        gc.enable()
        if hidden:
            del sys.modules["matplotlib"]


@contextmanager
def progress_bar(what="pictures", interrupted=""):
    """A function of the numbers done and to do: a bar with the time left, or a line a minute where there is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, highlight=False, emoji=False)
    columns = (TextColumn(what), MofNCompleteColumn(), BarColumn(bar_width=None), TimeRemainingColumn())
    printed, first = time.monotonic(), None

    def report(done, total):
        nonlocal printed, first
        progress.update(task, completed=done, total=total)
        now = time.monotonic()
        if first is None:
            first = now, done
        elif not console.is_terminal and now - printed > 60:
            printed = now
            left = (now - first[0]) / max(done - first[1], 1) * (total - done) / 60
            console.print(f"{done:,} of {total:,} {what}, about {left:,.0f} minutes left", soft_wrap=True)

    try:
        with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
            task = progress.add_task(what, total=None)
            yield report
    except KeyboardInterrupt:
        if interrupted:
            click.echo(interrupted, err=True)
        raise
