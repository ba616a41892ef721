"""What the command line's commands share."""

import gc
import math
import shlex
import subprocess
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
MOST_ROWS = 32  # labels of a grid that has a row for each


def this_command():
    """The command that runs, for a shell."""
    started = {"ganime": ["ganime"], "python -m ganime": [sys.executable, "-m", "ganime"]}
    join = subprocess.list2cmdline if sys.platform == "win32" else shlex.join  # PowerShell calls nothing that is in quotes
    return join([*started.get(program(), [sys.executable, sys.argv[0]]), *sys.argv[1:]])


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
    about = "A run, by name or path; a step that it keeps.  [default: what ships with ganime]"
    run = click.option("--run", "run_name", metavar="NAME[@STEP]", help=about)
    model = click.option("--model", metavar="FILE.keras", help="Any generator: a file, or hf://USER/NAME on the model hub.")
    return run(model(command))


def latents_options(default):
    """Options that say which faces, for `open_faces`."""
    seeds = click.option("--seeds", help=f"Which faces, as in 0,1,4-6.  [default: {default}]")
    latents = click.option(
        "--latents",
        type=click.Path(path_type=Path),
        metavar="FILE.npy",
        help="Faces of these latents instead: float32 or float64 [count, latent size].",
    )
    less = click.option("--truncation", default=1.0, show_default=True, type=Number(0, 1), help="Less: more typical faces.")
    about = "These faces with this label, of a run with labels, as in blonde or blonde,black; repeatable."
    label = click.option("--label", "labels", multiple=True, metavar="NAME", help=about)
    return lambda command: seeds(latents(less(label(command))))


def faces_options(default):
    """Options of all commands that show a generator's faces, for `open_faces`: whose, which, and how they are edited."""
    edit = click.option(
        "--edit",
        "strengths",
        multiple=True,
        type=Edit(),
        metavar="NAME=STRENGTH",
        help="Change the faces, as in hair-brightness=+1.5 (deviations, -4 to 4; names: `edits`); repeatable.",
    )
    return lambda command: generator_options(latents_options(default)(edit(command)))


def scale_options(command):
    """Options that make faces larger, for `ganime.pictures.grids.enlarge`."""
    sharp = click.option("--sharp", is_flag=True, help="Enlarge pixels to squares instead of smoothly.")
    scale = click.option("--scale", default=4, show_default=True, type=click.IntRange(1, 16), help="How many times as large.")
    return scale(sharp(command))


def open_faces(
    run_name, model, seeds, latents, truncation, labels, strengths, default_seeds, also=0, check=None, each=0, by_face=False
):
    """The generator and the latents that a user has chosen.

    Args:
        run_name, model, seeds, latents, truncation, labels, strengths: What `faces_options` gave.
        default_seeds: Which seeds where neither seeds nor latents are given.
        also: How many more faces the generator is going to make.
        check: Called with the generator and the number of latents before they are made; may raise.
        each: How many seeds of each label where no faces and no labels are chosen; 0: all seeds, which take them in turn.
        by_face: Whether a face comes with all chosen labels before the next face does; else label by label.

    Returns:
        A generator for `ganime.generation.sampling.paint`, latents float32 [count, latent_size], whose it is, in words, the
        labels that all faces are there with, if any, and the generator's file. That is looked for once: on the hub there may be
        another one a moment later.
    """
    import numpy as np

    from ganime.generation.conditions import adapt_latents, choose_labels, make_latents, truncate
    from ganime.generation.edits import Edits
    from ganime.generation.latents import MOST
    from ganime.generation.sampling import find_generator, load_for
    from ganime.labels import labels_of

    chosen = choose_faces(seeds, latents, default_seeds)
    found = find_model(run_name, model)
    path = find_generator(found)
    with quiet_start():
        generator = load_for(len(chosen) * max(1, len(labels)) + also, path)
    names = labels_of(generator)
    labels = choose_labels(labels, names)
    if each and names and not (labels or seeds or latents):
        labels, chosen = [*names[:MOST_ROWS]], range(each)
    if (count := len(chosen) * (len(labels) or 1)) > MOST:
        raise InputError(f"{len(chosen):,} faces with {len(labels):,} labels are more than a million")
    if check:
        check(generator, count)
    if latents:
        chosen = adapt_latents(chosen, generator, labels or None, latents)
    else:
        chosen = np.concatenate([make_latents(generator, chosen, labels=label) for label in labels or [None]])
    if labels and by_face:
        chosen = chosen.reshape(len(labels), -1, chosen.shape[1]).swapaxes(0, 1).reshape(chosen.shape)
    chosen = truncate(chosen, truncation, len(names))
    if strengths:
        if len(dict(strengths)) < len(strengths):
            raise InputError("--edit names one edit twice")
        chosen = Edits.load(path).apply(chosen, dict(strengths))
    source = model or found or "the generator that ships with ganime (--run NAME for a run)"
    return generator, chosen, source, labels, path


def choose_faces(seeds, latents, default_seeds):
    """The latents of a file, float [count, size], or the list of seeds that a user has named."""
    from ganime.generation.latents import parse_seeds, read_latents

    if seeds is not None and latents is not None:
        raise InputError("--seeds and --latents exclude each other")
    return read_latents(latents) if latents else parse_seeds(default_seeds if seeds is None else seeds)


def find_model(run_name, model):
    """The file of the generator that `--run` or `--model` names, fetched if need be; None if it is the one that ships."""
    from ganime.generation.sampling import find_generator
    from ganime.snapshots import open_run

    if run_name is not None and model is not None:
        raise InputError("--run and --model exclude each other")
    if model is not None:
        return find_generator(model or ".")  # an empty name is not the default
    if run_name is None:
        return None
    run = open_run(run_name)
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
            minutes = f"{left:,.0f} minute{'s' * (round(left) != 1)}"
            console.print(f"{done:,} of {total:,} {what}, about {minutes} left", soft_wrap=True)

    try:
        with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
            task = progress.add_task(what, total=None)
            yield report
    except KeyboardInterrupt:
        if interrupted:
            click.echo(interrupted, err=True)
        raise
