"""Recipe + pictures + run directory -> a trained GAN."""

import functools
import os
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict

import keras
import tensorflow as tf

from ganime.bounds import check_whole
from ganime.data.joined import as_pictures
from ganime.data.memory import RememberedPictures
from ganime.data.pipeline import make_dataset, resident_batches
from ganime.errors import GanimeError, InputError, NonFiniteError
from ganime.history import Summary
from ganime.illnesses import check_illnesses
from ganime.plan import Plan
from ganime.recipes import Recipe, name_recipe
from ganime.run import Run, library_versions
from ganime.snapshots import check_trainable
from ganime.training import callbacks as cb
from ganime.training.building import build_gan
from ganime.training.conditioning import adopt_labels, describe_labels
from ganime.training.distribution import check_agreement, is_chief, is_multiworker, shares
from ganime.training.engine import Engine, complete
from ganime.training.forms import settle
from ganime.training.gan import GAN
from ganime.training.hardware import warn_of_memory
from ganime.training.interrupts import StopOnSignal
from ganime.training.loading import Start, begin_from
from ganime.training.loop import train
from ganime.training.progress import open_progress
from ganime.training.watching import Watch


def fit(
    run: Run | str | os.PathLike,
    recipe: Recipe | str | Mapping | None,
    pictures,
    steps: int,
    seed: int = 0,
    sample_every: int = 100,
    save_every: int = 500,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    engine: Engine | None = None,
    verbose: int = 1,
    changed_data: bool = False,
    start: Start | Run | str | os.PathLike | None = None,
    keep_every: int | None = None,
    keep_at_most: int | None = None,
    stop_when: Sequence[str] = (),
    plan: Plan | None = None,
) -> GAN:
    """Train up to a step, from the run's last state or from the beginning, and leave everything in the run's directory.

    Args:
        run: Where everything of this training lives: a run, its name or its path.
        recipe: How to train, the name of a recipe, or a dictionary of a recipe's fields; what it lacks is the default's. With
            `start`, None is the recipe with such a generator, `default` where there is none.
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
        start: What a new run starts from instead of first weights, as config.json then records: another run, of which it is the
            last state, or `"RUN@STEP"`, a step that it keeps; a `.keras` file that `GAN.save` wrote, or a generator's with
            `NAME.discriminator.keras` beside it; or `"shipped"`. Both networks and the average are taken, and the step counts
            from 0. The fields of the recipe that say what the networks are come from there too; one that a dictionary or a
            `Recipe` sets otherwise is refused.
        keep_every: Steps between two whole states with their generators that stay in the run, as `"RUN@STEP"` names them; the
            first is of step 0. See `ganime.callbacks.Snapshots`.
        keep_at_most: How many stay besides that of step 0; where there would be more, every second one is dropped, the oldest
            first. By default 50, or as many as there are already.
        stop_when: Names of illnesses (`ganime.illnesses.ILLNESSES`) with which training does not go on: then it ends as if it
            had reached `steps`, with the state saved. Not with several workers.
        plan: Of a new run, what `ganime.plan_training` returned with the recipe, for config.json.

    Returns:
        The trained model. If the run has reached `steps` already it is loaded and not trained; grid, plots and GIF are made
        again, since a kill may have come before them.

    Raises:
        InputError: If an argument is none of these, the run was started with another recipe, seed or set of pictures or from
            other weights, or the engine does not fit the steps.
        GanimeError: If another process trains the run, its state is damaged, or another worker was lost or does something else.
        NonFiniteError: If a loss or weight stops being finite; the last good state stays.
        KeyboardInterrupt: On Ctrl-C or SIGTERM; it has a message that says so if the state was saved.

    Example:
        >>> fit("try", "default", DrawnFaces(), steps=100)  # doctest: +SKIP
    """
    run = run if isinstance(run, Run) else Run(run)
    check_trainable(run)
    pictures = as_pictures(pictures)
    check_whole(0, steps=steps)
    check_whole(sample_every=sample_every, save_every=save_every)
    check_illnesses(stop_when)
    if not isinstance(plan, Plan | None):
        raise InputError(f"plan: {plan!r} is not a ganime.Plan")
    check_whole(keep_every=1 if keep_every is None else keep_every, keep_at_most=1 if keep_at_most is None else keep_at_most)
    if tf.distribute.has_strategy():
        raise InputError("give the strategy to Engine, and call fit outside of its scope")
    if (now := time.localtime()).tm_year < 1980:
        today = time.strftime("%Y-%m-%d", now)
        raise GanimeError(f"the computer's clock stands at {today}, and Keras saves no model before 1980; set the clock")
    every, keep = (sample_every, save_every), (keep_every, keep_at_most) if keep_every is not None else None
    start, recipe = begin_from(start, run, recipe)
    recipe = adopt_labels(recipe, pictures, run)
    engine = complete(engine or Engine(), recipe, len(pictures), steps, run)
    _check_parts(recipe, engine)
    if stop_when and is_multiworker(engine.strategy):
        raise InputError("stop_when is for one host; with several workers none of them ends the training of the others")
    with _in_words(engine.strategy):
        chosen = every, callbacks, engine, verbose, changed_data, start, keep, stop_when, plan
        return _fit(run, recipe, pictures, steps, seed, *chosen)


def _fit(run, recipe, pictures, steps, seed, every, callbacks, engine, verbose, changed_data, start, keep, stop_when, plan):
    sample_every, save_every = every
    gan = build_gan(recipe, seed, engine)
    warn_of_memory(gan.generator, gan.discriminator, recipe.batch_size)
    pictures.load_batch([0], recipe.image_size)  # fails before anything is written
    chief = is_chief(engine.strategy)
    description = config = _describe(recipe, pictures, seed, engine, start, plan)
    with run.lock() if chief else nullcontext():
        state = run.newest_state()
        if chief:
            config = run.open(description, state, changed_data)
            run.tidy(state)
        if state:
            state.load_into(gan)
        elif start:
            start.load_into(gan)
        if start:
            settle(gan.averaged_generator)
        first = int(gan.step.numpy())
        if is_multiworker(engine.strategy):
            about = {"steps": steps, "sync": engine.sync_batch_norm}
            check_agreement(engine.strategy, {**description, "data": pictures.fingerprint, **about}, first)
        summary = Summary(**state.about["history"]) if state and "history" in state.about else None
        history = cb.History(run.history_path, recipe.batch_size, summary)

        def know():
            return {"config": config, "history": asdict(history.summary)}

        checkpoint = cb.Checkpoint(run.state_path, run.generator_path, save_every, know, run.previous_path)
        keeping = [cb.Snapshots(checkpoint, run.snapshots_path, *keep)] if keep else []
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
        shown = pictures if engine.keep_pictures == "disk" else RememberedPictures(pictures, recipe.image_size)
        watch = Watch(run, history, shown, save_every, stop_when)
        writers = (history.clock, *callbacks, history, grid, watch, *keeping, checkpoint, plots, gif) if chief else ()
        title = {"recipe": name_recipe(recipe), **({"from": start} if start else {})}
        title |= {"data": pictures, "engine": engine, "run": run.path}
        progress = [open_progress(title, steps, recipe.batch_size, run.samples_path)] if verbose and chief else []
        called = [cb.StopOnNonFinite(), *writers, *progress, stop]
        source = make_source(recipe, shown, first, steps, seed, engine)
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


def make_source(recipe, pictures, first, steps, seed, engine):
    """Where each stretch of steps gets its batches from: the pipeline, until the device itself holds all pictures."""
    size = recipe.image_size, recipe.batch_size

    def make(context=None):
        chosen = shares(engine.strategy), recipe.labels, recipe.balance_labels
        return make_dataset(pictures, *size, first, steps, seed, recipe.flips, *chosen)

    batches = iter(engine.strategy.distribute_datasets_from_function(make) if engine.strategy else make())

    def next_batch(step):
        return next(batches)

    @functools.cache
    def on_device():
        chosen = pictures, recipe.labels, recipe.balance_labels
        return resident_batches(pictures.images, recipe.batch_size, seed, recipe.flips, *chosen)

    def source():
        return on_device() if engine.keep_pictures == "device" and pictures.complete else next_batch

    return source


def _describe(recipe, pictures, seed, engine, start, plan):
    data = {"pictures": len(pictures), "fingerprint": pictures.fingerprint, "name": getattr(pictures, "name", "pictures")}
    return {
        "recipe": asdict(recipe),
        "seed": seed,
        "data": data | describe_labels(pictures),
        "versions": library_versions(),
        **({"precision": engine.precision} if engine.precision != "float32" else {}),  # the state depends on it
        **({"from": start.origin} if start else {}),
        **({"plan": asdict(plan)} if plan else {}),
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
