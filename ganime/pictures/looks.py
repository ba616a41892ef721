"""How pictures look as a set, in numbers (no TensorFlow)."""

import numpy as np

EYES = 8  # side of what is left of a picture to somebody who looks with half-closed eyes
SHEETS = range(2, 6)  # pictures in a row of a sheet
EDGE = 1.5  # how many times as strong as elsewhere edges are where a sheet's pictures meet


def difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How different pictures are from others, as 8x8 colors.

    Args:
        one, other: uint8 [count, side, side, 3], of 8x8 pixels at the least.

    Returns:
        Float64 [count of one, count of other], the root of the mean square; 0 for the same, 1 for black against white.
    """
    a, b = (_squint(pictures).reshape(len(pictures), -1) for pictures in (one, other))
    return np.sqrt(np.maximum(np.square(a).mean(1)[:, None] + np.square(b).mean(1) - 2 * a @ b.T / a.shape[1], 0))


def variety(pictures: np.ndarray) -> float:
    """The mean difference of two of the pictures, uint8 [count, side, side, 3]."""
    return float(difference(pictures, pictures)[np.triu_indices(len(pictures), 1)].mean())


def in_common(pictures: np.ndarray) -> float:
    """The share of the pictures' variance that is the same in all of them, as it is where one has its eyes where others do.

    Args:
        pictures: uint8 [count, side, side, 3], 2 or more.

    Returns:
        1 if all are the same; about 0 if they have nothing to do with each other.
    """
    values, count = _squint(pictures), len(pictures)
    values -= values.mean((1, 2), keepdims=True)  # brighter or darker, redder or bluer as a whole
    total = np.square(values).mean()
    return float((np.square(values.mean(0)).mean() * count - total) / (count - 1) / total) if total else 1.0


def ruled(pictures: np.ndarray) -> float:
    """The share of the pictures that have edges wherever those of a sheet of 2x2 to 5x5 pictures would meet.

    Args:
        pictures: uint8 [count, side, side, 3].
    """
    side, found = pictures.shape[1], np.zeros(len(pictures), bool)
    edges = [np.abs(np.diff(pictures.astype(np.int16), axis=axis)).mean((3, 3 - axis)) for axis in (1, 2)]
    ratios = [edge / (np.median(edge, 1, keepdims=True) + 1) for edge in edges]
    for parts in SHEETS:
        borders = [round(side * i / parts) for i in range(1, parts)]
        found |= np.min([ratio[:, at - 2 : at + 1].max(1) for ratio in ratios for at in borders], 0) > EDGE
    return float(found.mean())


def _squint(pictures):
    """Means of 8x8 parts, float64 [count, 8, 8, 3] from 0 to 1."""
    edges = np.linspace(0, pictures.shape[1], EYES + 1).astype(int)
    sums = np.add.reduceat(np.add.reduceat(pictures, edges[:-1], 1, np.uint32), edges[:-1], 2)
    sizes = np.diff(edges)
    return sums / np.outer(sizes, sizes)[..., None] / 255
