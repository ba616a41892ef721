"""Your own GAN in 60 lines (docs/own-gan.md).

    python -m examples.own_gan                              # faces that ganime draws: under a minute on two cores
    python -m examples.own_gan --data faces --steps 5000    # your own pictures

Both networks are plain Keras; the loss, the pictures and the callbacks are ganime's.
"""

import argparse
from pathlib import Path

import ganime  # before keras: it switches oneDNN on, which TensorFlow reads when it is imported
import keras
from keras import layers

SIZE, LATENT_SIZE, BATCH_SIZE = 32, 64, 32


def build_generator():
    """Latents, float32 [batch, 64], to images, float32 [batch, 32, 32, 3] in [-1, 1]."""
    x = latents = keras.Input((LATENT_SIZE,))
    x = layers.Reshape((4, 4, 128))(layers.Dense(4 * 4 * 128)(x))
    for width in (96, 64, 32):  # 4x4 to 8x8, 16x16, 32x32
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
        x = layers.Conv2DTranspose(width, 4, strides=2, padding="same")(x)
    x = layers.Conv2D(3, 3, padding="same", activation="tanh")(layers.ReLU()(x))
    return keras.Model(latents, x, name="generator")


def build_discriminator():
    """Images, float32 [batch, 32, 32, 3], to logits, float32 [batch, 1]: above 0 says real."""
    x = images = keras.Input((SIZE, SIZE, 3))
    for width in (32, 64, 128):  # 32x32 to 16x16, 8x8, 4x4
        x = layers.LeakyReLU(0.2)(layers.Conv2D(width, 4, strides=2, padding="same")(x))
    return keras.Model(images, layers.Dense(1)(layers.Flatten()(x)), name="discriminator")


def train(data=None, steps=600, folder="own-gan"):
    """Train on a folder of pictures, or on drawn faces, and write grids, curves and `generator.keras` to `folder`."""
    drawn = range(min(2000, steps * BATCH_SIZE))
    pictures = ganime.open_pictures(data) if data else ganime.DrawnFaces().load_batch(drawn, SIZE)
    batches = ganime.make_dataset(pictures, SIZE, BATCH_SIZE, last_step=steps, flips=True)
    gan = ganime.GAN(build_generator(), build_discriminator(), ema_half_life=2000)
    adam = {name: keras.optimizers.Adam(5e-4, beta_1=0.0, beta_2=0.99) for name in ("g_optimizer", "d_optimizer")}
    gan.compile(**adam, relativistic=True, label_noise=0.1, r1_weight=0.2, r1_interval=8, augmentations=("translation",))
    samples = ganime.callbacks.SampleGrid(Path(folder, "samples"), every=100, count=36)
    history = ganime.callbacks.History(Path(folder, "history.csv"), BATCH_SIZE)
    plots = ganime.callbacks.Plots(history, folder)
    callbacks = [samples, history, plots, ganime.callbacks.StopOnNonFinite()]
    gan.fit(batches, callbacks=callbacks)
    gan.averaged_generator.save(Path(folder, "generator.keras"))
    return gan


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", help="a folder or an archive of pictures")
    parser.add_argument("--steps", type=int, default=600)
    train(**vars(parser.parse_args()))
