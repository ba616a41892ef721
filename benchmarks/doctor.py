"""Does `doctor` name what is wrong? Each illness is made on purpose, and told from as many healthy runs.

    python -m benchmarks.doctor --data faces --output doctor

The runs are small (32x32 pixels, 16 pictures in a step, networks of some 10,000 weights), so that seventy take minutes. OUTPUT
keeps them: what has finished is not trained again. The limits in `ganime.illnesses` were chosen by the runs of seeds 0 to 4
(--seeds 0-4); those of the others judge them.
"""

import dataclasses
import json
import logging
import shutil
from pathlib import Path

import click
import numpy as np

from ganime.recipes import get_recipe

SMALL = (
    "image_size=32",
    "latent_size=32",
    "generator_widths=32,16,8",
    "discriminator_widths=8,16,32",
    "batch_size=16",
    "ema_half_life=500",
    "r1_weight=0.2",
    "r1_fall=0",
)
BARE = ("r1_weight=0", "augmentations=", "label_noise=0", "minibatch_deviation=0")
LARGER = ("generator_widths=64,32,16", "discriminator_widths=16,32,64", "r1_weight=1", "augmentations=", "flips=no")
SAMPLES, HELD_OUT = 64, 200


def rates(generator, discriminator):
    """What sets the learning rates."""
    return f"g_learning_rate={generator}", f"d_learning_rate={discriminator}"


# For each kind: recipes, which the seeds take in turn, and what is set in them; steps; pictures; steps between two scores.
KINDS = {
    "healthy": ([("default", rates(2e-3, 2e-3)), ("zero-to-gans", rates(1e-3, 1e-3))], 1200, 2000, 100),
    "discriminator-wins": ([("default", (*BARE, "discriminator_widths=32,64,64", *rates(2e-5, 2e-3)))], 350, 2000, 0),
    "diverging": ([("default", rates(0.3, 0.3)), ("zero-to-gans", rates(1, 1))], 100, 2000, 0),
    "collapse": ([("zero-to-gans", rates(0.02, 5e-4))], 300, 2000, 0),
    "copying": ([("default", (*LARGER, *rates(2e-3, 2e-3)))], 500, 10, 0),
    # From where a healthy run has ended, with a hundredth of its rates. (The average is another one, as is the graph.)
    "plateau": (
        [
            ("default", ("ema_half_life=1000", *rates(2e-5, 2e-5))),
            ("zero-to-gans", ("ema_half_life=1000", *rates(1e-5, 1e-5))),
        ],
        1200,
        2000,
        100,
    ),
}
EVERY = 100  # steps between the looks at a run


def train(kind, seed, images, output, extractor):
    """One run; one that ends in values that are not finite has its history all the same."""
    import ganime

    recipes, steps, count, every = KINDS[kind]
    name, settings = recipes[seed % len(recipes)]
    chosen = HELD_OUT + np.random.RandomState(seed).permutation(len(images) - HELD_OUT)[:count]
    watch = ganime.Evaluation(images[:HELD_OUT], every, SAMPLES, extractor, verbose=0) if every else None
    recipe = get_recipe(name).override(*SMALL, *settings)
    callbacks = [watch] if watch else []
    start = output.with_name(f"healthy-{seed}") if kind == "plateau" else None
    try:
        ganime.fit(output, recipe, images[chosen], steps, seed, save_every=10**6, callbacks=callbacks, start=start, verbose=0)
    except ganime.NonFiniteError as error:
        (output / "end.txt").write_text(str(error))
    (output / "done.json").write_text(json.dumps({"steps": steps}))


def trace_once():
    """Let `fit` take one model for all seeds, with other first weights: tracing takes longer than such a training."""
    import tensorflow as tf

    import ganime.training.fit as module

    build, made = module.build_gan, {}

    def build_again(recipe, seed, engine):
        fresh = build(recipe, seed, engine)
        gan = made.setdefault(dataclasses.replace(recipe, g_learning_rate=1.0, d_learning_rate=1.0), fresh)
        if gan is fresh:
            vars(gan)["train_step"] = tf.function(gan.train_step, autograph=False)
        for old, new in ((gan, fresh), (gan.g_optimizer, fresh.g_optimizer), (gan.d_optimizer, fresh.d_optimizer)):
            for variable, value in zip(old.variables, new.variables, strict=True):
                variable.assign(value)
        return gan

    module.build_gan = build_again


def names_at(run, step):
    """What is found in a run as it was at a step."""
    from ganime.doctor import read_grid, read_record
    from ganime.history import read_history
    from ganime.illnesses import RECENT, examine

    record, columns = read_record(run), read_history(run.history_path)
    rows = np.flatnonzero(columns["step"] <= step)[-RECENT:]
    record.recent = {name: values[rows] for name, values in columns.items()}
    record.scores = [row for row in record.scores if row["step"] <= step]
    grids = [(at, path) for at, path in run.samples() if at <= step]
    record.faces_step, path = grids[-1]
    record.faces = read_grid(path, record.recipe.image_size)
    return {finding.name for finding in examine(record)}


def looks(run):
    """What is found at each look."""
    last = run.summary().step
    return [names_at(run, step) for step in [*range(EVERY, last, EVERY), last]]


def make_sets(seed, faces):
    """Sets of 64 pictures: of faces, and of each wrong kind."""
    from skimage import data

    from ganime.pictures.grids import make_grid

    rng = np.random.RandomState(seed)

    def some(count):
        return faces[rng.choice(len(faces), count, replace=False)]

    def shake(picture):
        return np.clip(np.roll(picture, rng.randint(-1, 2, 2), (0, 1)) + rng.normal(rng.normal(0, 8), 4, picture.shape), 0, 255)

    def crop(photograph):
        height, width = photograph.shape[:2]
        side = rng.randint(100, min(height, width) + 1)
        top, left = rng.randint(height - side + 1), rng.randint(width - side + 1)
        return resize(photograph[top : top + side, left : left + side])

    photographs = [data.astronaut(), data.chelsea(), data.coffee(), data.rocket(), data.stereo_motorcycle()[0]]
    return {
        "faces": some(64),
        "alike": np.stack([shake(picture) for picture in some(1).repeat(64, 0)]).astype(np.uint8),
        "sheets": np.stack([resize(make_grid(some(rng.randint(2, 6) ** 2), gap=0)) for _ in range(64)]),
        "photographs": np.stack([crop(photographs[rng.randint(len(photographs))]) for _ in range(64)]),
    }


def resize(picture):
    """A picture at 64x64."""
    from PIL import Image

    return np.asarray(Image.fromarray(np.ascontiguousarray(picture)).resize((64, 64), Image.Resampling.LANCZOS))


@click.command()
@click.argument("kinds", nargs=-1)
@click.option("--data", help="A folder of faces, or a packed file; drawn faces by default.")
@click.option("--seeds", default="0-9", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=Path("checkpoints/doctor"), show_default=True)
def main(kinds, data, seeds, output):
    """Make the runs, and print what is found in each."""
    import ganime
    from ganime.generation.latents import parse_seeds
    from ganime.illnesses import Record, examine

    logging.disable(logging.WARNING)
    kinds, seeds = kinds or tuple(KINDS), parse_seeds(seeds)
    pictures = ganime.open_pictures(data) if data else ganime.DrawnFaces(3000)
    order = np.random.RandomState(0).permutation(len(pictures))[:3000].tolist()
    small, extractor = pictures.load_batch(order, 32), ganime.FeatureExtractor()
    trace_once()
    found = {}
    for seed in seeds:
        for kind in kinds:
            path = output / f"{kind}-{seed}"
            if not (path / "done.json").exists():
                shutil.rmtree(path, ignore_errors=True)
                train(kind, seed, small, path, extractor)
            found.setdefault(kind, []).append(looks(ganime.Run(path)))
    large = pictures.load_batch(order[:1000], 64)
    for seed in seeds:
        for kind, some in make_sets(seed, large).items():
            record = Record(0, get_recipe("default"), 64, pictures=some)
            found.setdefault(f"pictures: {kind}", []).append([{finding.name for finding in examine(record)}])
    print("| made | runs | named | first named at a look | other names |\n|---|--:|--:|---|---|")
    for kind, runs in found.items():
        name = kind.split(":")[0]
        at = [next((i for i, names in enumerate(run, 1) if name in names), None) for run in runs]
        others = [set().union(*run) - {name} for run in runs]
        named = sum(look is not None for look in at)
        print(
            f"| {kind} | {len(runs)} | {named} | {at} | {sum(map(bool, others))}: {', '.join(sorted(set().union(*others)))} |"
        )


if __name__ == "__main__":
    main()
