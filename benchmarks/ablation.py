"""One change at a time: variants of the default recipe, trained for the same computing time, and scored.

    python -m benchmarks.ablation --data faces --output ablation --pictures 500000 VARIANT ...

`benchmarks/ablation.json` says what each variant sets and what it costs: the time of a training step per picture, in that of
`default`. `a+b` is both. A variant sees --pictures divided by its cost, and is scored after an eighth, a quarter, a half and
all of them, against a tenth of the data, which was held out. With --jobs several train at once, as a GPU allows; OUTPUT keeps
every score and the last grid; what has finished is not run again, and refused if it was run with other options.
"""

import json
import math
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import click

from ganime.files import atomic_write
from ganime.recipes import get_recipe

VARIANTS = Path(__file__).with_suffix(".json")
MARKS = (1 / 8, 1 / 4, 1 / 2, 1)


def read_variant(name):
    """The recipe of a variant, and its cost."""
    variants = json.loads(VARIANTS.read_text())
    if unknown := set(name.split("+")) - variants.keys():
        raise click.UsageError(f"{VARIANTS} has no variant {', '.join(unknown)}")
    parts = [variants[part] for part in name.split("+")]
    settings = [setting for part in parts for setting in part["set"]]
    return get_recipe("default").override(*settings), math.prod(part.get("cost", 1) for part in parts)


def read_results(name, seed, options, output):
    """The scores of a variant that has been trained with these options, fewer if it diverged; None without a training."""
    path = output / f"{name}-{seed}.json"
    recipe = json.loads(json.dumps(asdict(read_variant(name)[0])))
    if not path.exists():
        return None
    found = json.loads(path.read_text())
    if found["options"] != options or found["recipe"] != recipe:
        raise click.UsageError(f"{path} is of other options or another recipe; choose another --output")
    return found["results"]


def train(name, seed, options, output):
    """Train one variant and write its scores: the work of a process."""
    import keras

    import ganime
    from ganime.data.pipeline import make_dataset
    from ganime.generation.sampling import sample
    from ganime.metrics.evaluation import GeneratedPictures, evaluate
    from ganime.metrics.features import FeatureExtractor
    from ganime.pictures.grids import make_grid, save_picture
    from ganime.training.forms import own_statistics

    recipe, cost = read_variant(name)
    data, samples = options["data"], options["samples"]
    total = round(options["pictures"] / cost / recipe.batch_size)
    marks, results = [round(total * mark) for mark in MARKS], []
    shown, held_out = ganime.split(ganime.open_pictures(data) if data else ganime.DrawnFaces(), 64)
    extractor = FeatureExtractor()

    class Score(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if (step := batch + 1) in marks:
                with own_statistics(self.model.averaged_generator) as generator:
                    scores = evaluate(GeneratedPictures(generator, samples), held_out, extractor, recipe.image_size)
                results.append({"step": step, "pictures": step * recipe.batch_size, **scores})

    gan = ganime.build_gan(recipe, seed, ganime.Engine(jit_compile=options["jit"]))
    dataset = make_dataset(shown, recipe.image_size, recipe.batch_size, 0, total, seed, recipe.flips)
    with suppress(ganime.NonFiniteError):  # it has diverged, which the scores that are missing tell
        gan.fit(dataset, verbose=0, callbacks=[ganime.callbacks.StopOnNonFinite(), Score()])
        save_picture(output / f"{name}-{seed}.png", make_grid(sample(gan.averaged_generator, range(32)), columns=8))
    with atomic_write(output / f"{name}-{seed}.json") as part:
        part.write_text(json.dumps({"options": options, "recipe": asdict(recipe), "results": results}, indent=1))


@click.command()
@click.argument("names", nargs=-1)
@click.option("--data", help="A folder of faces, or a packed file; drawn faces by default.")
@click.option("--pictures", default=500_000, show_default=True, help="That a variant of cost 1 sees.")
@click.option("--samples", default=2000, show_default=True)
@click.option("--seeds", default="0", show_default=True)
@click.option("--jobs", default=1, show_default=True, help="Trainings at once.")
@click.option("--limit", default=1e9, help="Seconds after which no training is begun, and those that run are ended.")
@click.option("--jit", is_flag=True, help="Compile the training step by XLA.")
@click.option("--output", type=click.Path(path_type=Path), default=Path("checkpoints/ablation"), show_default=True)
@click.option("--worker", is_flag=True, hidden=True)
def main(names, data, pictures, samples, seeds, jobs, limit, jit, output, worker):
    """Train the variants, all of them by default, and print their table."""
    output.mkdir(parents=True, exist_ok=True)
    names = names or tuple(json.loads(VARIANTS.read_text()))
    jobs_to_do = [(name, int(seed)) for seed in seeds.split(",") for name in names]
    options = {"data": data and str(Path(data).resolve()), "pictures": pictures, "samples": samples, "jit": jit}
    if worker:
        return train(*jobs_to_do[0], options, output)
    for job in jobs_to_do:
        read_results(*job, options, output)
    end = time.monotonic() + limit

    def run(job):
        name, seed = job
        left = end - time.monotonic()
        if read_results(name, seed, options, output) is not None or left < 0:
            return
        command = [sys.executable, "-m", "benchmarks.ablation", "--worker", name, "--seeds", str(seed)]
        command += ["--pictures", str(pictures), "--samples", str(samples), "--output", str(output)]
        command += (["--data", data] if data else []) + ["--jit"] * jit
        with open(output / f"{name}-{seed}.log", "w") as log:
            try:
                if subprocess.run(command, stdout=log, stderr=log, timeout=left).returncode:
                    print(f"{name} from seed {seed} failed; see {log.name}", file=sys.stderr)
            except subprocess.TimeoutExpired:
                print(f"{name} from seed {seed} was not finished", file=sys.stderr)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(run, jobs_to_do))
    found = {}
    for name, seed in jobs_to_do:
        results = read_results(name, seed, options, output)
        if results is not None and len(results) < len(MARKS):
            print(f"{name} from seed {seed} diverged", file=sys.stderr)
        elif results:
            found.setdefault(name, []).append(results)
    print_table(found)


def print_table(found):
    """A row for each variant: the scores at every mark, and their range over the seeds at the last."""
    import numpy as np

    print(
        "| variant | seeds | KID-lite0 at " + " | ".join(f"{mark:.3g}" for mark in MARKS) + " | FD-lite0 | precision | recall |"
    )
    print("|---|" + "--:|" * (4 + len(MARKS)))
    rows = []
    for name, races in found.items():
        kernel = np.array([[result["KID-lite0"] for result in results] for results in races])
        last = [np.mean([results[-1][key] for results in races]) for key in ("FD-lite0", "precision-lite0", "recall-lite0")]
        shown = [f"{value:.3f}" for value in kernel.mean(0)]
        shown[-1] += f" ({kernel[:, -1].min():.3f}-{kernel[:, -1].max():.3f})" if len(races) > 1 else ""
        rows.append(
            (kernel.mean(0)[-1], f"| {name} | {len(races)} | " + " | ".join([*shown, *(f"{v:.3g}" for v in last)]) + " |")
        )
    print(*(row for _, row in sorted(rows)), sep="\n")


if __name__ == "__main__":
    main()
