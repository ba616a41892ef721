"""Latents: the points of the normal distribution that a generator turns into faces (NumPy, no TensorFlow)."""

import threading
from collections.abc import Iterable

import numpy as np

from ganime.errors import InputError

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

    Example:
        >>> from_seeds([0, 1], latent_size=128).shape
        (2, 128)
    """

    def draw(seed):
        _generator.seed(seed)
        return _generator.standard_normal(latent_size)

    with _lock:
        draws = [draw(seed) for seed in seeds]
    return np.float32(truncation) * np.asarray(draws, np.float32).reshape(-1, latent_size)


def parse_seeds(text: str) -> list[int]:
    """Read seeds as in `0,1,4-6` (that is 0, 1, 4, 5 and 6).

    Raises:
        InputError: If the text is not of this form, a seed is not below 2**32, or there are more than a million.
    """
    seeds = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise InputError(f"seeds {text!r} are not of the form 0,1,4-6")
        bounds = int(first), int(last or first)
        if not bounds[0] <= bounds[1] < 2**32:
            raise InputError(f"seeds {part.strip()!r}: the last may not be below the first, nor 2**32 or more")
        if bounds[1] - bounds[0] + len(seeds) >= 1_000_000:
            raise InputError(f"seeds {text!r} are more than a million")
        seeds.extend(range(bounds[0], bounds[1] + 1))
    return seeds
