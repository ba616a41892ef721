"""The GANs among the examples of keras.io, each with our parts in place of its own, and `ganime.GAN` with its networks.

    python -m benchmarks.keras_examples --steps 50

Three training loops of https://keras.io/examples/generative are written here as their authors describe them: the DCGAN
(`dcgan_overriding_train_step`), WGAN-GP (`wgan_gp`) and the data-efficient GAN with adaptive discriminator augmentation
(`gan_ada`). Each trains `build_generator` and `build_discriminator` on `make_dataset`, with our callbacks and metric. Then
`ganime.GAN` trains the networks of the same example. A line for each gives the losses and the generator's kernel distance.
"""

import tempfile
import time
from pathlib import Path

import click
import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

import ganime

LATENT_SIZE, SHOWN = 64, ("d_loss", "g_loss", "KID-lite0")


class TwoOptimizers(keras.Model):
    """What the three loops share: two networks, each with an optimizer."""

    def __init__(self, generator, discriminator):
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.built = True

    def compile(self, rate, beta_1=0.9, beta_2=0.999, **options):
        super().compile(**options)
        self.g_optimizer, self.d_optimizer = (keras.optimizers.Adam(rate, beta_1, beta_2) for _ in range(2))

    def draw(self, count):
        return keras.random.normal((count, self.generator.input_shape[-1]))

    def descend(self, tape, loss, network, optimizer):
        optimizer.apply(tape.gradient(loss, network.trainable_weights), network.trainable_weights)


class DCGAN(TwoOptimizers):
    """Real and generated pictures in one batch, generated ones labeled 1, and noise on the labels."""

    def train_step(self, real):
        entropy, count = keras.losses.BinaryCrossentropy(from_logits=True), ops.shape(real)[0]
        pictures = ops.concatenate([self.generator(self.draw(count), training=True), real])
        labels = ops.concatenate([ops.ones((count, 1)), ops.zeros((count, 1))])
        labels += 0.05 * keras.random.uniform(ops.shape(labels))
        with tf.GradientTape() as tape:
            d_loss = entropy(labels, self.discriminator(pictures, training=True))
        self.descend(tape, d_loss, self.discriminator, self.d_optimizer)
        with tf.GradientTape() as tape:
            judged = self.discriminator(self.generator(self.draw(count), training=True), training=True)
            g_loss = entropy(ops.zeros((count, 1)), judged)
        self.descend(tape, g_loss, self.generator, self.g_optimizer)
        return {"d_loss": d_loss, "g_loss": g_loss}


class WassersteinGAN(TwoOptimizers):
    """Three steps of the critic, whose gradient between real and generated pictures has a norm near 1, to one of the other."""

    def train_step(self, real):
        count = ops.shape(real)[0]
        for _ in range(3):
            with tf.GradientTape() as tape:
                fakes = self.generator(self.draw(count), training=True)
                between = real + keras.random.uniform((count, 1, 1, 1)) * (fakes - real)
                with tf.GradientTape() as inner:
                    inner.watch(between)
                    judged = self.discriminator(between, training=True)
                norms = ops.sqrt(ops.sum(ops.square(inner.gradient(judged, between)), axis=(1, 2, 3)) + 1e-12)
                gap = ops.mean(self.discriminator(fakes, training=True)) - ops.mean(self.discriminator(real, training=True))
                d_loss = gap + 10.0 * ops.mean(ops.square(norms - 1.0))
            self.descend(tape, d_loss, self.discriminator, self.d_optimizer)
        with tf.GradientTape() as tape:
            g_loss = -ops.mean(self.discriminator(self.generator(self.draw(count), training=True), training=True))
        self.descend(tape, g_loss, self.generator, self.g_optimizer)
        return {"d_loss": d_loss, "g_loss": g_loss}


class AdaptiveGAN(TwoOptimizers):
    """The discriminator sees pictures that are augmented the more often, the better it knows the real ones; the generator is
    averaged, and an evaluation is the kernel distance of the average's pictures."""

    def __init__(self, generator, discriminator, metric):
        super().__init__(generator, discriminator)
        self.average = keras.models.clone_model(generator)
        self.average.set_weights(generator.get_weights())
        self.probability = self.add_weight((), trainable=False, initializer="zeros", name="probability")
        zoom = (-0.25, 0.0)
        steps = layers.RandomFlip("horizontal"), layers.RandomTranslation(1 / 8, 1 / 8, interpolation="nearest")
        self.augmenter = keras.Sequential([*steps, layers.RandomRotation(1 / 8), layers.RandomZoom(zoom, zoom)])
        self.distance = metric

    def augment(self, pictures):
        chosen = keras.random.uniform((ops.shape(pictures)[0], 1, 1, 1)) < self.probability
        return ops.where(chosen, self.augmenter(pictures, training=True), pictures)

    def train_step(self, real):
        entropy, count = keras.losses.BinaryCrossentropy(from_logits=True), ops.shape(real)[0]
        real = self.augment(real)
        with tf.GradientTape(persistent=True) as tape:
            fakes = self.augment(self.generator(self.draw(count), training=True))
            judged = self.discriminator(real, training=True), self.discriminator(fakes, training=True)
            labels = ops.concatenate([ops.ones((count, 1)), ops.zeros((count, 1))])
            d_loss, g_loss = entropy(labels, ops.concatenate(judged)), entropy(ops.ones((count, 1)), judged[1])
        self.descend(tape, g_loss, self.generator, self.g_optimizer)
        self.descend(tape, d_loss, self.discriminator, self.d_optimizer)
        accuracy = ops.mean(ops.cast(judged[0] > 0, "float32"))
        self.probability.assign(ops.clip(self.probability + (accuracy - 0.8) / 1000, 0.0, 1.0))
        for average, weight in zip(self.average.weights, self.generator.weights, strict=True):
            average.assign(0.99 * average + 0.01 * weight)
        return {"d_loss": d_loss, "g_loss": g_loss, "probability": self.probability.value}

    def test_step(self, real):
        self.distance.update_state(real, self.average(self.draw(ops.shape(real)[0]), training=False))
        return {self.distance.name: self.distance.result()}


def dcgan_networks(size, width):
    """Of the DCGAN for faces: no normalization; it ends in a sigmoid, and we need [-1, 1] and logits."""
    start = size // 8
    x = latents = keras.Input((LATENT_SIZE,))
    x = layers.Reshape((start, start, 2 * width))(layers.Dense(start * start * 2 * width)(x))
    for channels in (2 * width, 4 * width, 8 * width):
        x = layers.LeakyReLU(0.2)(layers.Conv2DTranspose(channels, 4, 2, "same")(x))
    x = layers.Rescaling(2.0, -1.0)(layers.Conv2D(3, 5, padding="same", activation="sigmoid")(x))
    y = images = keras.Input((size, size, 3))
    for channels in (width, 2 * width, 2 * width):
        y = layers.LeakyReLU(0.2)(layers.Conv2D(channels, 4, 2, "same")(y))
    y = layers.Dense(1)(layers.Dropout(0.2)(layers.Flatten()(y)))
    return keras.Model(latents, x), keras.Model(images, y)


def wgan_networks(size, width):
    """Of WGAN-GP: nearest upsampling and batch normalization, which the critic has none of, but dropout."""
    start = size // 8
    x = latents = keras.Input((LATENT_SIZE,))
    x = layers.BatchNormalization()(layers.Dense(start * start * 4 * width, use_bias=False)(x))
    x = layers.Reshape((start, start, 4 * width))(layers.LeakyReLU(0.2)(x))
    for channels in (2 * width, width, 3):
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(layers.UpSampling2D()(x))
        x = layers.Activation("tanh" if channels == 3 else "leaky_relu")(layers.BatchNormalization()(x))
    y = images = keras.Input((size, size, 3))
    for channels, dropped in ((width, 0.0), (2 * width, 0.3), (4 * width, 0.3), (8 * width, 0.0)):
        y = layers.Dropout(dropped)(layers.LeakyReLU(0.2)(layers.Conv2D(channels, 5, 2, "same")(y)))
    y = layers.Dense(1)(layers.Dropout(0.2)(layers.Flatten()(y)))
    return keras.Model(latents, x), keras.Model(images, y)


def ada_networks(size, width):
    """Of the data-efficient GAN: the same width everywhere, batch normalization without scale in both."""
    x = latents = keras.Input((LATENT_SIZE,))
    x = layers.Dense(16 * width, use_bias=False)(x)
    x = layers.Reshape((4, 4, width))(layers.ReLU()(layers.BatchNormalization(scale=False)(x)))
    y = images = keras.Input((size, size, 3))
    for _ in range(size.bit_length() - 4):
        x = layers.Conv2DTranspose(width, 4, 2, "same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(scale=False)(x))
    x = layers.Rescaling(2.0, -1.0)(layers.Conv2DTranspose(3, 4, 2, "same", activation="sigmoid")(x))
    for _ in range(size.bit_length() - 3):
        y = layers.Conv2D(width, 4, 2, "same", use_bias=False)(y)
        y = layers.LeakyReLU(0.2)(layers.BatchNormalization(scale=False)(y))
    y = layers.Dense(1)(layers.Dropout(0.4)(layers.Flatten()(y)))
    return keras.Model(latents, x), keras.Model(images, y)


EXAMPLES = {
    "DCGAN": (DCGAN, {"rate": 1e-4}, dcgan_networks, {"label_noise": 0.05}),
    "WGAN-GP": (
        WassersteinGAN,
        {"rate": 2e-4, "beta_1": 0.5, "beta_2": 0.9},
        wgan_networks,
        {"r1_weight": 10.0, "d_updates": 3, "label_noise": 0.0},
    ),
    "ADA": (AdaptiveGAN, {"rate": 2e-4, "beta_1": 0.5}, ada_networks, {"augmentations": ("translation", "color")}),
}


def train_theirs(name, pictures, held_out, steps, size, width, extractor, folder):
    """An example's loop with our networks, data, callbacks and metric; the model and what its last epoch logged."""
    kind, settings, *_ = EXAMPLES[name]
    generator = ganime.build_generator(size, LATENT_SIZE, (4 * width, 2 * width, width))
    networks = generator, ganime.build_discriminator(size, (width, 2 * width, 4 * width), norm="none")
    metric = ganime.KernelDistance(extractor, name="kernel_distance")
    model = kind(*networks, metric) if kind is AdaptiveGAN else kind(*networks)
    model.compile(**settings)
    data = ganime.make_dataset(pictures, size, batch_size=16, last_step=steps, flips=True).map(scale)
    held_out_data = ganime.make_dataset(held_out, size, batch_size=16, last_step=2).map(scale)
    callbacks = [
        ganime.Evaluation(held_out, steps, 32, extractor, generator, folder / "best.keras", verbose=0),
        ganime.callbacks.StopOnNonFinite(),
        keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: save_faces(generator, folder)),
    ]
    validation = {}
    if kind is AdaptiveGAN:
        best = folder / "best.weights.h5"
        watched = {"monitor": "val_kernel_distance", "mode": "min", "save_best_only": True, "save_weights_only": True}
        callbacks.append(keras.callbacks.ModelCheckpoint(best, **watched))
        validation["validation_data"] = held_out_data
    history = model.fit(data, shuffle=False, verbose=0, callbacks=callbacks, **validation).history
    return model, {key: float(np.mean(values[-1])) for key, values in history.items()}


def train_ours(name, pictures, held_out, steps, size, width, extractor, folder):
    """`ganime.GAN` with an example's networks; the model and what its last epoch logged."""
    *_, make_networks, settings = EXAMPLES[name]
    gan = ganime.GAN(*make_networks(size, width), ema_half_life=500)
    gan.compile(**settings)
    callbacks = [
        ganime.callbacks.SampleGrid(folder / "samples", every=steps, count=16),
        ganime.Evaluation(held_out, steps, 32, extractor, best_path=folder / "best.keras", verbose=0),
        ganime.callbacks.StopOnNonFinite(),
        ganime.callbacks.Checkpoint(folder / "gan.weights.h5", folder / "generator.keras", every=steps),
    ]
    data = ganime.make_dataset(pictures, size, batch_size=16, last_step=steps, flips=True)
    held_out_data = ganime.make_dataset(held_out, size, batch_size=16, last_step=2)
    history = gan.fit(data, validation_data=held_out_data, verbose=0, callbacks=callbacks).history
    return gan, {key: float(values[-1]) for key, values in history.items()}


def scale(pictures):
    """Pictures as float in [-1, 1], which a GAN makes of uint8 itself."""
    return tf.cast(pictures, tf.float32) / 127.5 - 1.0


def save_faces(generator, folder):
    """What the examples do after each epoch."""
    ganime.show(generator(ganime.from_seeds(range(16), LATENT_SIZE), training=False)).save(folder / "faces.png")


@click.command()
@click.argument("names", nargs=-1, type=click.Choice([*EXAMPLES]))
@click.option("--steps", default=50, show_default=True, type=click.IntRange(2))
@click.option("--size", default=32, show_default=True, type=click.Choice([32, 64]), help="Side of the pictures in pixels.")
@click.option("--width", default=16, show_default=True, type=click.IntRange(1), help="Channels of the narrowest layers.")
def main(names, steps, size, width):
    """Train them all, or those named, and print a line for each."""
    pictures, held_out = ganime.split(ganime.DrawnFaces(2000), size)
    extractor = ganime.FeatureExtractor()
    print(f"| example | loop | networks | seconds | {' | '.join(SHOWN)} |\n|---|---|---|--:|--:|--:|--:|")
    for name in names or EXAMPLES:
        for train, parts in ((train_theirs, "its own | ours"), (train_ours, "ganime.GAN | its own")):
            keras.utils.set_random_seed(1)
            with tempfile.TemporaryDirectory() as folder:
                since = time.perf_counter()
                _, logs = train(name, pictures, held_out, steps, size, width, extractor, Path(folder))
            assert all(map(np.isfinite, logs.values())), logs
            shown = " | ".join(f"{logs[name]:.3g}" for name in SHOWN)
            print(f"| {name} | {parts} | {time.perf_counter() - since:.0f} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
