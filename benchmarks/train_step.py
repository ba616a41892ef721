"""Images per second of training, pipeline included, and what share of the machine's arithmetic that is.

    python -m benchmarks.train_step --data faces --torch-python /path/to/python

First the published project after which `zero-to-gans` is named, in PyTorch, as published and with channels last, and that
recipe through `GAN.fit`, on the pictures of a folder and at batch 128. Then every recipe of ours, at its own batch size. All
take turns, each in a process of its own, which also measures the machine's rate just before and after: 2048x2048 matrix
products in float32, the fastest of several, by its own library. The highest of these in a round is what its shares are of.

GFLOP/s are by `benchmarks.arithmetic` for PyTorch, too: what the step needs. As published it does a quarter more. GB are the
most that the process ever held, without PyTorch's loading processes. Tables give medians of the rounds.
"""

import json
import math
import statistics
import sys
import tempfile
from pathlib import Path

import click

import ganime
from benchmarks import run_code

WARM_UP = 4  # steps
CONTENDER = "zero-to-gans"
SHARED = f"""
import json, resource, statistics, sys, time
from benchmarks import machine_rate
times, data, steps, cycle = [], sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
def finish(*rates):
    ends = times[{WARM_UP} - 1 :: cycle]
    seconds = statistics.median(end - start for start, end in zip(ends, ends[1:])) / cycle
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({{"seconds": seconds, "machine": max(rates), "memory": memory}}))
"""
PYTORCH = f"""
{SHARED}
import torch
from benchmarks import published_pytorch as published
layout = getattr(torch, sys.argv[4])
square = torch.randn(2048, 2048, device=published.DEVICE)
multiply = lambda: (square @ square)[0, 0].item()
before = machine_rate(multiply)
step = published.make_step(*published.build(layout))
for images in published.make_batches(data, layout):
    step(images)
    times.append(time.perf_counter())
    if len(times) == {WARM_UP} + steps:
        break
finish(before, machine_rate(multiply))
"""
OURS = f"""
{SHARED}
import ganime, keras
import tensorflow as tf
square = tf.random.normal((2048, 2048))
multiply = lambda: float((square @ square)[0, 0])
before = machine_rate(multiply)
class Clock(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        [float(value) for value in logs.values()]  # as the history does
        times.append(time.perf_counter())
        self.model.stop_training = len(times) == {WARM_UP} + steps
recipe = ganime.get_recipe(sys.argv[4])
pictures = ganime.open_pictures(data)
dataset = ganime.make_dataset(pictures, recipe.image_size, recipe.batch_size, flips=recipe.flips)
ganime.build_gan(recipe).fit(dataset, verbose=0, callbacks=[Clock()])
finish(before, machine_rate(multiply))
"""


def cycle_length(recipe):
    """Steps after which the same kinds of steps come again: what has to be timed as one."""
    return math.lcm(recipe.d_updates, recipe.r1_interval if recipe.r1_weight else 1)


@click.command()
@click.option(
    "--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path), help="A folder of pictures."
)
@click.option("--torch-python", required=True, metavar="PYTHON", help="A Python that has torch and torchvision.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option(
    "--steps",
    default=20,
    show_default=True,
    type=click.IntRange(1),
    help="Timed by each process, rounded up to whole cycles of a lazy penalty.",
)
def main(data, torch_python, rounds, steps):
    """Compare, and print two tables."""
    same = {}  # one recipe under two names is measured once
    for name, recipe in ganime.RECIPES.items():
        same.setdefault(recipe, []).append(name)
    ours = {CONTENDER if CONTENDER in names else names[0]: recipe for recipe, names in same.items()}
    results = {}
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "faces").symlink_to(data.resolve())
        programs = {
            "PyTorch, as published": (torch_python, PYTORCH, scratch, steps, 1, "contiguous_format"),
            "PyTorch, channels last": (torch_python, PYTORCH, scratch, steps, 1, "channels_last"),
        }
        for name, recipe in ours.items():
            cycle = cycle_length(recipe)
            programs[name] = (sys.executable, OURS, data.resolve(), -(-steps // cycle) * cycle, cycle, name)
        for _ in range(rounds):
            for name, program in programs.items():
                results.setdefault(name, []).append(json.loads(run_code(*program)))
                print(f"{name}: {results[name][-1]['seconds']:.2f} s", file=sys.stderr, flush=True)
    report(results, ours, same, steps)


def report(results, ours, same, steps):
    """Print what was measured."""
    # TensorFlow comes in only now: it would take memory, and what a process holds when it starts another counts as the other's.
    from benchmarks.arithmetic import step_operations

    machine = [max(result["machine"] for result in round_) for round_ in zip(*results.values(), strict=True)]
    recipe = ganime.get_recipe(CONTENDER)
    low, middle, high = (f"{pick(machine) / 1e9:,.0f}" for pick in (min, statistics.median, max))
    print(f"{len(machine)} rounds of {steps} steps; the machine multiplies matrices at {middle} GFLOP/s ({low} to {high})\n")

    def cells(name, recipe):
        seconds, memory = ([result[key] for result in results[name]] for key in ("seconds", "memory"))
        operations = step_operations(recipe)
        shares = [operations / second / rate for second, rate in zip(seconds, machine, strict=True)]
        second = statistics.median(seconds)
        rates = f"{recipe.batch_size / second:,.1f} | {operations / second / 1e9:,.0f} | {statistics.median(shares):.0%}"
        return f"{rates} | {statistics.median(memory) / 1e9:.2f}"

    print(f"| batch {recipe.batch_size} | images/s | GFLOP/s | of the machine | GB | ours to it | least | most |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for name in (*(name for name in results if name not in ours), CONTENDER):
        pairs = zip(results[name], results[CONTENDER], strict=True)
        ratios = [theirs["seconds"] / own["seconds"] for theirs, own in pairs]
        compared = " | ".join(f"{pick(ratios):.2f}x" for pick in (statistics.median, min, max))
        label = f"ganime, {name}" if name in ours else name
        print(f"| {label} | {cells(name, recipe)} | {compared} |")
    print("\n| recipe | batch | images/s | GFLOP/s | of the machine | GB |\n|---|--:|--:|--:|--:|--:|")
    for name, recipe in ours.items():
        print(f"| {', '.join(same[recipe])} | {recipe.batch_size} | {cells(name, recipe)} |")


if __name__ == "__main__":
    main()
