"""The same faces at each step that a run has kept (TensorFlow only where it is needed)."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ganime.data.names import show
from ganime.errors import InputError
from ganime.generation.conditions import make_latents
from ganime.generation.sampling import load_for, paint
from ganime.run import Run
from ganime.snapshots import kept_generators


def over_time(
    run: Run | str | os.PathLike,
    seeds: Sequence[int] = range(16),
    truncation: float = 1.0,
    labels: str | Sequence | np.ndarray | None = None,
    latents: np.ndarray | None = None,
) -> Iterator[tuple[int, np.ndarray]]:
    """Some faces at each step that a run has kept (`keep_every` of `ganime.fit`), and last as they are now.

    Args:
        run: A run, its name or its path.
        seeds, truncation, labels: Which faces, as `ganime.sample` takes them.
        latents: Those of these latents instead, float [count, latent_size].

    Yields:
        A step and its faces, uint8 [count, height, width, 3], RGB. One generator after the other is loaded.

    Raises:
        InputError: If the run has kept nothing, a generator is damaged or makes faces of another size than the first, or the
            seeds, labels or latents are none.
        GanimeError: As `load_generator`.

    Example:
        >>> ganime.animate(faces for step, faces in ganime.over_time("my-faces"))  # doctest: +SKIP
    """
    generators = kept_generators(run if isinstance(run, Run) else Run(run))
    if latents is None:
        latents = make_latents(load_for(1, generators[0][1]), seeds, truncation, labels)
    return paint_each(generators, latents)


def paint_each(generators: Sequence[tuple[int, Path]], latents: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """As `over_time`, of steps and files of generators."""
    shape = None
    for step, path in generators:
        generator = load_for(len(latents), path)
        shape = shape or generator.output_shape
        if generator.output_shape != shape:
            raise InputError(f"{show(path)} makes faces of another size than the generators before: it is of another run")
        yield step, paint(generator, latents)
