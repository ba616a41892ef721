"""What lies between faces: walks through them, and sheets between two or four (TensorFlow only where it is needed)."""

import itertools
from collections.abc import Iterator, Sized
from typing import TYPE_CHECKING

import numpy as np

from ganime.errors import InputError
from ganime.generation.conditions import between
from ganime.generation.latents import check_latents
from ganime.generation.sampling import paint
from ganime.labels import labels_of

if TYPE_CHECKING:
    import keras

WINDOW = 400  # frames in memory at a time, or those of a leg
BATCH = 128  # made at a time
APART = 3  # frames of a leg to one waypoint
SPARE = 16  # frames to one that is kept back for the widest gaps
# Two faces a long way apart look more alike than the way between them is long: how many frames go between two waypoints is
# as the distance of their pixels to this power.
POWER = 1.5


def walk(generator: "keras.Model", latents: np.ndarray, frames: int = 25) -> Iterator[np.ndarray]:
    """Walk through faces in a closed loop, on great circles between their latents, in steps of about equal visible change;
    from label to label on straight lines between their weights.

    Waypoints at equal angles, the given latents among them, are made first. The distances of their pixels say how many
    frames go between each two of them, and where. The last frames go into the middle of the widest gaps. All that are made are
    shown, so that a walk takes no longer than as many faces.

    Args:
        generator: Model from latents to images in [-1, 1].
        latents: Float [count, latent_size], two or more; their own faces are among the frames.
        frames: Frames from one to the next, on the average.

    Yields:
        `frames` times `count` faces, uint8 [height, width, 3], RGB, made as they are needed. The first follows the last.

    Raises:
        InputError: If there are fewer than two latents, or no frames, or the latents are not this generator's.

    Example:
        >>> import ganime
        >>> loop = walk(ganime.load_generator(), ganime.from_seeds([0, 1, 2], 128), frames=4)
        >>> len([*loop])
        12
    """
    latents = check_latents(latents, generator.input_shape[-1])
    if len(latents) < 2:
        raise InputError(f"a walk leads through two faces or more, not {len(latents)}")
    if not frames >= 1:
        raise InputError(f"a walk needs a frame or more from face to face, not {frames}")
    return _walk(generator, latents, frames)


def mix(generator: "keras.Model", latents: np.ndarray, steps: int = 8) -> np.ndarray:
    """Faces between two or four others, which are the ends of the row or the corners of the sheet.

    Args:
        generator: Model from latents to images in [-1, 1].
        latents: Float [2 or 4, latent_size]; of four, the first two are the upper corners.
        steps: Faces in a row, and rows of a sheet; the given ones among them.

    Returns:
        uint8 [steps or steps * steps, height, width, 3], row by row.

    Raises:
        InputError: If there are not two or four latents of this generator, or fewer than two steps.

    Example:
        >>> import ganime
        >>> mix(ganime.load_generator(), ganime.from_seeds([0, 1, 2, 3], 128), steps=3).shape
        (9, 64, 64, 3)
    """
    latents = check_latents(latents, generator.input_shape[-1])
    if not steps >= 2:
        raise InputError(f"a mix has two steps or more, not {steps}")
    check_corners(latents)
    shares = np.linspace(0, 1, steps)
    labels = len(labels_of(generator))
    rows = [between(*latents[i : i + 2], shares, labels) for i in range(0, len(latents), 2)]
    if len(rows) == 1:
        return paint(generator, rows[0])
    columns = [between(upper, lower, shares, labels) for upper, lower in zip(*rows, strict=True)]
    return paint(generator, np.stack(columns, 1).reshape(steps * steps, -1))


def check_corners(points: Sized) -> None:
    """See that there are two or four points, between which a mix can be.

    Raises:
        InputError: If not.
    """
    if len(points) not in (2, 4):
        raise InputError(f"a mix is between two or four faces, not {len(points):,}")


def _walk(generator, latents, frames):
    legs = max(1, WINDOW // frames)
    for start in range(0, len(latents), legs):
        corners = latents.take(range(start, min(start + legs, len(latents)) + 1), axis=0, mode="wrap")
        yield from _walk_window(generator, corners, frames, whole=legs >= len(latents))


def _walk_window(generator, corners, frames, whole):
    """The frames from the first to before the last of some latents; `whole` if these close the loop."""
    legs, each = len(corners) - 1, max(1, frames // APART)
    spare = frames * legs // SPARE if frames > 1 else 0
    places = np.arange(legs * each + 1) / each  # in legs
    faces = paint(generator, _points(corners, places, len(labels_of(generator))), BATCH)
    lengths = _distances(faces) ** POWER + 1e-6
    counts = _share(lengths, frames * legs - spare)
    around = [lengths[-1] if whole else lengths[0], *lengths, lengths[0] if whole else lengths[-1]]
    between = [places[i] + _spread(*around[i : i + 3], count) / each for i, count in enumerate(counts)]
    places, faces = _add(generator, corners, places, faces, np.concatenate(between))
    widest = np.argsort(-_distances(faces), kind="stable")[:spare]
    _, faces = _add(generator, corners, places, faces, (places[widest] + places[widest + 1]) / 2)
    yield from faces[:-1]


def _add(generator, corners, places, faces, new):
    """Places and faces with those of new places among them, in their order."""
    if not len(new):
        return places, faces
    added = paint(generator, _points(corners, new, len(labels_of(generator))), BATCH)
    places, faces = np.concatenate([places, new]), np.concatenate([faces, added])
    order = np.argsort(places, kind="stable")
    return places[order], faces[order]


def _points(corners, places, labels):
    """The latents at some places, in any order: 1.5 is half way between the second and the third."""
    points = np.empty((len(places), corners.shape[1]), np.float32)
    legs = np.minimum(places.astype(int), len(corners) - 2)
    for leg in np.unique(legs):
        points[legs == leg] = between(corners[leg], corners[leg + 1], places[legs == leg] - leg, labels)
    return points


def _distances(faces):
    """Root mean square difference of each face to the next."""
    changes = (np.subtract(a, b, dtype=np.float32).ravel() for a, b in itertools.pairwise(faces))
    return np.sqrt([change @ change / change.size for change in changes])


def _share(lengths, total):
    """Numbers of steps, one or more for each length, of that sum and so that the longest step is as short as can be."""
    counts = np.ones(len(lengths), int)
    for _ in range(total - len(lengths)):
        counts[np.argmax(lengths / counts)] += 1
    return counts


def _spread(before, length, after, count):
    """Where the frames between two waypoints go, 0 to 1, excluding both: at equal parts of the way that has been covered,
    which grows monotonously (cubic, with the slopes of Fritsch and Butland 1984) and smoothly from one interval to the next."""
    places = np.linspace(0, 1, 65)
    first, last = (2 * length * other / (length + other) for other in (before, after))
    covered = length * (3 - 2 * places) * places**2 + (first * (1 - places) - last * places) * places * (1 - places)
    return np.interp(np.arange(1, count) * length / count, covered, places)
