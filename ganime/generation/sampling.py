"""Faces from a trained generator (TensorFlow only once it is needed)."""

import os
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ganime.data.names import show
from ganime.errors import GanimeError, InputError, one_line
from ganime.generation import latents
from ganime.generation.archive import objects, read_archive
from ganime.generation.chain import Unsupported
from ganime.generation.conditions import make_latents
from ganime.generation.numpy_generator import NOT_FINITE, NumpyGenerator
from ganime.labels import labels_of
from ganime.pictures.grids import to_uint8
from ganime.snapshots import Snapshot, open_run

if TYPE_CHECKING:
    import keras

_PACKAGE = Path(__file__).parents[1]
# In a checkout it lies in checkpoints/, which setup.py makes a part of an installed package.
_FOLDER = _PACKAGE / "shipped" if (_PACKAGE / "shipped").is_dir() else _PACKAGE.parent / "checkpoints"
SHIPPED = _FOLDER / "anime-face-64.keras"
FEW = 128  # faces that NumPy has made before TensorFlow is imported
MOST_SIDE = 2**13  # pixels of an image, and numbers of a latent

_painters = weakref.WeakKeyDictionary()  # generators' graphs


def load_generator(path: str | os.PathLike | None = None) -> "keras.Model":
    """Load a generator: a `.keras` file, a run's by the run's name or path, that of a step which a run keeps (`RUN@STEP`), or
    one on the model hub (`hf://USER/NAME`); by default the one that ships with ganime, 64x64 faces from latents of 128.

    Of a whole GAN that was saved as `.keras` it is the averaged generator.

    Raises:
        InputError: If there is no such file or run, it is damaged, it is not a Keras model from latents [batch, size] to images
            [batch, height, width, 3], or a weight or an image is not finite.
        GanimeError: If it cannot be had from the hub, or could hold code (see `ganime.exporting.hub.fetch_generator`), or there
            is not enough memory.

    Example:
        >>> sample(load_generator(), seeds=[7]).shape
        (1, 64, 64, 3)
    """
    path = find_generator(path)
    archive = read_archive(path)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "generator.keras")  # nothing but what was found sound
        archive.write(copy)
        try:
            return _load(show(path), copy)
        except GanimeError:
            raise
        except MemoryError as error:
            raise GanimeError(f"there is not enough memory for the generator in {show(path)}") from error
        except Exception as error:  # whatever a file can hold: Keras raises errors of all kinds
            raise InputError(f"{show(path)} cannot be loaded as a Keras model: {_explain(archive.config, error)}") from error


def _load(name, path):
    import keras

    generator = keras.models.load_model(path, compile=False)
    latent, image = (getattr(generator, f"{end}_shape", None) for end in ("input", "output"))
    sound = isinstance(latent, tuple) and isinstance(image, tuple) and len(latent) == 2 and image[3:] == (3,)
    if not sound or not all(0 < (side or 0) <= MOST_SIDE for side in (latent[1], *image[1:3])):
        raise InputError(f"{name} is not a generator: it maps {one_line(str(latent), 100)} to {one_line(str(image), 100)}")
    if len(labels_of(generator)) >= latent[1]:
        raise InputError(f"{name} is not a generator: it has {len(labels_of(generator))} labels, and takes {latent[1]} numbers")
    if not all(np.isfinite(np.asarray(weights, np.float32)).all() for weights in generator.get_weights()):
        raise InputError(f"{name} makes no faces: some of its weights are not finite; use one that was saved earlier")
    if not np.isfinite(np.asarray(generator(latents.from_seeds([0], latent[1]), training=False), np.float32)).all():
        raise InputError(f"{name}: {NOT_FINITE}")
    return generator


def _explain(config, error):
    """Why Keras does not load a model: what it says has the whole configuration in it."""
    from keras.saving import get_registered_object

    classes = [part for part in objects(config) if isinstance(part.get("class_name"), str)]
    if any(part["class_name"] == "__lambda__" for part in classes):
        return "it holds a Lambda layer, which is code that could do anything; build it of Keras' other layers"
    for part in classes:
        name, module = part.get("registered_name"), str(part.get("module"))
        if name and module.split(".")[0] not in ("keras", "builtins") and get_registered_object(str(name)) is None:
            return f"its class {one_line(part['class_name'], 60)} is not Keras' own; import first what defines and registers it"
    return one_line(str(error), 200)


def find_generator(path: str | os.PathLike | None = None) -> Path:
    """Where a generator's file lies: the path itself or, where no such file is, in the run of that name or path, or in what it
    keeps of a step (`RUN@STEP`); for `hf://USER/NAME` its place in the model hub's cache; without a path, that of the generator
    which ships.

    Raises:
        InputError: If there is no such file or run, or the run has saved none yet, or keeps none of that step.
        GanimeError: If it cannot be had from the hub.
    """
    if str(path).startswith("hf://"):
        from ganime.exporting.hub import fetch_generator

        return fetch_generator(str(path))
    if path is None and not SHIPPED.is_file():
        raise InputError(f"{show(SHIPPED)}, which comes with ganime, is missing: install ganime again")
    path = Path(path or SHIPPED)
    if path.is_file():
        return path
    if path.exists() and not path.is_dir():
        raise InputError(f"{show(path)} is not a file that can be read whole; copy it to one")
    if path.suffix == ".keras":
        why = "is a folder, not a .keras file" if path.is_dir() else "does not exist"
        raise InputError(f"{show(path)} {why} (a run saves its generator every --save-every steps)")
    run = open_run(path)
    if run.generator_path.is_file():
        return run.generator_path
    if isinstance(run, Snapshot):
        run.read_config()  # says what else is kept
    found = "does not exist, as a file or as a run"
    if path.is_dir() or run.path.is_dir():
        found = "has saved no generator yet" if run.config_path.is_file() else "is a folder, and not a run"
    raise InputError(f"{show(path)} {found}: there is no {show(run.generator_path)} (`ganime.runs()` lists the runs)")


def load_for(count: int, path: str | os.PathLike | None = None) -> "keras.Model | NumpyGenerator":
    """Load a generator to make so many faces: for a few it is run by NumPy, if it can be, and TensorFlow left alone.

    Raises:
        InputError, GanimeError: As `load_generator`.
    """
    if count <= FEW:
        try:
            return NumpyGenerator(find_generator(path))
        except Unsupported:
            pass
    return load_generator(path)


def sample(
    generator: "keras.Model",
    seeds: Sequence[int],
    truncation: float = 1.0,
    batch_size: int = 64,
    labels: str | Sequence | np.ndarray | None = None,
) -> np.ndarray:
    """The faces of some seeds.

    Args:
        generator: Model from latents to images in [-1, 1].
        seeds: Integers from 0 to 2**32 - 1; a seed's face depends on nothing else.
        truncation: 0 to 1; less gives more typical faces (see `ganime.from_seeds`).
        batch_size: How many are made at a time.
        labels: For a generator with labels the name of one, a name for each seed, or weights, float [seeds, number of labels].
            Without them the seeds take the labels in turn.

    Returns:
        uint8 [seeds, height, width, 3], RGB.

    Raises:
        InputError: If a seed is none, or the generator has no such label.
    """
    return paint(generator, make_latents(generator, seeds, truncation, labels), batch_size)


def paint(generator: "keras.Model | NumpyGenerator", points: np.ndarray, batch_size: int = 64) -> np.ndarray:
    """The faces of some latents.

    Args:
        generator: Model from latents to images in [-1, 1].
        points: Latents, float32 [count, latent_size].
        batch_size: How many are made at a time.

    Returns:
        uint8 [count, height, width, 3], RGB.

    Raises:
        InputError: If the latents are of another shape, or a number is not finite, of them or of the images.
    """
    points = latents.check_latents(points, generator.input_shape[-1])
    if not len(points):
        return np.empty((0, *generator.output_shape[1:]), np.uint8)
    if isinstance(generator, NumpyGenerator):
        return to_uint8(generator(points))
    draw = _painters.get(generator) or _painters.setdefault(generator, _trace(generator))
    return np.concatenate([draw(points[i : i + batch_size]) for i in range(0, len(points), batch_size)])


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
        pictures = tf.saturate_cast(tf.round((images + 1.0) * 127.5), tf.uint8)  # as `ganime.pictures.grids.to_uint8`
        return pictures, tf.reduce_all(tf.math.is_finite(images))

    graph = draw.get_concrete_function()

    def paint(points):
        pictures, finite = graph(tf.constant(points, tf.float32))
        if not finite:
            raise InputError(NOT_FINITE)
        return pictures.numpy()

    return paint
