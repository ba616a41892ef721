"""A race: contenders train one after another for the same time on the same pictures and are scored at the same minutes.

    python -m benchmarks.quality --data faces --output race --torch-python /path/to/python pytorch zero-to-gans default
    python -m benchmarks.quality --data faces --output fine-tuning default default:shipped

A contender is a recipe, from first weights or, after a colon, from what `fit --from` takes; or, with --torch-python (a Python
with torch and torchvision), `pytorch`, the project after which `zero-to-gans` is named as it was published, or
`dcgan-anime-face-lab`, the strongest recipe of another. A tenth of the pictures is held out (`ganime.split`), and the scores
are against these. Neither start nor scoring count as time. OUTPUT keeps all grids, scores and faces (for another judge:
`evaluate --images OUTPUT/default/faces-010.npy`), and race.png, scores against minutes; a contender that has finished is not
run again, so a race can go on later, with more contenders, if the machine is as quick: each one's race.json has the rate of
matrix products before and after.
"""

import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import click
import keras
import numpy as np

import ganime
from benchmarks import machine_rate, run_code
from ganime.data.arrays import ArrayPictures
from ganime.files import atomic_write
from ganime.metrics.evaluation import GeneratedPictures, evaluate, score_names
from ganime.metrics.features import FeatureExtractor
from ganime.pictures.grids import make_grid, save_picture
from ganime.training.forms import own_statistics
from ganime.training.loading import open_start

PUBLISHED = {"pytorch": "published_pytorch", "dcgan-anime-face-lab": "published_lab"}

PYTORCH = """
import json, sys, time
from importlib import import_module
import numpy as np
import torch
torch.manual_seed(int(sys.argv[5]))
published = import_module("benchmarks." + sys.argv[1])
data, minutes, samples, output = sys.argv[2], json.loads(sys.argv[3]), int(sys.argv[4]), sys.argv[6]
step, get_sampler = published.start(data)
steps, seconds = 1, 0.0
step()  # the first is the start, and not timed
for minute in minutes:
    since = time.monotonic()
    while seconds + time.monotonic() - since < 60 * minute:
        step()
        steps += 1
    seconds += time.monotonic() - since
    sampler, faces = get_sampler(), []
    with torch.no_grad():
        for _ in range(-(-samples // published.BATCH)):
            images = sampler(torch.randn(published.BATCH, published.LATENT, 1, 1, device=published.DEVICE))
            faces.append(((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy())
    np.save(f"{output}/faces-{minute:03}.npy", np.concatenate(faces)[:samples])
    np.save(f"{output}/steps-{minute:03}.npy", steps)
print(published.BATCH)
"""


class Race(keras.callbacks.Callback):
    """Assess (minute, step, faces) at the given minutes of training; stop at the last."""

    def __init__(self, minutes, samples, assess):
        super().__init__()
        self.minutes, self.samples, self.assess, self.done = minutes, samples, assess, 0

    def on_train_batch_end(self, batch, logs=None):
        now = time.monotonic()
        if not batch:  # the first step, in which all is traced, is the start
            self.started = now
        if now - self.started >= 60 * self.minutes[self.done]:
            with own_statistics(self.model.averaged_generator) as generator:
                faces = GeneratedPictures(generator, self.samples)
                self.assess(self.minutes[self.done], int(self.model.step.numpy()), faces)
            self.done += 1
            self.model.stop_training = self.done == len(self.minutes)
            self.started += time.monotonic() - now


def numpy_rate():
    """GFLOP/s of the machine in matrix products by numpy."""
    square = np.ones((2048, 2048), "float32")
    return machine_rate(lambda: np.matmul(square, square)) / 1e9


def train_published(python, module, pictures, minutes, samples, seed, output, assess):
    """Train a published project in a process of its own, and assess what it drew."""
    with tempfile.TemporaryDirectory() as folder:
        faces = Path(folder) / "all" / "faces"
        faces.mkdir(parents=True)
        for index in pictures.indices.tolist():
            path = pictures.pictures.path(index).resolve()
            (faces / f"{index:06}{path.suffix}").symlink_to(path)
        output.mkdir(parents=True, exist_ok=True)
        batch = int(run_code(python, PYTORCH, module, faces.parent, json.dumps(minutes), samples, seed, folder))
        for minute in minutes:
            steps, drawn = (np.load(f"{folder}/{kind}-{minute:03}.npy") for kind in ("steps", "faces"))
            assess(minute, int(steps), ArrayPictures(drawn))
    return batch


def run(name, settings, pictures, held_out, minutes, samples, extractor, output, seed, torch_python):
    """Scores of one contender at each mark; from its file if it has run before."""
    recipe_name, _, start = name.partition(":")
    folder = output / (f"{recipe_name}-from-{Path(start).stem}" if start else name)
    path = folder / "race.json"
    recipe = None if name in PUBLISHED else ganime.get_recipe(recipe_name).override(*settings)
    if start:
        start = open_start(start, ganime.Run(folder))
        recipe = start.adopt(recipe, *settings)
    options = {"data": held_out.fingerprint, "minutes": minutes, "samples": samples, "seed": seed}
    options |= {"from": start.origin} if start else {}
    options = json.loads(json.dumps({**options, "recipe": recipe and asdict(recipe)}))
    if not path.exists():
        if folder.exists():
            raise click.UsageError(f"{folder} is of a race that was interrupted; delete it")
        results, before = [], numpy_rate()

        def assess(minute, step, faces):
            faces = ArrayPictures(faces.load_batch(range(samples), 64))  # drawn once
            np.save(folder / f"faces-{minute:03}.npy", faces.array)
            save_picture(folder / f"minute-{minute:03}.png", make_grid(faces.array[:64]))
            results.append({"minutes": minute, "step": step, **evaluate(faces, held_out, extractor, 64)})

        if recipe is None:
            published = torch_python, PUBLISHED[name]
            batch = train_published(*published, pictures, minutes, samples, seed, folder, assess)
        else:
            batch = recipe.batch_size
            steps, race = 10**9, Race(minutes, samples, assess)
            ganime.fit(ganime.Run(folder), recipe, pictures, steps, seed, steps, steps, (race,), start=start or None)
        results = [{"pictures": result["step"] * batch, **result} for result in results]
        with atomic_write(path) as part:
            part.write_text(json.dumps({"options": options, "machine": [before, numpy_rate()], "results": results}, indent=1))
    race = json.loads(path.read_text())
    if race["options"] != options:
        raise click.UsageError(f"{path} is of a race with other options; choose another --output")
    return race["results"]


def draw(races, kernel, path):
    """The kernel distance of every contender against minutes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), dpi=90, layout="constrained")
    axes = figure.subplots()
    for name, results in races.items():
        minutes, values, deviations = ([r[key] for r in results] for key in ("minutes", kernel, f"{kernel}-deviation"))
        axes.errorbar(minutes, values, deviations, marker="o", markersize=3, linewidth=1, label=name)
    axes.set(xlabel="minutes of training", ylabel=kernel, ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend()
    with atomic_write(path) as part:
        figure.savefig(part)


@click.command()
@click.argument("contenders", nargs=-1, required=True)
@click.option("--data", required=True, help="A folder of faces.")
@click.option("--minutes", default="5,10,20,45", show_default=True, help="When to score.")
@click.option("--samples", default=2000, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=Path("checkpoints/race"), show_default=True)
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="Of every recipe, as for `fit`; not its size.")
@click.option("--seed", default=0, show_default=True)
@click.option("--torch-python", metavar="PYTHON", help="A Python that has torch and torchvision, for published projects.")
def main(contenders, data, minutes, samples, output, settings, seed, torch_python):
    """Run the race and print its table; ratios are to the first contender at the same minute."""
    if (published := PUBLISHED.keys() & set(contenders)) and not torch_python:
        raise click.UsageError(f"{', '.join(published)} needs --torch-python")
    pictures, held_out = ganime.split(ganime.PictureFolder(data), 64)
    extractor, minutes = FeatureExtractor(), sorted(int(minute) for minute in minutes.split(","))
    kernel = extractor.network.kernel
    columns = [name for name in score_names(extractor) if not name.endswith("-deviation")]
    header = " | ".join(["contender", "minutes", "pictures seen", f"{kernel}, ratio", *columns])
    click.echo(f"| {header} |\n|---" + "|--:" * (3 + len(columns)) + "|")
    races = {}
    for name in contenders:
        races[name] = run(name, settings, pictures, held_out, minutes, samples, extractor, output, seed, torch_python)
        for result, first in zip(races[name], races[contenders[0]], strict=True):
            shown = [f"{result[kernel] / first[kernel]:.2f}x", *(_show(result, column) for column in columns)]
            click.echo(f"| {name} | {result['minutes']} | {result['pictures']:,} | " + " | ".join(shown) + " |")
    draw(races, kernel, output / "race.png")


def _show(result, column):
    deviation = result.get(f"{column}-deviation")
    return f"{result[column]:.3g}" + (f" ± {deviation:.1g}" if deviation is not None else "")


if __name__ == "__main__":
    main()
