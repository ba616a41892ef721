"""Edits: a face's hair, eyes or pose, changed by moving its latent (NumPy, no TensorFlow but to find them)."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ganime.data.names import show
from ganime.errors import InputError
from ganime.generation.beside import load_beside, save_beside
from ganime.generation.latents import check_latents, shift
from ganime.generation.sampling import find_generator

if TYPE_CHECKING:
    import keras

STRONGEST = 4.0  # deviations; beyond, all edits lead out of what a generator knows
_NAME = re.compile(r"[a-z][a-z-]{0,49}")  # that can be typed, and printed
_ARRAYS = {"names": "U", "directions": "f", "bends": "f", "right": "f", "spill": "f"}


@dataclass(repr=False)
class Edits:
    """The edits of one generator, found without labels and named by what they measurably do.

    Attributes:
        names: What each changes, from `ganime.generation.attributes.ATTRIBUTES`.
        directions, bends: float32 [edits, latent_size]. An edit of strength s moves a latent by s times the direction and s²
            times the bend, and then back to the length that it had.
        right: The share of faces that two deviations change the right way, the worse of both ways.
        spill: What else changes most, two deviations either way, as a share of what is named.

    Example:
        >>> import ganime
        >>> edits = ganime.Edits.load()
        >>> points = ganime.from_seeds([7], 128)
        >>> faces = ganime.paint(ganime.load_generator(), edits.apply(points, {"hair-brightness": 1.5}))
    """

    names: list[str]
    directions: np.ndarray
    bends: np.ndarray
    right: np.ndarray
    spill: np.ndarray

    def __repr__(self):
        return f"<Edits: {len(self.names)} for latents of {self.directions.shape[1]} numbers: {', '.join(self.names)}>"

    @classmethod
    def find(cls, generator: "keras.Model", report: Callable[[int, int], None] = lambda done, total: None) -> "Edits":
        """Find the edits of any generator of aligned faces, in a few minutes; those that do what their name says.

        Args:
            generator: Model from latents to square images in [-1, 1].
            report: Called with the numbers of steps done and to do.
        """
        from ganime.generation.edit_search import find_edits

        return cls(*find_edits(generator, report))

    @classmethod
    def load(cls, path: str | os.PathLike | None = None) -> "Edits":
        """Load the edits that were saved for a generator.

        Args:
            path: The generator's `.keras` file, beside which they lie; that which ships with ganime by default.

        Raises:
            InputError: If there are none, they are damaged, or the generator has changed since.
        """
        path = find_generator(path)
        advice = f"find them with: python cli.py edits {show(path)}"
        arrays = load_beside(path, edits_path(path), _ARRAYS, _check, "there are no edits", advice)
        return cls(arrays.pop("names").tolist(), **arrays)

    def save(self, path: str | os.PathLike | None = None) -> Path:
        """Save the edits beside their generator's `.keras` file, whole or not at all, and return where."""
        path = find_generator(path)
        arrays = {name: np.asarray(getattr(self, name), str if kind == "U" else None) for name, kind in _ARRAYS.items()}
        return save_beside(path, edits_path(path), arrays)

    def apply(self, latents: np.ndarray, strengths: Mapping[str, float]) -> np.ndarray:
        """Move latents.

        Args:
            latents: Float [count, latent_size].
            strengths: For each edit by its name, how many of the attribute's deviations, -4 to 4.

        Returns:
            float32 [count, latent_size], as long as before.

        Raises:
            InputError: If there is no edit of a name, a strength is none, or the latents are another generator's.
        """
        latents = check_latents(latents, self.directions.shape[1])
        move = np.zeros(latents.shape[1], np.float32)
        for name, strength in strengths.items():
            if name not in self.names:
                raise InputError(f"there is no edit {name!r}; there are: {', '.join(self.names) or 'none'}")
            if not abs(strength) <= STRONGEST:
                raise InputError(f"edit {name}={strength:g}: the strength must be from -{STRONGEST:g} to {STRONGEST:g}")
            index = self.names.index(name)
            move += strength * self.directions[index] + strength**2 * self.bends[index]
        return shift(latents, move)


def _check(arrays):
    names = arrays["names"].tolist()
    size = arrays["directions"].shape[1]
    shapes = {"directions": (len(names), size), "bends": (len(names), size)}
    for name, kind in _ARRAYS.items():
        array = arrays[name]
        if array.dtype.kind != kind or array.shape != shapes.get(name, (len(names),)):
            raise ValueError
        with np.errstate(over="ignore"):
            if kind == "f" and not np.isfinite(array.astype(np.float32)).all():
                raise ValueError
    if len({*names}) < len(names) or not all(map(_NAME.fullmatch, names)):
        raise ValueError


def edits_path(path: str | os.PathLike) -> Path:
    """Where the edits of the generator in a `.keras` file lie."""
    return Path(path).with_suffix(".edits.npz")
