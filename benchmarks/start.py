"""Seconds from typing a command to its end, to its first picture on disk, and to the first training step with all its parts.

    python -m benchmarks.start --data faces --model generator.keras

The parts of `fit` come from the same command with clocks at the ends of a few functions; each part is the time between two such
ends. The first round is not counted, so that the operating system has all files in memory.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np

ROOT = Path(__file__).parents[1]
LAST = "optimizing the graph, first step"  # of the parts of `fit`
BUILD = """
import sys, ganime
ganime.build_gan(ganime.get_recipe("default")).generator.save(sys.argv[1])
"""
TIMED_FIT = """
import functools, json, sys, time
from contextlib import contextmanager
LAST = sys.argv.pop(1)
ends = [(None, float(sys.argv.pop(1))), ("Python", time.time())]
def end(part):
    if part not in dict(ends):
        ends.append((part, time.time()))
def clock(home, name, after, before=None):
    function = getattr(home, name)
    @functools.wraps(function)
    def timed(*arguments, **options):
        if before:
            end(before)
        result = function(*arguments, **options)
        end(after)
        return result
    setattr(home, name, timed)
import ganime.commands.tools, ganime.data.sources
quiet_start = ganime.commands.tools.quiet_start
@contextmanager
def timed_start():
    with quiet_start():
        if "import: ganime" not in dict(ends):
            set_clocks()
        yield
    end("search for devices")
def set_clocks():
    import tensorflow, keras
    end("import: TensorFlow, Keras")
    from ganime.training import callbacks, fit, gan
    end("import: ganime")
    clock(fit, "build_gan", "networks and optimizers")
    clock(fit, "make_dataset", "run opened, data set")
    clock(callbacks.SampleGrid, "save", "the grid of step 0", "callbacks, Keras' fit")
    clock(gan.GAN, "train_step", "tracing", "Keras' functions")
    clock(callbacks.History, "on_train_batch_end", LAST)
ganime.commands.tools.quiet_start = timed_start  # before the commands take it
clock(ganime.data.sources, "open_pictures", "the pictures found")
import ganime.cli
end("the command line")
try:
    ganime.cli.main()
finally:
    print(json.dumps([[part, moment - ends[i][1]] for i, (part, moment) in enumerate(ends[1:])]), file=sys.stderr)
"""


def seconds(arguments, until=None, folder=None):
    """From starting a program to its end or, if that is sooner, until a file is there; it is awaited in any case."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    there = None
    while until and there is None and process.poll() is None:
        time.sleep(0.002)
        there = time.perf_counter() - start if until.exists() else None
    error = process.communicate()[1]
    if process.returncode:
        sys.exit(error.decode())
    return there or time.perf_counter() - start


def fit_parts(data, folder):
    """The parts of `fit` up to its first step, in order, with their seconds."""
    options = ["fit", "--data", data, "--steps", "1", "--run", f"{folder}/run-{time.time()}"]
    command = [sys.executable, "-c", TIMED_FIT, LAST, str(time.time()), *options]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    parts = json.loads(result.stderr.splitlines()[-1]) if not result.returncode else []
    if LAST not in dict(parts):
        sys.exit(f"no time of the first step: {result.stderr}")
    return parts


def make_run(folder, grids):
    """A run with some grids, as big as those of `fit`."""
    from ganime import Run
    from ganime.data.drawn import draw_face
    from ganime.pictures.grids import make_grid, save_picture

    run = Run(folder / "run-with-grids")
    run.open({})
    for step in range(0, 100 * grids, 100):
        faces = [draw_face(step + i, 64) for i in range(64)]
        save_picture(run.samples_path / f"step-{step:06d}.png", make_grid(np.stack(faces)))
    return str(run.path)


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path), help="What `fit` trains on.")
@click.option("--model", type=click.Path(exists=True, path_type=Path), help="A generator.  [default: one that is not trained]")
@click.option("--grids", default=5, show_default=True, help="Grids of the run that `gif` animates.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
def main(data, model, grids, rounds):
    """Time all, and print two tables."""
    program = str(ROOT / "cli.py")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        run = make_run(folder, grids)
        if model is None:
            model = folder / "generator.keras"
            subprocess.run([sys.executable, "-c", BUILD, model], cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
        generate = [program, "generate", "--model", str(model.resolve()), "--seeds"]
        times = {"--help": [], "recipes": [], f"gif, {grids} grids": [], "generate, 1 face": [], "generate, 64 faces": []}
        parts = []
        for i in range(rounds + 1):
            picture = folder / f"{i}.png"
            now = [
                seconds([program, "--help"]),
                seconds([program, "recipes"]),
                seconds([program, "gif", "--run", run]),
                seconds([*generate, "0", "--output", str(folder / str(i))], folder / str(i) / "face-000000.png"),
                seconds([*generate, "0-63", "--output", str(picture)], picture),
            ]
            timed = fit_parts(str(data.resolve()), scratch)
            if i:
                for values, value in zip(times.values(), now, strict=True):
                    values.append(value)
                parts.append(timed)
    _print_table("command", times)
    print()
    columns = {name: [dict(timed)[name] for timed in parts] for name, _ in parts[0]}
    _print_table("fit, up to its first step", {**columns, "together": list(map(sum, zip(*columns.values(), strict=True)))})


def _print_table(title, times):
    print(f"| {title} | seconds, median | least | most |\n|---|--:|--:|--:|")
    for name, values in times.items():
        print(f"| {name} | {statistics.median(values):.2f} | {min(values):.2f} | {max(values):.2f} |")


if __name__ == "__main__":
    main()
