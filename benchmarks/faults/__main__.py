"""Inject faults into real commands, and see that nothing is lost and nothing is silent. From the project's root:

    python -m benchmarks.faults --tries 1000 --seed 0

A try prepares a small run, injects one fault of some kind, runs real commands in processes of their own, takes the
fault away, and runs the same command again until it is done. What is counted:

- lost: what was saved before the fault is of no use any more, or the run does not come to the state, generator, history and
  grids of one that was left alone, bit for bit; or a command hangs.
- silent: a command failed without a word, or ended well without one although its result is another.
- traceback: a traceback, a crash, or an exit code other than 0, 1, 2 and 130.

Needs Linux.
"""

import os

os.environ |= {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3", "TF_NUM_INTRAOP_THREADS": "1"}

import gc
import importlib
import multiprocessing
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np

from benchmarks.faults import damage, while_running
from benchmarks.faults.compare import END
from benchmarks.faults.tries import EVALUATE, GENERATE, RUN, SORTS, Bad, Command, Skipped, Try, train


class Kind(NamedTuple):
    """How a try is done, its share of all tries, and the references that it needs."""

    inject: Callable
    weight: int
    references: tuple[str, ...] = ("plain",)


KINDS = {
    "kill": Kind(while_running.kill, 7),
    "kill-two-steps": Kind(partial(while_running.kill, reference="two-steps"), 3, ("two-steps",)),
    "kill-evaluate": Kind(partial(while_running.kill, reference="scored"), 3, ("scored",)),
    "kill-tensorboard": Kind(lambda this: while_running.kill(this, "plain", "--tensorboard"), 2),
    "kill-kept": Kind(partial(while_running.kill, reference="kept"), 3, ("kept",)),
    "signal": Kind(while_running.interrupt, 4),
    "signal-twice": Kind(partial(while_running.interrupt, times=2), 3),
    "state": Kind(lambda this: damage.state(this, "gan"), 6),
    "previous": Kind(lambda this: damage.state(this, "previous"), 3),
    "both-states": Kind(lambda this: damage.state(this, "gan", "previous"), 3),
    "history": Kind(damage.history, 4),
    "config": Kind(damage.config, 5),
    "evaluations": Kind(damage.evaluations, 4, ("scored",)),
    "grid": Kind(damage.grid, 3),
    "best": Kind(lambda this: damage.model(this, "best", "scored"), 6, ("scored",)),
    "generator": Kind(damage.model, 10),
    "kept-generator": Kind(damage.kept_generator, 3, ("kept",)),
    "kept-state": Kind(damage.kept_state, 3, ("kept",)),
    "packed": Kind(damage.packed, 6),
    "swapped": Kind(while_running.swapped, 3),
    "cache": Kind(damage.cache, 6, ("scored",)),
    "file-size": Kind(while_running.file_size, 5),
    "full-disk": Kind(while_running.full_disk, 4),
    "full-disk-kept": Kind(partial(while_running.full_disk, reference="kept", sizes=(600, 1700)), 3, ("kept",)),
    "denied": Kind(while_running.denied, 8),
    "pictures": Kind(while_running.pictures, 4),
    "folder-away": Kind(while_running.folder_away, 3),
    "together": Kind(while_running.together, 5),
    "gif": Kind(while_running.gif, 3),
    "outputs": Kind(while_running.outputs, 8),
    "other-state": Kind(damage.other_state, 6, ("plain", "other-seed", "other-recipe")),
}


def import_all():
    """Import what commands need, once for all of them, and take from them what costs time and proves nothing."""
    import matplotlib.figure
    import PIL.Image
    import tensorflow as tf

    from ganime.metrics import while_training
    from ganime.metrics.networks import lite0
    from tests.metrics.more_networks import blocks

    for module in ("cli", "training.fit", "training.progress", "generation.sampling", "metrics.evaluation"):
        importlib.import_module(f"ganime.{module}")
    importlib.import_module("matplotlib.backends.backend_agg")
    PIL.Image.init()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    matplotlib.figure.Figure.savefig = lambda self, path: PIL.Image.new("RGB", (8, 8)).save(path)
    lite0.NETWORK = blocks.NETWORK
    init = while_training.Evaluation.__init__
    init.__defaults__ = (init.__defaults__[0], 50, *init.__defaults__[2:])  # samples
    gc.collect()
    gc.freeze()


def make_base(base, references):
    """Make what tries are copied from: pictures, and runs that are left alone."""
    from PIL import Image

    from ganime.data.drawn import draw_face

    for name, count in (("faces", 12), ("many", 160), ("others", 12)):
        (base / name).mkdir()
        for i in range(count):
            Image.fromarray(draw_face(i + 1000 * (name == "others"), 32)).save(base / name / f"face{i:03}.png")
    for name in ("faces", "others"):
        _expect(Command(["data", "pack", name, f"{name}.npy", "--size", "32"], base))
        for form in ("zip", "tar"):
            shutil.make_archive(base / name, form, base / name)
    for name in references:
        work = base / name / "work"
        work.mkdir(parents=True)
        for pictures in ("faces", "many"):
            (work / pictures).symlink_to(base / pictures)
        for stage, steps in (("begun", END // 2), ("done", END)):
            _expect(Command(train(name, steps), work))
            if name == "scored":
                _expect(Command(EVALUATE, work))
            shutil.copytree(work / RUN, base / name / stage)
        for model in ("generator", "best"):
            if (work / RUN / f"{model}.keras").exists():
                _expect(Command([*GENERATE, "--model", str(RUN / f"{model}.keras"), "--output", f"{model}.png"], work))
        if (work / RUN / "snapshots").exists():
            _expect(Command([*GENERATE, "--run", f"run@{END // 2}", "--output", "kept.png"], work))


def _expect(command):
    if command.wait().code != 0:
        sys.exit(f"{command.argv} without a fault: exit code {command.code}\n{command.out}{command.err}")


def attempt(task):
    """Do a try: its kind and seed, what was bad as pairs of sort and reason, and the end of what its commands wrote."""
    kind, seed, base = task
    folder, found = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=base)), []
    this = Try(kind, seed, base, folder)
    try:
        KINDS[kind].inject(this)
    except Skipped as reason:
        return kind, seed, None, str(reason)
    except Bad as bad:
        found.append((bad.sort, str(bad)))
    except Exception:
        found.append(("lost", f"the campaign itself fails: {traceback.format_exc()}"))
    finally:
        for command in this.commands:
            command.send(signal.SIGKILL)
            command.until(lambda: False)
    found += [("traceback", fault) for command in this.commands if (fault := command.fault())]
    shutil.rmtree(folder)
    return kind, seed, found, "\n".join(command.tell() for command in this.commands)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--tries", default=1000, show_default=True, help="How many, shared among the kinds.")
@click.option("--seed", default=0, show_default=True, help="Of all choices; when a fault comes, the clock decides too.")
@click.option("--kind", "kinds", multiple=True, metavar="NAME", help="Only this kind; repeatable.  [default: all]")
@click.option("--only", type=int, metavar="SEED", help="With --kind: the one try of this seed.")
@click.option("--jobs", default=2, show_default=True, help="Tries at a time.")
def main(tries, seed, kinds, only, jobs):
    """Inject faults into real commands; print a table of them, and each bad try with what it takes to repeat it. Exits with 1
    if something was lost, silent or ended in a traceback.

    \b
    Examples:
      python -m benchmarks.faults --tries 1000 --seed 0
      python -m benchmarks.faults --kind generator --only 123
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background, and then by all commands
    kinds = kinds or tuple(KINDS)
    if unknown := set(kinds) - {*KINDS}:
        raise click.UsageError(f"there is no kind {min(unknown)}; there are {', '.join(KINDS)}")
    weights = [KINDS[kind].weight for kind in kinds]
    # Each gets its share of any number of tries, whatever else is drawn.
    shares = np.diff(np.floor(np.cumsum([0, *weights]) / sum(weights) * tries + 0.5).astype(int))
    numbered = [(kind, i) for kind, share in zip(kinds, shares, strict=True) for i in range(share)]
    tasks = [(kind, zlib.crc32(f"{seed} {kind} {i}".encode())) for kind, i in numbered]
    tasks = [(kinds[0], only)] if only is not None else tasks
    random.Random(seed).shuffle(tasks)
    import_all()
    started, counts, skipped = time.monotonic(), Counter(), {}
    base = Path(tempfile.mkdtemp(prefix="faults-"))  # which no other process removes at its end
    try:
        make_base(base, {name: None for kind, _ in tasks for name in KINDS[kind].references})
        with multiprocessing.get_context("fork").Pool(jobs) as pool:
            for kind, own, found, told in pool.imap_unordered(attempt, [(*task, base) for task in tasks]):
                if found is None:
                    skipped[kind] = told
                    continue
                counts.update([(kind, "tries"), *((kind, sort) for sort in {sort for sort, _ in found})])
                if (done := sum(counts[name, "tries"] for name in kinds)) % 50 == 0:
                    click.echo(f"{done:,} of {len(tasks):,} tries", err=True)
                for sort, reason in found:
                    click.echo(f"{sort}: --kind {kind} --only {own}: {reason}\n{told}")
    finally:
        shutil.rmtree(base)
    bad = print_table(kinds, counts, skipped)
    click.echo(f"{time.monotonic() - started:,.0f} seconds")
    sys.exit(int(bad))


def print_table(kinds, counts, skipped):
    """A line for each kind and one for all; whether anything was bad."""
    columns = ("tries", *SORTS)
    total = {column: sum(counts[kind, column] for kind in kinds) for column in columns}
    click.echo(f"{'fault':<18}" + "".join(f"{column:>10}" for column in columns))
    for kind in kinds:
        note = f"  skipped: {skipped[kind]}" if kind in skipped else ""
        click.echo(f"{kind:<18}" + "".join(f"{counts[kind, column]:>10,}" for column in columns) + note)
    click.echo(f"{'all':<18}" + "".join(f"{total[column]:>10,}" for column in columns))
    return any(total[sort] for sort in SORTS)


if __name__ == "__main__":
    main()
