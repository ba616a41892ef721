"""Latents: the points of the normal distribution that a generator turns into faces (NumPy, no TensorFlow)."""

import operator
import os
import threading
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ganime.data.names import show
from ganime.errors import InputError, one_line
from ganime.files import atomic_write

MOST = 1_000_000  # faces at a time
MOST_NUMBERS = 2**28  # of latents in a file: a gigabyte
# One for all: making a generator takes 0.3 ms, seeding it again and drawing a latent 0.01 ms.
_generator, _lock = np.random.RandomState(), threading.Lock()


def from_seeds(seeds: Iterable[int], latent_size: int, truncation: float = 1.0) -> np.ndarray:
    """The latent of each seed: the same on every machine and with every NumPy, whose legacy generator is frozen.

    Args:
        seeds: Integers from 0 to 2**32 - 1.
        latent_size: Length of a latent.
        truncation: Scale of the latents, 0 to 1 (psi of StyleGAN, Karras et al. 2019): 1 draws as in training, less gives
            more typical and less varied faces, 0 the one face in the middle.

    Returns:
        float32 [seeds, latent_size].

    Raises:
        InputError: If a seed is none, or the truncation is not from 0 to 1.

    Example:
        >>> from_seeds([0, 1], latent_size=128).shape
        (2, 128)
    """
    if not 0 <= truncation <= 1:
        raise InputError(f"truncation {truncation} is not from 0 to 1")
    try:
        seeds = [operator.index(seed) for seed in seeds]
    except TypeError:
        raise InputError(f"seeds are integers in a list, as in [0, 1, 7], not {one_line(repr(seeds), 50)}") from None
    if wrong := [seed for seed in seeds if not 0 <= seed < 2**32]:
        shown = one_line(hex(wrong[0]), 50) if abs(wrong[0]) > 2**64 else wrong[0]  # Python writes no longer ones in decimals
        raise InputError(f"seed {shown} is not from 0 to 2**32 - 1")
    draws = np.empty((len(seeds), latent_size), np.float32)
    with _lock:
        for draw, seed in zip(draws, seeds, strict=True):
            _generator.seed(seed)
            draw[:] = _generator.standard_normal(latent_size)
    draws *= np.float32(truncation)
    return draws


def parse_seeds(text: str) -> list[int]:
    """Read seeds as in `0,1,4-6` (that is 0, 1, 4, 5 and 6).

    Raises:
        InputError: If the text is not of this form, a seed is not below 2**32, or there are more than a million.
    """
    seeds = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise InputError(f"seeds {one_line(text, 50)!r} are not of the form 0,1,4-6")
        bounds = tuple(int(number) if len(number) < 20 else 2**32 for number in (first, last or first))
        if not bounds[0] <= bounds[1] < 2**32:
            raise InputError(f"seeds {one_line(part.strip(), 50)!r}: the last may not be below the first, nor 2**32 or more")
        if bounds[1] - bounds[0] + len(seeds) >= MOST:
            raise InputError(f"seeds {one_line(text, 50)!r} are more than a million")
        seeds.extend(range(bounds[0], bounds[1] + 1))
    return seeds


def read_latents(path: str | os.PathLike) -> np.ndarray:
    """Read latents from a `.npy` file, float32 or float64 [count, latent_size].

    Returns:
        float32 [count, latent_size].

    Raises:
        InputError: If the file is not there or no such array, a number in it is not finite, or there are none, more than a
            million or more than a gigabyte.
    """
    name, wanted = show(path), "float32 or float64 [count, latent size]"
    if os.path.exists(path) and not os.path.isfile(path):
        raise InputError(f"{name} cannot be read: it is no file")
    try:
        latents = np.load(path, mmap_mode="r", allow_pickle=False)  # only the header yet
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror or show(str(error))}") from None
    except Exception as error:  # whatever NumPy makes of a file
        raise InputError(f"{name} is no .npy file of numbers, or damaged; latents are {wanted}") from error
    if not isinstance(latents, np.ndarray):
        raise InputError(f"{name} holds several arrays; latents are one, {wanted}")
    if latents.dtype.kind != "f" or latents.dtype.itemsize not in (4, 8) or latents.ndim != 2:
        raise InputError(f"{name} is {one_line(str(latents.dtype), 50)} {[*latents.shape]}; latents are {wanted}")
    if not 1 <= len(latents) <= MOST:
        raise InputError(f"{name} holds {len(latents):,} latents; it must be from one to a million")
    if latents.size > MOST_NUMBERS:
        raise InputError(f"{name} holds {latents.size:,} numbers; at most it may hold {MOST_NUMBERS:,}")
    with np.errstate(over="ignore"):
        latents = np.array(latents, np.float32)
    finite = np.isfinite(latents).all(1)
    if not finite.all():
        raise InputError(f"{name}: latent {finite.argmin()}, counted from 0, has a number that is not finite in float32")
    return latents


def save_latents(path: str | os.PathLike, latents: np.ndarray) -> None:
    """Write latents to a `.npy` file, whole or not at all, as `read_latents` reads them.

    Raises:
        InputError: If the name does not end in `.npy`.
    """
    path = Path(path)
    if path.suffix.lower() != ".npy":
        raise InputError(f"{show(path)}: the name of a file of latents must end in .npy")
    with atomic_write(path) as part, open(part, "wb") as file:  # NumPy appends .npy to a name that ends in .NPY
        np.save(file, np.asarray(latents, np.float32))


def check_latents(latents: np.ndarray, latent_size: int) -> np.ndarray:
    """Latents as float32 [count, latent_size].

    Raises:
        InputError: If they are of another shape, or a number is not finite.
    """
    latents = np.asarray(latents, np.float32)
    if latents.ndim != 2 or latents.shape[1] != latent_size:
        raise InputError(f"latents are [count, {latent_size}] for this generator, not {[*latents.shape]}")
    if not np.isfinite(latents).all():
        raise InputError("a latent has a number that is not finite")
    return latents


def slerp(first: np.ndarray, last: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Points between two latents on the great circle through them (Shoemake 1985; for latents White 2016,
    https://arxiv.org/abs/1609.04468), so that what lies between has a length as usual as theirs.

    Args:
        first, last: Float [latent_size].
        shares: Float [count], 0 for `first` to 1 for `last`; there they are returned as they are.

    Returns:
        float32 [count, latent_size].

    Example:
        >>> slerp(np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([0, 0.5, 1])).round(2).tolist()
        [[1.0, 0.0], [0.7099999785423279, 0.7099999785423279], [0.0, 1.0]]
    """
    shares = np.asarray(shares, np.float64)[:, None]
    first, last = np.asarray(first, np.float64), np.asarray(last, np.float64)
    lengths = np.linalg.norm(first) * np.linalg.norm(last)
    angle = np.arccos(np.clip(first @ last / lengths, -1, 1)) if lengths else 0.0
    if np.sin(angle) > 1e-6:
        weights = np.sin((1 - shares) * angle) / np.sin(angle), np.sin(shares * angle) / np.sin(angle)
    else:  # the same direction, or opposite ones, between which no way is the shortest
        weights = 1 - shares, shares
    return np.where(shares == 1, last, np.where(shares == 0, first, weights[0] * first + weights[1] * last)).astype(np.float32)


def shift(latents: np.ndarray, move: np.ndarray) -> np.ndarray:
    """Move latents, and bring them back to the length that they had, or to that of the move if this is greater: length is how
    unusual a face is (see truncation), and is not to be changed by an edit.

    Args:
        latents: Float [count, latent_size].
        move: Float [latent_size].

    Returns:
        float32 [count, latent_size].
    """
    moved = latents + move
    lengths, before = (np.linalg.norm(points, axis=-1, keepdims=True) for points in (moved, latents))
    return np.float32(moved * (np.maximum(before, np.linalg.norm(move)) / np.maximum(lengths, 1e-12)))
