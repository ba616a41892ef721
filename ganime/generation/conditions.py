"""Latents of generators with labels: numbers of the normal distribution and, behind them, a weight for each label (no
TensorFlow)."""

from collections.abc import Sequence

import numpy as np

from ganime.bounds import suggest
from ganime.data.names import show
from ganime.errors import InputError
from ganime.generation import latents
from ganime.labels import labels_of, list_labels, quote


def free_size(generator) -> int:
    """Length of a generator's latents without the weights of labels."""
    return generator.input_shape[-1] - len(labels_of(generator))


def make_latents(
    generator, seeds: Sequence[int], truncation: float = 1.0, labels: str | Sequence | np.ndarray | None = None
) -> np.ndarray:
    """The latents of some seeds for a generator, those of `ganime.from_seeds`; where it has labels, with their weights.

    Args:
        generator: A generator, as `ganime.load_generator` gives it.
        seeds: Integers from 0 to 2**32 - 1.
        truncation: 0 to 1 (see `ganime.from_seeds`); weights are left as they are.
        labels: The name of a label, one for each seed, or weights, float [seeds, number of labels]. Without them the seeds
            take the labels in turn: that of a seed is the remainder of its division by their number.

    Returns:
        float32 [seeds, latent_size + number of labels].

    Raises:
        InputError: If a seed is none, the generator has no labels or none of such a name, or these are not as many.
    """
    names, points = labels_of(generator), latents.from_seeds(seeds, free_size(generator), truncation)
    if labels is None:
        labels = [names[int(seed) % len(names)] for seed in seeds] if names else None
    return points if labels is None else np.concatenate([points, weigh(labels, names, len(points))], axis=1)


def weigh(labels: str | Sequence | np.ndarray, names: Sequence[str], count: int) -> np.ndarray:
    """The weights of labels, float32 [count, number of names].

    Args:
        labels: A name, for all; a name for each; or the weights.
        names: Those of the generator.
        count: How many faces.

    Raises:
        InputError: If there is no such label, or they are not as many.
    """
    if not names:
        raise InputError("this generator has no labels")
    if isinstance(labels, str):
        labels = [labels] * count
    if all(isinstance(label, str) for label in labels):
        weights = np.eye(len(names), dtype=np.float32)[[find_label(label, names) for label in labels]]
        weights = weights.reshape(-1, len(names))
    else:
        weights = np.asarray(labels, np.float32)
    if weights.shape != (count, len(names)) or not np.isfinite(weights).all():
        raise InputError(f"labels are a name for each of {count:,} faces, or their weights [{count}, {len(names)}]")
    return weights


def find_label(name: str, names: Sequence[str]) -> int:
    """The number of a label.

    Raises:
        InputError: If there is none of that name.
    """
    if name not in names:
        known = f"it has {list_labels(names)}" if names else "it has none"
        raise InputError(f"the generator has no label {quote(name)}; {known}{suggest(name, names)}")
    return names.index(name)


def choose_labels(texts: Sequence[str], names: Sequence[str]) -> list[str]:
    """The labels that texts such as `blonde` or `blonde,black` name.

    Raises:
        InputError: If there is no label of a name.
    """
    chosen = [name for text in texts for name in ([text] if text in names else (part.strip() for part in text.split(",")))]
    for name in chosen:
        find_label(name, names)
    return chosen


def truncate(points: np.ndarray, truncation: float, labels: int) -> np.ndarray:
    """Latents of which so many last numbers are weights of labels, shortened by a factor (see `ganime.from_seeds`)."""
    size = points.shape[1] - labels
    return points * np.where(np.arange(points.shape[1]) < size, np.float32(truncation), np.float32(1))


def between(first: np.ndarray, last: np.ndarray, shares: np.ndarray, labels: int = 0) -> np.ndarray:
    """Points between two latents, of which so many last numbers are weights of labels: on the great circle (see
    `ganime.generation.latents.slerp`), and from label to label on a straight line.

    Args, returns: As of `slerp`.
    """
    if not labels:
        return latents.slerp(first, last, shares)
    weights = np.float32(np.asarray(shares)[:, None] * (last[-labels:] - first[-labels:]) + first[-labels:])
    return np.concatenate([latents.slerp(first[:-labels], last[:-labels], shares), weights], axis=1)


def adapt_latents(points: np.ndarray, generator, labels: Sequence[str] | None, source) -> np.ndarray:
    """Latents of a file as a generator takes them: with other labels, each latent with each, or with those that they have.

    Args:
        points: float32 [count, size].
        generator: The generator.
        labels: Names; None: as they are.
        source: What the file is called.

    Returns:
        float32 [labels * count, latent_size + number of labels], label by label.

    Raises:
        InputError: If their size is none that this generator can take, or they have no label.
    """
    names, size, free = labels_of(generator), generator.input_shape[-1], free_size(generator)
    if labels is not None and points.shape[1] in (free, size):
        return np.concatenate([np.concatenate([points[:, :free], weigh(name, names, len(points))], axis=1) for name in labels])
    if names and points.shape[1] == free:
        raise InputError(f"{show(source)} holds latents without labels: choose one with --label, of {list_labels(names)}")
    if points.shape[1] != size:
        raise InputError(f"{show(source)} holds latents of {points.shape[1]} numbers; those of this generator have {size}")
    return points
