"""Images per second of training by recipe and engine: precisions, XLA, several steps between two returns to Python.

    python -m benchmarks.engines --data faces --rounds 3

Through `GAN.fit` on the pictures of a folder, each measurement in a process of its own, all in turns; tables give medians of
the rounds, with the ratio to float32 without XLA in the same round. Memory is the most that TensorFlow held on the GPU, or that
the process held without one. The start is the seconds to the end of the first step, tracing and compiling included.
"""

import json
import statistics
import sys
from pathlib import Path

import click

import ganime
from benchmarks import run_code

ENGINES = {
    "float32": {},
    "bfloat16": {"precision": "bfloat16"},
    "float16": {"precision": "float16"},
    "float32, 10 steps at once": {"steps_per_execution": 10},
    "float32, XLA": {"jit_compile": True},
    "bfloat16, XLA": {"precision": "bfloat16", "jit_compile": True},
    "float32, XLA, 10 steps at once": {"jit_compile": True, "steps_per_execution": 10},
}
MEASURE = """
import json, math, resource, sys, time
import ganime, keras
import tensorflow as tf
data, recipe, seconds, settings = sys.argv[1], ganime.get_recipe(sys.argv[2]), float(sys.argv[3]), json.loads(sys.argv[4])
ends = []
class Clock(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        losses = [float(value) for value in logs.values()]  # as the history does
        assert all(map(math.isfinite, losses)), losses
        ends.append((time.perf_counter(), int(self.model.step.numpy())))
        self.model.stop_training = len(ends) > 3 and ends[-1][0] - ends[2][0] > seconds
dataset = ganime.make_dataset(ganime.open_pictures(data), recipe.image_size, recipe.batch_size, flips=recipe.flips)
since = time.perf_counter()
ganime.build_gan(recipe, engine=ganime.Engine(**settings)).fit(dataset, verbose=0, callbacks=[Clock()])
(first, step), (last, end) = ends[2], ends[-1]
held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
gpus = tf.config.list_logical_devices("GPU")
print(json.dumps({
    "rate": (end - step) * recipe.batch_size / (last - first),
    "start": ends[0][0] - since,
    "memory": tf.config.experimental.get_memory_info("GPU:0")["peak"] if gpus else held * 1024,
}))
"""


@click.command()
@click.argument("recipes", nargs=-1)
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path), help="A folder of pictures.")
@click.option("--engine", "engines", multiple=True, type=click.Choice([*ENGINES]), help="Only this; may be repeated.")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=10.0, show_default=True, help="How long to train, after three returns to Python.")
def main(recipes, data, engines, rounds, seconds):
    """Measure, and print a table for every recipe: all of them by default."""
    found, engines = {}, engines or [*ENGINES]
    recipes = {name: ganime.get_recipe(name) for name in recipes or ganime.RECIPES}
    for round_ in range(rounds):
        for recipe in recipes:
            for name in engines:
                try:
                    result = json.loads(run_code(sys.executable, MEASURE, data, recipe, seconds, json.dumps(ENGINES[name])))
                except SystemExit as error:
                    print(recipe, name, "failed:", str(error)[-600:], file=sys.stderr, flush=True)
                    continue
                found.setdefault((recipe, name), {})[round_] = result
                print(recipe, name, result, file=sys.stderr, flush=True)
    for recipe in recipes:
        print(f"\n| {recipe} | images/s | ratio | memory, MB | start, s |\n|---|--:|--:|--:|--:|")
        for name in engines:
            results, base = (found.get((recipe, engine), {}) for engine in (name, "float32"))
            if not results:
                print(f"| {name} | failed |")
                continue
            rate, start, memory = (statistics.median(r[key] for r in results.values()) for key in ("rate", "start", "memory"))
            ratios = [results[i]["rate"] / base[i]["rate"] for i in results.keys() & base.keys()]
            ratio = f"{statistics.median(ratios):.2f}" if ratios else ""
            print(f"| {name} | {rate:,.0f} | {ratio} | {memory / 1e6:,.0f} | {start:.1f} |")


if __name__ == "__main__":
    main()
