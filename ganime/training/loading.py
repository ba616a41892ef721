"""A whole GAN out of a file or a run, to train on or to look into."""

import os
from pathlib import Path

import keras

from ganime.data.names import show
from ganime.errors import GanimeError, InputError
from ganime.generation.archive import Unsound, read_members
from ganime.recipes import Recipe
from ganime.run import Run
from ganime.training.engine import Engine
from ganime.training.fit import build_gan
from ganime.training.gan import GAN

WEIGHTS = "model.weights.h5"  # in a folder that Keras writes with `zipped=False`


def load_gan(source: Run | str | os.PathLike) -> GAN:
    """Load a whole GAN, ready to be trained on: both networks, the average, optimizers, step and settings.

    Args:
        source: A `.keras` file or a folder that `GAN.save` or `keras.callbacks.ModelCheckpoint` wrote; or a run, its name or
            its path, of which it is the last state that was saved. The run's pictures are not needed.

    Raises:
        InputError: If there is no such file or run, it holds no whole GAN, or the run has saved no state yet.
        GanimeError: If the file cannot be read, or the run's states are damaged.

    Example:
        >>> gan = load_gan("checkpoints/my-faces")  # doctest: +SKIP
        >>> gan.evaluate(held_out)  # doctest: +SKIP
    """
    if isinstance(source, Run):
        return _load_run(source)
    path = Path(source)
    return _load_file(path) if path.suffix == ".keras" or (path / WEIGHTS).is_file() else _load_run(Run(source))


def _load_file(path):
    if not path.exists():
        raise InputError(f"{show(path)} does not exist")
    try:
        if path.is_file():
            read_members(path)  # Keras does not compare the weights' checksum
        gan = keras.models.load_model(path)
    except GanimeError:
        raise
    except Unsound as error:
        raise InputError(f"{show(path)} {error}") from None
    except Exception as error:  # Keras, zipfile and h5py raise errors of all kinds
        raise InputError(f"{show(path)} cannot be loaded: {[*str(error).strip().splitlines(), 'no reason'][0]}") from error
    if not isinstance(gan, GAN):
        raise InputError(f"{show(path)} is no whole GAN but another model; ganime.load_generator opens generators")
    return gan


def _load_run(run):
    config = run.read_config()
    state = run.newest_state()
    if state is None:
        raise InputError(f"run {run.name} has saved no state yet")
    gan = build_gan(Recipe(**config["recipe"]), config["seed"], Engine(precision=config.get("precision", "float32")))
    state.load_into(gan)
    return gan
