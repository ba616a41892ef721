"""Faces from a trained generator."""

import os
import weakref
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ganime.errors import InputError
from ganime.generation import latents
from ganime.networks.transposed import quick_form

SHIPPED = Path(__file__).parents[2] / "checkpoints" / "anime-face-64.keras"

_painters = weakref.WeakKeyDictionary()  # generators' graphs


def load_generator(path: str | os.PathLike | None = None) -> keras.Model:
    """Load a generator from a `.keras` file; without one, that which ships with ganime: 64x64 faces from latents of 128.

    Raises:
        InputError: If there is no such file, or it is not a Keras model from latents [batch, size] to images [batch, height,
            width, 3].

    Example:
        >>> sample(load_generator(), seeds=[7]).shape
        (1, 64, 64, 3)
    """
    if path is None:
        if not SHIPPED.is_file():
            raise InputError(f"{SHIPPED} is missing: it comes with a checkout of ganime, not with an installed package")
        path = SHIPPED
    if not os.path.isfile(path):
        raise InputError(f"{path} does not exist (a run saves its generator every --save-every steps)")
    try:
        generator = keras.models.load_model(path, compile=False)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} cannot be loaded as a Keras model: {str(error).splitlines()[0]}") from error
    shapes = (getattr(generator, "input_shape", None), getattr(generator, "output_shape", None))
    if not all(isinstance(shape, tuple) for shape in shapes) or len(shapes[0]) != 2 or shapes[1][3:] != (3,):
        raise InputError(f"{path} is not a generator: it maps {shapes[0]} to {shapes[1]}")
    return generator


def sample(generator: keras.Model, seeds: Sequence[int], truncation: float = 1.0, batch_size: int = 64) -> np.ndarray:
    """The faces of some seeds.

    Args:
        generator: Model from latents to images in [-1, 1].
        seeds: Integers from 0 to 2**32 - 1; a seed's face depends on nothing else.
        truncation: 0 to 1; less gives more typical faces (see `ganime.generation.latents.from_seeds`).
        batch_size: How many are made at a time.

    Returns:
        uint8 [seeds, height, width, 3], RGB.
    """
    size = generator.input_shape[-1]
    paint = _painters.get(generator) or _painters.setdefault(generator, _trace(generator))
    parts = [seeds[i : i + batch_size] for i in range(0, len(seeds), batch_size)]
    return np.concatenate([paint(tf.constant(latents.from_seeds(part, size, truncation))).numpy() for part in parts])


def _trace(generator):
    """A graph from latents to uint8 images, for any number of them. It does not keep its generator alive."""
    network = weakref.proxy(generator)
    if isinstance(generator, keras.Function | keras.Sequential):
        network = keras.models.clone_model(generator, clone_function=quick_form)

    @tf.function(input_signature=[tf.TensorSpec([None, generator.input_shape[-1]])])
    def paint(points):
        images = tf.cast(network(points, training=False), tf.float32)
        return tf.saturate_cast(tf.round((images + 1.0) * 127.5), tf.uint8)  # as `ganime.pictures.grids.to_uint8`

    return paint.get_concrete_function()
