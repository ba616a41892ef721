"""Faces from a trained generator (TensorFlow only once it is needed)."""

import os
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ganime.errors import InputError
from ganime.generation import latents
from ganime.generation.chain import Unsupported
from ganime.generation.numpy_generator import NumpyGenerator
from ganime.pictures.grids import to_uint8
from ganime.run import Run

if TYPE_CHECKING:
    import keras

_PACKAGE = Path(__file__).parents[1]
# In a checkout it lies in checkpoints/, which setup.py makes a part of an installed package.
_FOLDER = _PACKAGE / "shipped" if (_PACKAGE / "shipped").is_dir() else _PACKAGE.parent / "checkpoints"
SHIPPED = _FOLDER / "anime-face-64.keras"
FEW = 128  # faces that NumPy has made before TensorFlow is imported

_painters = weakref.WeakKeyDictionary()  # generators' graphs


def load_generator(path: str | os.PathLike | None = None) -> "keras.Model":
    """Load a generator: a `.keras` file, a run's by the run's name or path, or one on the model hub (`hf://USER/NAME`); by
    default the one that ships with ganime, 64x64 faces from latents of 128.

    Raises:
        InputError: If there is no such file or run, or it is not a Keras model from latents [batch, size] to images [batch,
            height, width, 3], or a weight is not finite.
        GanimeError: If it cannot be had from the hub, or could hold code (see `ganime.exporting.hub.fetch_generator`).

    Example:
        >>> sample(load_generator(), seeds=[7]).shape
        (1, 64, 64, 3)
    """
    path = find_generator(path)
    import keras

    try:
        generator = keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} cannot be loaded as a Keras model: {str(error).splitlines()[0]}") from error
    shapes = (getattr(generator, "input_shape", None), getattr(generator, "output_shape", None))
    if not all(isinstance(shape, tuple) for shape in shapes) or len(shapes[0]) != 2 or shapes[1][3:] != (3,):
        raise InputError(f"{path} is not a generator: it maps {shapes[0]} to {shapes[1]}")
    if not all(np.isfinite(np.asarray(weights, np.float32)).all() for weights in generator.get_weights()):
        raise InputError(f"{path} makes no faces: some of its weights are not finite")
    return generator


def find_generator(path: str | os.PathLike | None = None) -> Path:
    """Where a generator's file lies: the path itself or, where no such file is, in the run of that name or path; for
    `hf://USER/NAME` its place in the model hub's cache; without a path, that of the generator which ships.

    Raises:
        InputError: If there is no such file or run, or the run has saved none yet.
        GanimeError: If it cannot be had from the hub.
    """
    if str(path).startswith("hf://"):
        from ganime.exporting.hub import fetch_generator

        return fetch_generator(str(path))
    if path is None and not SHIPPED.is_file():
        raise InputError(f"{SHIPPED}, which comes with ganime, is missing: install ganime again")
    path = Path(path or SHIPPED)
    if path.is_file():
        return path
    if path.suffix == ".keras":
        raise InputError(f"{path} does not exist (a run saves its generator every --save-every steps)")
    run = Run(path)
    if run.generator_path.is_file():
        return run.generator_path
    found = "has saved no generator yet" if run.config_path.is_file() else "does not exist, as a file or as a run"
    raise InputError(f"{path} {found}: there is no {run.generator_path} (`ganime.runs()` lists the runs)")


def load_for(count: int, path: str | os.PathLike | None = None) -> "keras.Model | NumpyGenerator":
    """Load a generator to make so many faces: for a few it is run by NumPy, if it can be, and TensorFlow left alone.

    Raises:
        InputError: As `load_generator`.
    """
    if count <= FEW:
        try:
            return NumpyGenerator(find_generator(path))
        except Unsupported:
            pass
    return load_generator(path)


def sample(generator: "keras.Model", seeds: Sequence[int], truncation: float = 1.0, batch_size: int = 64) -> np.ndarray:
    """The faces of some seeds.

    Args:
        generator: Model from latents to images in [-1, 1].
        seeds: Integers from 0 to 2**32 - 1; a seed's face depends on nothing else.
        truncation: 0 to 1; less gives more typical faces (see `ganime.from_seeds`).
        batch_size: How many are made at a time.

    Returns:
        uint8 [seeds, height, width, 3], RGB.
    """
    return paint(generator, latents.from_seeds(seeds, generator.input_shape[-1], truncation), batch_size)


def paint(generator: "keras.Model | NumpyGenerator", points: np.ndarray, batch_size: int = 64) -> np.ndarray:
    """The faces of some latents.

    Args:
        generator: Model from latents to images in [-1, 1].
        points: Latents, float32 [count, latent_size].
        batch_size: How many are made at a time.

    Returns:
        uint8 [count, height, width, 3], RGB.

    Raises:
        InputError: If the latents are of another shape, or a number is not finite.
    """
    points = latents.check_latents(points, generator.input_shape[-1])
    if not len(points):
        return np.empty((0, *generator.output_shape[1:]), np.uint8)
    if isinstance(generator, NumpyGenerator):
        return to_uint8(generator(points))
    draw = _painters.get(generator) or _painters.setdefault(generator, _trace(generator))
    return np.concatenate([draw(points[i : i + batch_size]).numpy() for i in range(0, len(points), batch_size)])


def _trace(generator):
    """A graph from latents to uint8 images, for any number of them. It does not keep its generator alive."""
    import tensorflow as tf

    from ganime.networks.transposed import quick_network

    network = quick_network(generator)
    if network is generator:
        network = weakref.proxy(generator)

    @tf.function(input_signature=[tf.TensorSpec([None, generator.input_shape[-1]])])
    def draw(points):
        images = tf.cast(network(points, training=False), tf.float32)
        return tf.saturate_cast(tf.round((images + 1.0) * 127.5), tf.uint8)  # as `ganime.pictures.grids.to_uint8`

    graph = draw.get_concrete_function()
    return lambda points: graph(tf.constant(points, tf.float32))
