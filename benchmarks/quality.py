"""A race: recipes train one after another for the same time on the same pictures and are scored at the same minutes.

    python -m benchmarks.quality --data faces --minutes 5,10,20 --output race default zero-to-gans

A tenth of the pictures is held out (`ganime.split`), and the scores are against these. Scoring does not count as time. Every
contender's run, grids and scores stay in the output folder; one that has finished is not run again.
"""

import json
import time
from pathlib import Path

import click
import keras

import ganime
from ganime.metrics.evaluation import GeneratedPictures, evaluate, score_names
from ganime.metrics.features import FeatureExtractor
from ganime.pictures import make_grid, save_picture
from ganime.runs import atomic_write
from ganime.sampling import sample


class Race(keras.callbacks.Callback):
    """Score at the given minutes of training; stop at the last."""

    def __init__(self, minutes, assess):
        super().__init__()
        self.minutes, self.assess, self.results = sorted(minutes), assess, []

    def on_train_begin(self, logs=None):
        self.started = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        now = time.monotonic()
        if now - self.started >= 60 * self.minutes[len(self.results)]:
            step = int(self.model.step.numpy())
            minute = self.minutes[len(self.results)]
            self.results.append({"minutes": minute, "step": step, **self.assess(self.model.averaged_generator, minute)})
            self.model.stop_training = len(self.results) == len(self.minutes)
            self.started += time.monotonic() - now


def run(name, settings, pictures, held_out, minutes, samples, extractor, output, seed):
    """Scores of one contender at each mark; from its file if it has run before."""
    path = output / name / "race.json"
    options = {"settings": settings, "data": held_out.fingerprint, "minutes": minutes, "samples": samples, "seed": seed}
    if not path.exists():
        recipe = ganime.get_recipe(name).override(*settings)

        def assess(generator, minute):
            save_picture(output / name / f"minute-{minute:03}.png", make_grid(sample(generator, range(64))))
            return evaluate(GeneratedPictures(generator, samples), held_out, extractor, recipe.image_size)

        race = Race(minutes, assess)
        ganime.fit(ganime.Run(output / name), recipe, pictures, 10**9, seed, 10**9, 10**9, callbacks=(race,))
        results = [{"pictures": result["step"] * recipe.batch_size, **result} for result in race.results]
        with atomic_write(path) as part:
            part.write_text(json.dumps({"options": options, "results": results}, indent=1))
    race = json.loads(path.read_text())
    if race["options"] != json.loads(json.dumps(options)):
        raise click.UsageError(f"{path} is of a race with other options; choose another --output")
    return race["results"]


@click.command()
@click.argument("recipes", nargs=-1, required=True)
@click.option("--data", required=True, help="A folder of faces.")
@click.option("--minutes", default="5,10,20,45", show_default=True, help="When to score.")
@click.option("--samples", default=2000, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=Path("checkpoints/race"), show_default=True)
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="Of every recipe, as for `fit`.")
@click.option("--seed", default=0, show_default=True)
def main(recipes, data, minutes, samples, output, settings, seed):
    """Run the race and print its table."""
    pictures, held_out = ganime.split(ganime.open_pictures(data), 64)
    extractor, minutes = FeatureExtractor(), [int(minute) for minute in minutes.split(",")]
    columns = [name for name in score_names(extractor) if not name.endswith("-deviation")]
    header = " | ".join(["recipe", "minutes", "pictures seen", *columns])
    click.echo(f"| {header} |\n|---" + "|--:" * (2 + len(columns)) + "|")
    for name in recipes:
        results = run(name, settings, pictures, held_out, minutes, samples, extractor, output, seed)
        for result in results:
            shown = [_show(result, column) for column in columns]
            click.echo(f"| {name} | {result['minutes']} | {result['pictures']:,} | " + " | ".join(shown) + " |")


def _show(result, column):
    deviation = result.get(f"{column}-deviation")
    return f"{result[column]:.3g}" + (f" ± {deviation:.1g}" if deviation is not None else "")


if __name__ == "__main__":
    main()
