"""The discriminator that ships: one of `default`, twice as wide, to be trained against the generator that ships.

    python cli.py fit --data FOLDER --steps 6294 --evaluate-every 1000 --run teacher
    python -m benchmarks.discriminator teacher pair
    python cli.py fit --data FOLDER --from pair/pair.keras --recipe large --steps 649 --evaluate-every 649 --run judge \\
        --set g_learning_rate=0 --set d_updates=100 --set d_learning_rate=1e-4 --set r1_weight=0.2 \\
        --set augmentations=translation

A new discriminator learns nothing from faces as good as these: within 1,000 steps it told 50 % right. One that a generator has
taught from the beginning does, at a low rate (89 % after 300 steps; at 4e-4 with color augmentation 50 %). Each channel is
doubled and what it leads to halved, which changes no logit (Net2WiderNet, Chen et al. 2016,
https://arxiv.org/abs/1511.05641), and noise of 5 % lets the two differ. The generator stands still, and its updates are left
out of 99 steps in 100.
"""

import shutil
from pathlib import Path

import click
import keras
import numpy as np

import ganime
from ganime.generation.sampling import find_generator
from ganime.training.building import build_networks


def widen(kernel, shape, rng):
    """Weights of a layer in the shape of the wider one: [..., inputs, outputs], or the head's [inputs, 1], or [outputs]."""
    if len(shape) == 1:
        return np.tile(kernel, shape[0] // len(kernel))
    if len(shape) == 2:  # 4 x 4 places, at each the channels and their deviation, which is a mean over them
        places = kernel.reshape(16, -1)
        wide = np.concatenate([places[:, :-1] / 2, places[:, :-1] / 2, places[:, -1:]], axis=1).reshape(shape)
    else:
        times = [after // before for before, after in zip(kernel.shape, shape, strict=True)]
        wide = np.tile(kernel, times) / times[2]
    return wide + rng.normal(0, 0.05 * wide.std(), shape)


@click.command()
@click.argument("teacher")
@click.argument("output", type=click.Path(path_type=Path))
def main(teacher, output):
    """Write OUTPUT/pair.keras, the generator that ships, and beside it TEACHER's discriminator, twice as wide."""
    narrow = ganime.load_gan(ganime.Run(teacher)).discriminator
    wide, rng = build_networks(ganime.get_recipe("large"))[1], np.random.default_rng(0)
    shapes = [weight.shape for weight in wide.weights]
    wide.set_weights([widen(kernel, shape, rng) for kernel, shape in zip(narrow.get_weights(), shapes, strict=True)])
    pictures = keras.random.uniform((8, 64, 64, 3), -1, 1, seed=0)
    print(f"logits differ by {np.abs(narrow(pictures) - wide(pictures)).max():.2g} at most, of {np.std(narrow(pictures)):.2g}")
    output.mkdir(parents=True)
    shutil.copyfile(find_generator(), output / "pair.keras")
    wide.save(output / "pair.discriminator.keras")


if __name__ == "__main__":
    main()
