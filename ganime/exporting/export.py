"""Write a generator in another format, and prove what was written."""

import logging
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ganime.data.names import show
from ganime.errors import GanimeError, InputError
from ganime.exporting import litert, onnx, saved_model, web
from ganime.exporting.facts import describe
from ganime.exporting.small import WEIGHTS, shrink
from ganime.files import atomic_write
from ganime.generation.chain import Chain, Unsupported, read_chain
from ganime.generation.conditions import make_latents
from ganime.generation.edits import Edits, edits_path
from ganime.generation.latents import from_seeds
from ganime.generation.numpy_generator import NumpyGenerator
from ganime.generation.sampling import find_generator, load_generator

if TYPE_CHECKING:
    import keras

SUFFIXES = {"onnx": ".onnx", "litert": ".tflite", "saved-model": "", "web": ""}
TOLERANCE = 1e-4  # of images in [-1, 1]; one of 255 levels is 8e-3
FACES = 16  # that a written file has to draw


@dataclass(frozen=True)
class Export:
    """What was written.

    Attributes:
        path: The file or folder.
        size: Bytes, of all files.
        difference: The largest one of its images, [-1, 1], to those of Keras in float32.
    """

    path: Path
    size: int
    difference: float


def export(
    source: "keras.Model | str | os.PathLike | None",
    format: str,
    output: str | os.PathLike,
    weights: str | None = None,
    license_name: str | None = None,
) -> Export:
    """Write a generator in another format. The written file is run in its own runtime before it takes its name.

    Normalization is folded into the kernels, and all computes in float32, whatever it was trained in. Inputs are `latents`,
    float32 [batch, latent_size], outputs `images`, float32 [batch, height, width, 3] in [-1, 1]; the batch is free. The latents
    of a generator with labels end in a weight for each, in the order of their names, which are among the file's metadata.

    Args:
        source: A generator as `build_generator` makes them, or its `.keras` file; None for the one that ships with ganime.
        format: `"onnx"`, `"litert"`, `"saved-model"` or `"web"` (a page that draws the faces in the visitor's browser).
        output: A `.onnx` or `.tflite` file; a folder for a SavedModel or a page, or a `.html` file for a page in one file.
        weights: `"float32"`, `"float16"` (half the bytes) or `"int8"` (a quarter; see `ganime.exporting.small`). A page has
            float16 by default, all others have float32. LiteRT has no int8 here, SavedModel only float32.
        license_name: Of the generator, as SPDX has it, for the file's metadata.

    Raises:
        InputError: If the generator is none that can be exported, or an argument is none of the above.
        GanimeError: If a runtime is not installed, or the written file's images differ by more than 1e-4 from what Keras (for
            smaller weights: NumPy, with the same weights, after it was compared with Keras) makes of the same latents. Nothing
            is left behind then.

    Example:
        >>> import ganime
        >>> ganime.export(None, "onnx", "faces.onnx").difference < 1e-4  # doctest: +SKIP
        True
    """
    output, weights = Path(output), weights or ("float16" if format == "web" else "float32")
    check_arguments(format, output, weights)
    writer = {"onnx": onnx, "litert": litert, "saved-model": saved_model, "web": web}[format]
    with tempfile.TemporaryDirectory() as folder, getattr(writer, "place", atomic_write)(output) as part:
        path = _find_file(source, Path(folder))
        exact = read_generator(path)
        latents = make_latents(NumpyGenerator(exact), range(FACES))
        images = _run_keras(path, latents)
        check_images(NumpyGenerator(exact)(latents), images)
        chain, facts = shrink(exact, weights), describe(path, exact.latent_size, license_name, exact.labels)
        writer.write(part, chain, facts, *([find_edits(path)] if format == "web" else []))
        made = writer.run(part, latents)
        check_images(made, images if weights == "float32" else NumpyGenerator(chain)(latents))
        check_images(writer.run(part, latents[:1]), made[:1])
        size = sum(file.stat().st_size for file in (part, *part.rglob("*")) if file.is_file())
    return Export(output, size, float(np.abs(made - images).max()))


def _find_file(source, folder):
    """The `.keras` file of a generator, which is written to a folder if it is in memory."""
    if hasattr(source, "generator") and hasattr(source, "save"):
        raise InputError("export takes a generator: gan.averaged_generator or gan.generator, not a whole GAN")
    if hasattr(source, "save"):
        source.save(folder / "generator.keras")
        return folder / "generator.keras"
    if source is not None and not isinstance(source, str | os.PathLike):
        raise InputError(f"export takes a Keras model, the path of a .keras file or None, not {type(source).__name__}")
    return find_generator(source)


def find_edits(path: str | os.PathLike | None) -> Edits | None:
    """The edits of a generator; None if none were found yet, or, with a line on the log, if they are of no use."""
    path = find_generator(path)
    try:
        return Edits.load(path)
    except InputError as error:
        if edits_path(path).exists():
            logging.getLogger(__name__).warning("without edits: %s", error)
        return None


def check_arguments(format: str, output: Path, weights: str) -> None:
    """See that the arguments of `export` go together.

    Raises:
        InputError: If they do not.
    """
    if format not in SUFFIXES:
        raise InputError(f"format {format!r} is not one of {', '.join(SUFFIXES)}")
    if weights not in WEIGHTS:
        raise InputError(f"weights {weights!r} are not one of {', '.join(WEIGHTS)}")
    possible = {"saved-model": ["float32"], "litert": ["float32", "float16"]}.get(format, WEIGHTS)
    if weights not in possible:
        raise InputError(f"{format} has weights of {' or '.join(possible)}, not {weights}; onnx and web have all")
    suffix, suffixes = output.suffix.lower(), SUFFIXES[format]
    if suffixes and suffix != suffixes:
        raise InputError(f"{show(output)}: the name of a file for {format} must end in {suffixes}")
    if output.is_dir() and (suffixes or suffix == ".html"):
        raise InputError(f"{show(output)} is a folder")
    if output.resolve() == Path.cwd():
        raise InputError(f"{show(output)} is the current folder, which cannot be replaced; name another one")


def read_generator(path: Path) -> Chain:
    """The layers of a generator that can be exported.

    Raises:
        InputError: If it is none, with the reason.
    """
    try:
        chain = read_chain(path)
        NumpyGenerator(chain)(from_seeds([0], chain.latent_size))  # makes finite images
        return chain
    except Unsupported:
        load_generator(path)  # says what is wrong with the file, if it is damaged
        raise InputError(
            f"{show(path)} cannot be exported: it is not a chain of transposed convolutions, as ganime.build_generator makes "
            "them"
        ) from None


def _run_keras(path, latents):
    """What Keras makes of latents in float32, on the CPU, whatever the generator was trained in and on."""
    import tensorflow as tf

    from ganime.training.forms import sampling_form

    with tf.device("CPU"):
        return np.asarray(sampling_form(load_generator(path))(latents, training=False))


def check_images(made: np.ndarray, expected: np.ndarray) -> None:
    """See that a written file makes the images that it should.

    Raises:
        GanimeError: If it does not.
    """
    difference = np.abs(made - expected).max() if made.shape == expected.shape else np.inf
    if not difference <= TOLERANCE:
        raise GanimeError(
            f"the written file makes other images: they differ by up to {difference:.2g}, {TOLERANCE:g} is allowed; "
            "it is not kept"
        )
