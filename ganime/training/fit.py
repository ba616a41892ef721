"""Recipe + pictures + run directory -> a trained GAN."""

import os
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, fields

import keras
import tensorflow as tf

from ganime.bounds import check_whole, suggest
from ganime.data.joined import as_pictures
from ganime.data.memory import RememberedPictures
from ganime.data.pipeline import make_dataset, resident_batches
from ganime.errors import GanimeError, InputError, NonFiniteError
from ganime.history import Summary
from ganime.networks import build_discriminator, build_generator
from ganime.recipes import Recipe, get_recipe, name_recipe
from ganime.run import Run, library_versions
from ganime.training import callbacks as cb
from ganime.training.distribution import check_agreement, is_chief, is_multiworker, shares
from ganime.training.engine import Engine, complete, dtype_policy
from ganime.training.gan import GAN
from ganime.training.hardware import warn_of_memory
from ganime.training.interrupts import StopOnSignal
from ganime.training.loop import train
from ganime.training.optimizer import FusedAdam
from ganime.training.progress import open_progress


def build_gan(recipe: Recipe | str | Mapping, seed: int = 0, engine: Engine | None = None) -> GAN:
    """A compiled GAN after a recipe, the recipe of a name, or a dictionary of a recipe's fields; the same recipe and seed give
    the same first weights.

    Sets the global seeds of Python, NumPy and TensorFlow, from which Keras draws first weights, and turns one of TensorFlow's
    optimizations of graphs off.

    Raises:
        InputError: If there is no such recipe, or the seed is not a whole number from 0 to 2**32 - 1.

    Example:
        >>> build_gan(Recipe(generator_widths=(8,), discriminator_widths=(8,))).generator.output_shape
        (None, 64, 64, 3)
    """
    engine, recipe = engine or Engine(), _as_recipe(recipe)
    check_whole(0, 2**32 - 1, seed=seed)
    # TensorFlow 2.21's remapper fails on a discriminator with biases and prints an error; training is as fast without it.
    tf.config.optimizer.set_experimental_options({"remapping": False})
    keras.utils.set_random_seed(seed)
    with engine.strategy.scope() if engine.strategy else nullcontext():
        with dtype_policy(engine.precision):
            networks = _build_networks(recipe)
        gan = GAN(*networks, ema_half_life=recipe.ema_half_life, seed=seed, sync_batch_norm=engine.sync_batch_norm)
        optimizers = {}
        for name, learning_rate in (("g_optimizer", recipe.g_learning_rate), ("d_optimizer", recipe.d_learning_rate)):
            adam = FusedAdam(learning_rate, recipe.beta_1, recipe.beta_2, recipe.adam_epsilon)
            optimizers[name] = keras.optimizers.LossScaleOptimizer(adam) if engine.precision == "float16" else adam
        gan.compile(
            **optimizers,
            **{name: getattr(recipe, name) for name in GAN.SETTINGS},
            jit_compile=bool(engine.jit_compile),
            steps_per_execution=engine.steps_per_execution or 1,
        )
    return gan


def _as_recipe(recipe):
    if isinstance(recipe, Mapping):
        names = [field.name for field in fields(Recipe)]
        if unknown := [name for name in recipe if name not in names]:
            raise InputError(f"recipe: there is no field {unknown[0]!r}{suggest(str(unknown[0]), names)}")
        return Recipe(**recipe)
    if not isinstance(recipe, Recipe | str):
        raise InputError(f"recipe: {recipe!r} is not a ganime.Recipe, the name of one, or a dictionary of its fields")
    return get_recipe(recipe) if isinstance(recipe, str) else recipe


def _build_networks(recipe):
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
    return generator, discriminator


def fit(
    run: Run | str | os.PathLike,
    recipe: Recipe | str | Mapping,
    pictures,
    steps: int,
    seed: int = 0,
    sample_every: int = 100,
    save_every: int = 500,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    engine: Engine | None = None,
    verbose: int = 1,
    changed_data: bool = False,
) -> GAN:
    """Train up to a step, from the run's last state or from the beginning, and leave everything in the run's directory.

    Args:
        run: Where everything of this training lives: a run, its name or its path.
        recipe: How to train, the name of a recipe, or a dictionary of a recipe's fields; what it lacks is the default's.
        pictures: What to train on: `PictureFolder`, `PackedPictures`, `DrawnFaces` or a part of them that `split` gave; what
            `ganime.open_pictures` takes, such as the path of a folder; or an array, uint8 or float in [-1, 1],
            [count, size, size, 3]. Anything serves that has `len()`, `load_batch(indices, size)` to uint8
            [count, size, size, 3], and `fingerprint`, a string that no other pictures have. A list of these is trained on as
            one set.
        steps: The step to reach, counted from the beginning of the run.
        seed: Seed of the first weights and of everything random in training.
        sample_every: Steps between two sample grids.
        save_every: Steps between two saved states.
        callbacks: More Keras callbacks. What they add to a step's logs, as `Evaluation` does, is in the history too.
        engine: How to compute: devices, precision and so on. With several workers, each calls this with the same arguments and
            a run in a folder that all share; the chief alone writes to it and runs `callbacks`.
        verbose: 1 shows how far training is: a bar on a terminal, a line a minute where there is none, a bar and the newest
            grid in a notebook. 0 shows nothing.
        changed_data: Whether a run may go on with other pictures than before, which config.json then records.

    Returns:
        The trained model. If the run has reached `steps` already it is loaded and not trained; grid, plots and GIF are made
        again, since a kill may have come before them.

    Raises:
        InputError: If an argument is none of these, the run was started with another recipe, seed or set of pictures, or the
            engine does not fit the steps.
        GanimeError: If another process trains the run, its state is damaged, or another worker was lost or does something else.
        NonFiniteError: If a loss or weight stops being finite; the last good state stays.
        KeyboardInterrupt: On Ctrl-C or SIGTERM; it has a message that says so if the state was saved.

    Example:
        >>> fit("try", "default", DrawnFaces(), steps=100)  # doctest: +SKIP
    """
    run = run if isinstance(run, Run) else Run(run)
    recipe, pictures = _as_recipe(recipe), as_pictures(pictures)
    check_whole(0, steps=steps)
    check_whole(sample_every=sample_every, save_every=save_every)
    if tf.distribute.has_strategy():
        raise InputError("give the strategy to Engine, and call fit outside of its scope")
    if (now := time.localtime()).tm_year < 1980:
        today = time.strftime("%Y-%m-%d", now)
        raise GanimeError(f"the computer's clock stands at {today}, and Keras saves no model before 1980; set the clock")
    engine = complete(engine or Engine(), recipe, len(pictures), steps)
    _check_parts(recipe, engine)
    with _in_words(engine.strategy):
        return _fit(run, recipe, pictures, steps, seed, sample_every, save_every, callbacks, engine, verbose, changed_data)


def _fit(run, recipe, pictures, steps, seed, sample_every, save_every, callbacks, engine, verbose, changed_data):
    gan = build_gan(recipe, seed, engine)
    warn_of_memory(gan.generator, gan.discriminator, recipe.batch_size)
    pictures.load_batch([0], recipe.image_size)  # fails before anything is written
    chief = is_chief(engine.strategy)
    description = config = _describe(recipe, pictures, seed, engine)
    with run.lock() if chief else nullcontext():
        state = run.newest_state()
        if chief:
            config = run.open(description, state, changed_data)
            run.tidy(state)
        if state:
            state.load_into(gan)
        first = int(gan.step.numpy())
        if is_multiworker(engine.strategy):
            about = {"steps": steps, "sync": engine.sync_batch_norm}
            check_agreement(engine.strategy, {**description, "data": pictures.fingerprint, **about}, first)
        summary = Summary(**state.about["history"]) if state and "history" in state.about else None
        history = cb.History(run.history_path, recipe.batch_size, summary)

        def know():
            return {"config": config, "history": asdict(history.summary)}

        checkpoint = cb.Checkpoint(run.state_path, run.generator_path, save_every, know, run.previous_path)
        del state  # of the size of the model
        grid = cb.SampleGrid(run.samples_path, sample_every)
        plots = cb.Plots(history, run.path, save_every)
        gif = cb.ProgressGif(run.samples_path, run.gif_path)
        stop = StopOnSignal()
        if first >= steps:
            gan.stop_training = False
            for callback in (history, grid, plots, gif) if chief else ():
                callback.set_model(gan)
                callback.on_train_begin()
                callback.on_train_end()
            if verbose and chief:
                print(f"Run {run.name} is at step {first:,} already; a larger `steps` extends it.")
            return gan
        # The signals last, so that a first Ctrl-C does not end the others' saving.
        writers = (history.clock, *callbacks, history, grid, checkpoint, plots, gif) if chief else ()
        title = {"recipe": name_recipe(recipe), "data": pictures, "engine": engine, "run": run.path}
        progress = [open_progress(title, steps, recipe.batch_size, run.samples_path)] if verbose and chief else []
        called = [cb.StopOnNonFinite(), *writers, *progress, stop]
        source = _make_source(recipe, pictures, first, steps, seed, engine)
        try:
            train(gan, source, steps, called, engine.jit_compile, engine.steps_per_execution)
        except NonFiniteError as error:
            raise NonFiniteError(f"{error}; {checkpoint.kept}" if chief else str(error)) from error
        except tf.errors.OpError as error:
            if not chief or (reason := _fault_of_pictures(error)) is None:
                raise
            checkpoint.save()  # the steps before were sound
            raise type(reason)(f"{reason}; {checkpoint.kept}") from error
        finally:
            for callback in (history, *progress, stop):
                callback.close()
        if stop.received:
            raise KeyboardInterrupt(f"Saved at step {checkpoint.saved_step:,}." if chief else "Stopped.")
        return gan


@contextmanager
def _in_words(strategy):
    """Turn TensorFlow's errors into ours, where they mean something to a user."""
    try:
        yield
    except tf.errors.OpError as error:
        raise _translate(error, strategy) from error


def _check_parts(recipe, engine):
    """See that every device gets as many pictures, and whole groups of them."""
    devices, group = shares(engine.strategy)[2], recipe.minibatch_deviation or 1
    if recipe.batch_size % (devices * group):
        groups = f" in groups of {group} (minibatch_deviation)" if group > 1 else ""
        raise InputError(f"batch_size {recipe.batch_size} cannot be parted equally among {devices} devices{groups}")


def _make_source(recipe, pictures, first, steps, seed, engine):
    """Where each stretch of steps gets its batches from: the pipeline, until the device itself holds all pictures."""
    kept = None if engine.keep_pictures == "disk" else RememberedPictures(pictures, recipe.image_size)
    size = recipe.image_size, recipe.batch_size

    def make(context=None):
        given = pictures if kept is None else kept
        return make_dataset(given, *size, first, steps, seed, recipe.flips, shares(engine.strategy))

    batches = iter(engine.strategy.distribute_datasets_from_function(make) if engine.strategy else make())
    resident = []

    def next_batch(step):
        return next(batches)

    def source():
        if engine.keep_pictures == "gpu" and kept.complete and not resident:
            resident.append(resident_batches(kept.images, recipe.batch_size, seed, recipe.flips))
        return resident[0] if resident else next_batch

    return source


def _describe(recipe, pictures, seed, engine):
    return {
        "recipe": asdict(recipe),
        "seed": seed,
        "data": {"pictures": len(pictures), "fingerprint": pictures.fingerprint, "name": getattr(pictures, "name", "pictures")},
        "versions": library_versions(),
        **({"precision": engine.precision} if engine.precision != "float32" else {}),  # the state depends on it
    }


def _translate(error, strategy=None):
    """What an error inside TensorFlow means to a user; the error itself where that is not known."""
    if isinstance(error, tf.errors.ResourceExhaustedError):
        return GanimeError("out of memory; try a smaller --set batch_size")
    if reason := _fault_of_pictures(error):
        return reason
    lost = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError)
    if is_multiworker(strategy) and isinstance(error, lost):
        return GanimeError("another worker was lost; start all again, and they continue from the last saved state")
    return error


def _fault_of_pictures(error):
    """What the pictures' loader raised, if an error inside TensorFlow comes from there."""
    found = "PyFunc" in error.message and re.search(r"\b([A-Z]\w*Error|UnreadablePicture): (.*)", error.message)
    if not found:
        return None
    kind = InputError if found[1] in ("InputError", "UnreadablePicture") else GanimeError
    return kind(f"the pictures cannot be read: {found[2]}")
