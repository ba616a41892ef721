"""Recipe + pictures + run directory -> a trained GAN."""

import re
from dataclasses import asdict

import keras
import tensorflow as tf

from ganime import callbacks as cb
from ganime.data.pipeline import make_dataset
from ganime.errors import GanimeError, InputError
from ganime.gan import GAN
from ganime.networks import build_discriminator, build_generator
from ganime.recipes import Recipe
from ganime.runs import Run, library_versions


def build_gan(recipe: Recipe, seed: int = 0) -> GAN:
    """A compiled GAN after a recipe; the same recipe and seed give the same first weights.

    Sets the global seeds of Python, NumPy and TensorFlow, from which Keras draws first weights.

    Example:
        >>> build_gan(Recipe(generator_widths=(8,), discriminator_widths=(8,))).generator.output_shape
        (None, 64, 64, 3)
    """
    keras.utils.set_random_seed(seed)
    shared = {name: getattr(recipe, name) for name in ("image_size", "bias", "norm_momentum", "norm_epsilon", "initializer")}
    generator = build_generator(
        latent_size=recipe.latent_size, widths=recipe.generator_widths, slope=recipe.generator_slope, **shared
    )
    discriminator = build_discriminator(
        widths=recipe.discriminator_widths,
        slopes=recipe.discriminator_slopes,
        norm=recipe.discriminator_norm,
        head_channels=recipe.head_channels,
        minibatch_deviation=recipe.minibatch_deviation,
        **shared,
    )
    gan = GAN(generator, discriminator, ema_half_life=recipe.ema_half_life, seed=seed)
    gan.compile(
        g_optimizer=keras.optimizers.Adam(recipe.g_learning_rate, recipe.beta_1, recipe.beta_2, recipe.adam_epsilon),
        d_optimizer=keras.optimizers.Adam(recipe.d_learning_rate, recipe.beta_1, recipe.beta_2, recipe.adam_epsilon),
        **{name: getattr(recipe, name) for name in GAN.SETTINGS},
    )
    return gan


def fit(
    run: Run,
    recipe: Recipe,
    pictures,
    steps: int,
    seed: int = 0,
    sample_every: int = 100,
    save_every: int = 500,
    callbacks: tuple[keras.callbacks.Callback, ...] = (),
) -> GAN:
    """Train up to a step, from the run's last state or from the beginning, and leave everything in the run's directory.

    Args:
        run: Where everything of this training lives.
        recipe: How to train.
        pictures: What to train on: `PictureFolder`, `PackedPictures`, `DrawnFaces` or a part of them that `split` gave.
        steps: The step to reach, counted from the beginning of the run.
        seed: Seed of the first weights and of everything random in training.
        sample_every: Steps between two sample grids.
        save_every: Steps between two saved states.
        callbacks: More Keras callbacks. What they add to a step's logs, as `Evaluation` does, is in the history too.

    Returns:
        The trained model. If the run has reached `steps` already it is loaded and not trained; grid, plots and GIF are made
        again, since a kill may have come before them.

    Raises:
        InputError: If the run was started with another recipe, seed or set of pictures.
        GanimeError: If another process trains the run or its state is damaged.
        NonFiniteError: If a loss or weight stops being finite; the last good state stays.
        KeyboardInterrupt: On Ctrl-C or SIGTERM; it has a message that says so if the state was saved.

    Example:
        >>> fit(Run("try"), get_recipe("default"), DrawnFaces(), steps=100)  # doctest: +SKIP
    """
    gan = build_gan(recipe, seed)
    pictures.load_batch([0], recipe.image_size)  # fails before anything is written
    with run.lock():
        run.open(_describe(recipe, pictures, seed))
        if run.state_path.exists():
            _load(gan, run)
        first = int(gan.step.numpy())
        history = cb.History(run.history_path, recipe.batch_size)
        checkpoint = cb.Checkpoint(run.state_path, run.generator_path, save_every)
        grid = cb.SampleGrid(run.samples_path, sample_every)
        plots = cb.Plots(run.history_path, run.path, save_every)
        gif = cb.ProgressGif(run.samples_path, run.gif_path)
        stop = cb.StopOnSignal()
        if first >= steps:
            gan.stop_training = False
            for callback in (grid, plots, gif):
                callback.set_model(gan)
                callback.on_train_end()
            return gan
        # TensorFlow 2.21's remapper fails on a discriminator with biases and prints an error; training is as fast without it.
        tf.config.optimizer.set_experimental_options({"remapping": False})
        dataset = make_dataset(pictures, recipe.image_size, recipe.batch_size, first, steps, seed, recipe.flips)
        # The signals last, so that a first Ctrl-C does not end the others' saving.
        everything = [cb.StopOnNonFinite(), *callbacks, history, grid, checkpoint, plots, gif, stop]
        try:
            gan.fit(dataset, shuffle=False, verbose=0, callbacks=everything)
        except tf.errors.OpError as error:
            raise _translate(error) from error
        finally:
            history.close()
            stop.close()
        if stop.received:
            raise KeyboardInterrupt(f"Saved at step {checkpoint.saved_step:,}.")
        return gan


def _describe(recipe, pictures, seed):
    return {
        "recipe": asdict(recipe),
        "seed": seed,
        "data": {"pictures": len(pictures), "fingerprint": pictures.fingerprint, "name": pictures.name},
        "versions": library_versions(),
    }


def _load(gan, run):
    try:
        gan.load_weights(run.state_path)
    except (OSError, ValueError, KeyError) as error:
        raise GanimeError(f"{run.state_path} cannot be loaded ({error}); delete it to begin the run again") from error


def _translate(error):
    """What an error inside TensorFlow means to a user; the error itself where that is not known."""
    if isinstance(error, tf.errors.ResourceExhaustedError):
        return GanimeError("out of memory; try a smaller --set batch_size")
    if "PyFunc" in error.message and (
        found := re.search(r"\b([A-Z]\w*Error|UnreadablePicture): (.*)", error.message)
    ):  # raised by the pictures' loader
        kind = InputError if found[1] in ("InputError", "UnreadablePicture") else GanimeError
        return kind(f"the pictures cannot be read: {found[2]}")
    return error
