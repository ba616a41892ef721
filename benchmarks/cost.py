"""Time and memory as the work grows: of a training step of the recipe `default` against image size, batch and width, and of the
way to the first batch against the number of pictures.

    python -m benchmarks.cost --output cost --data faces

Each measurement has a process of its own, and everything is measured once in every round; the medians over the rounds are
shown. OUTPUT/cost.json keeps them all: an interrupted run continues, more --rounds add to it, and a complete one only prints
the tables and draws OUTPUT/cost.png again. Exponents are least squares of the logarithms over the upper half of the values,
three at least. Memory is the most that the process held, less what it held with TensorFlow imported.
"""

import json
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import click
import numpy as np

from benchmarks import link_pictures, run_code
from ganime.files import atomic_write
from ganime.recipes import get_recipe

MEMORY = """
import json, resource, statistics, sys, time
import ganime, psutil
import tensorflow as tf
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
before = psutil.Process().memory_info().rss / 1e6
"""
STEP = """
recipe = ganime.get_recipe("default").override(*sys.argv[2:])
gan = ganime.build_gan(recipe)
batch = tf.random.stateless_uniform((recipe.batch_size, recipe.image_size, recipe.image_size, 3), (0, 0), 0, 256, tf.int32)
batch = tf.cast(batch, tf.uint8)
step = tf.function(gan.train_step)
def measure(number):
    gan.step.assign(number)
    start = time.perf_counter()
    float(step(batch)["g_loss"])
    return time.perf_counter() - start
interval = recipe.r1_interval
with_penalty, without, start = [measure(0)], [measure(1)], time.perf_counter()
while len(without) < 4 or time.perf_counter() - start < float(sys.argv[1]):
    with_penalty.append(measure(interval))
    without += [measure(interval + 1), measure(interval + 2), measure(interval + 3)] if interval > 1 else with_penalty[-1:]
with_penalty, without = statistics.median(with_penalty[1:]), statistics.median(without[1:])
seconds = (with_penalty + (interval - 1) * without) / interval
print(json.dumps({"seconds": seconds, "megabytes": peak() - before, "with_penalty": with_penalty}))
"""
FIRST_BATCH = """
start = time.perf_counter()
pictures = ganime.PictureFolder(sys.argv[1])
next(iter(ganime.make_dataset(pictures, 64, 128)))
print(json.dumps({"seconds": time.perf_counter() - start, "megabytes": peak() - before}))
"""
MEASURES = {"seconds": "seconds per step", "megabytes": "memory, MB"}


class Measurements:
    """What has been measured, by what was varied and its value: a list, of what each round gave; kept in a file."""

    def __init__(self, path):
        self.path = path
        self.found = json.loads(path.read_text()) if path.exists() else {}

    def lacks(self, name, value, round_):
        """Whether this has not been measured in that round yet."""
        return len(self.found.setdefault(name, {}).setdefault(str(value), [])) <= round_

    def add(self, name, value, code, *arguments):
        """Measure with a program that prints JSON."""
        self.found[name][str(value)].append(json.loads(run_code(sys.executable, MEMORY + code, *arguments)))
        with atomic_write(self.path) as part:
            part.write_text(json.dumps(self.found, indent=1) + "\n")
        print(name, value, self.found[name][str(value)][-1], file=sys.stderr)

    def curve(self, name, measure):
        """Values, ascending, and the medians of what was measured for them."""
        medians = {Fraction(value): np.median([r[measure] for r in results]) for value, results in self.found[name].items()}
        return np.array(sorted(medians.items()), float).T

    def fit(self, name, measure):
        """The exponent over the upper half, and both ends of the line that it gives."""
        x, y = self.curve(name, measure)
        upper = slice(max(min(len(x) // 2, len(x) - 3), 0), None)
        exponent, factor = np.polyfit(np.log(x[upper]), np.log(y[upper]), 1)
        ends = x[upper][[0, -1]]
        return exponent, ends, np.exp(factor) * ends**exponent


def measure_steps(measurements, name, value, round_, seconds, *settings):
    """Time and memory of a training step."""
    if measurements.lacks(name, value, round_):
        measurements.add(name, value, STEP, seconds, *settings)


def measure_pictures(measurements, data, count, round_, scratch):
    """Time and memory up to the first batch of so many pictures: hard links to those of a folder, again and again."""
    if not measurements.lacks("pictures", count, round_):
        return
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        link_pictures(data, folder, count)
        measurements.add("pictures", count, FIRST_BATCH, folder)


def print_tables(measurements):
    """A table for everything that was varied, each with its exponents."""
    for name in measurements.found:
        measures = _measures(name)
        curves = [measurements.curve(name, measure) for measure in measures]
        print(f"| {name} | " + " | ".join(measures.values()) + " |\n|--:" + "|--:" * len(measures) + "|")
        for (value, seconds), (_, megabytes) in zip(*(curve.T for curve in curves), strict=True):
            print(f"| {_show(value)} | {seconds:.3g} | {megabytes:,.0f} |")
        if len(curves[0].T) > 1:
            print("| exponent |", " | ".join(f"{measurements.fit(name, measure)[0]:.2f}" for measure in measures), "|")
        print()


def draw(measurements, path):
    """Panels of time and of memory for everything that was varied, with the exponents."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter

    figure = Figure(figsize=(2.6 * len(measurements.found), 4.6), dpi=90, layout="constrained")
    panels = figure.subplots(2, len(measurements.found), squeeze=False)
    for column, name in zip(panels.T, measurements.found, strict=True):
        for axes, (measure, meaning) in zip(column, _measures(name).items(), strict=True):
            x, y = measurements.curve(name, measure)
            axes.loglog(x, y, "o-", markersize=3, linewidth=1)
            if len(x) > 1:
                exponent, *line = measurements.fit(name, measure)
                axes.loglog(*line, "--", linewidth=1, color="gray")
                axes.text(0.05, 0.88, f"exponent {exponent:.2f}", transform=axes.transAxes)
            axes.set(xlabel=name, ylabel=meaning)
            if name != "pictures":
                axes.set_xticks(x, map(_show, x), fontsize=8)
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter(lambda value, _: _show(value))
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_minor_formatter(NullFormatter())
            axes.grid(alpha=0.3)
    with atomic_write(path) as part:
        figure.savefig(part)


def _measures(name):
    return MEASURES | ({"seconds": "seconds to the first batch"} if name == "pictures" else {})


def _show(value):
    return f"{value:,.0f}" if value >= 10 else f"{value:g}"


def _list(kind):
    return lambda context, parameter, text: [kind(word) for word in text.split(",") if word]


@click.command()
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Folder for cost.json and cost.png.")
@click.option("--data", type=click.Path(exists=True, path_type=Path), help="A folder of pictures, for --pictures.")
@click.option("--sizes", default="32,48,64,96,128,192,256", show_default=True, callback=_list(int))
@click.option("--batches", default="8,16,32,64,128", show_default=True, callback=_list(int))
@click.option("--widths", default="1/4,1/2,3/4,1,3/2,2", show_default=True, callback=_list(Fraction), help="Of the recipe's.")
@click.option("--pictures", default="1000,16632,100000,1000000", show_default=True, callback=_list(int))
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=15.0, show_default=True, help="How long to repeat each step, at least.")
@click.option("--scratch", type=click.Path(path_type=Path), help="For links: a folder on the file system of --data.")
def main(output, data, sizes, batches, widths, pictures, rounds, seconds, scratch):
    """Measure what has not been measured, print the tables and draw the figure."""
    measurements = Measurements(output / "cost.json")
    recipe = get_recipe("default")
    for i in range(rounds):
        for size in sizes:
            measure_steps(measurements, "image size", size, i, seconds, f"image_size={size}")
        for batch in batches:
            measure_steps(measurements, "batch", batch, i, seconds, f"batch_size={batch}")
        for width in widths:
            fields = {name: getattr(recipe, name) for name in ("generator_widths", "discriminator_widths")}
            scaled = [f"{name}={','.join(str(round(channels * width)) for channels in old)}" for name, old in fields.items()]
            measure_steps(measurements, "width", width, i, seconds, *scaled)
        for count in pictures if data else ():
            measure_pictures(measurements, data, count, i, scratch)
    print_tables(measurements)
    draw(measurements, output / "cost.png")


if __name__ == "__main__":
    main()
