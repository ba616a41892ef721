"""Scores of a generator with labels: how often each label is to be drawn, and the kernel distance of each."""

from collections.abc import Sequence

import numpy as np

from ganime.data.labelled import renumber
from ganime.errors import InputError
from ganime.labels import list_labels
from ganime.metrics.distances import kernel_distance
from ganime.metrics.features import FeatureExtractor

LEAST = 50  # real pictures and faces of a label, with which its distance means something
GOLDEN = 0.6180339887498949  # whose multiples, without what is before the point, are spread evenly however many there are


def label_numbers(pictures, labels: Sequence[str]) -> np.ndarray | None:
    """The number of each picture's label among a generator's, int [count]; None if one of both has no labels.

    Raises:
        InputError: If the pictures have a label that is none of the generator's.
    """
    if not labels or not getattr(pictures, "labels", ()):
        return None
    return renumber(pictures, labels, "the generator's")[pictures.numbers]


def spread_labels(count: int, labels: int, numbers: np.ndarray | None = None) -> np.ndarray:
    """Which label each of so many faces is to have, int [count], always the same.

    Args:
        count: How many faces.
        labels: How many labels there are.
        numbers: Those of real pictures, of which the faces are to have equal shares; by default they take them in turn.
    """
    if numbers is None:
        return np.arange(count) % labels
    shares = np.bincount(numbers, minlength=labels) / len(numbers)
    places = np.searchsorted(np.cumsum(shares), (np.arange(count) + 0.5) * GOLDEN % 1.0, side="right")
    return np.minimum(places, np.flatnonzero(shares)[-1])


def score_labels(
    real: np.ndarray,
    real_numbers: np.ndarray,
    generated: np.ndarray,
    numbers: np.ndarray,
    labels: Sequence[str],
    extractor: FeatureExtractor,
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """The kernel distance of each label's faces to the real pictures of that label, which is the same for few and for many.

    Args:
        real, generated: Features.
        real_numbers, numbers: Of the labels of the real pictures and of the faces.
        labels: The labels' names.
        extractor: What made the features.
        seed: Seed of the subsets.

    Returns:
        For each label how many real pictures and faces there are (`real`, `scored`) and, if there are 50 of both, the distance
        and its deviation under the names of `ganime.metrics.evaluation.score_names`.
    """
    name, scores = extractor.network.kernel, {}
    for number, label in enumerate(labels):
        own = real[real_numbers == number], generated[numbers == number]
        scores[label] = {"real": len(own[0]), "scored": len(own[1])}
        if min(map(len, own)) >= LEAST:
            scores[label] |= dict(zip((name, f"{name}-deviation"), kernel_distance(*own, seed=seed), strict=True))
    return scores


def describe_label_scores(scores: dict[str, dict[str, float]], kernel: str) -> list[str]:
    """`score_labels` in words, a line for each label; one for all that have too few pictures."""
    lines, few = [], []
    for label, values in scores.items():
        if kernel in values:
            said = f"{values[kernel]:.4g} +/- {values[f'{kernel}-deviation']:.2g}"
            lines.append(f"{said}  {label}: {values['scored']:,} faces against {values['real']:,} real ones")
        else:
            few.append(label)
    if few:
        lines.append(f"not scored, for fewer than {LEAST} real pictures or faces: {list_labels(few)}")
    return lines


def check_labels(pictures, labels: Sequence[str]) -> None:
    """See that a generator has labels, if the real pictures have.

    Raises:
        InputError: If it has none.
    """
    if getattr(pictures, "labels", ()) and not labels:
        raise InputError("--labels is for a generator with labels; this one has none")
