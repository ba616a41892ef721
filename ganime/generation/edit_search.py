"""Finding the edits of a generator, without labels.

1. Regression of the attributes on normal latents gives each one's mean gradient (Stein's lemma). The dual basis of these leads
   where one attribute changes and, to first order, no other.
2. Exact gradients at some faces say how much that differs from face to face. Directions that also vary little do the right
   thing for more faces, but change some of them less; each end of each edit takes the farthest that is right for nearly all.
3. Rounds of trial run both ends of every edit, two deviations either way, and take away what else they change in the mean.
4. What does not do what its name says, on other faces, is left out.

Principal components of the first layers (Härkönen et al. 2020) and the first layer's closed form (Shen and Zhou 2021) were
compared by the same numbers; docs/generation.md has them.
"""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from ganime.errors import InputError
from ganime.generation.attributes import ATTRIBUTES, KEPT, measure
from ganime.generation.latents import from_seeds, shift
from ganime.generation.numpy_generator import NOT_FINITE
from ganime.labels import labels_of, list_labels
from ganime.networks.transposed import quick_network

STRENGTH = 2.0  # deviations, at which all is tried
SAMPLES = 24000  # faces of the regression
GRADIENTS = 2880  # faces whose exact gradients are taken
RIDGES = (5.0, 1.5, 0.7)  # beside the gradients' variance, the plainest direction first; less makes moves that replace a face
TRIALS = 256  # faces on which ends are tried
NEARLY_ALL = 0.99  # of them
FARTHEST = 3.0  # deviations that an end may go on the average
STEPS = (0.8, 0.8, 0.5, 0.4)  # of the rounds that take away what else changes
ROUND = 192  # faces of a round
CHECKED = 1000  # faces on which all is checked at last
# What an edit must reach there to be offered: a little more than 97 % and a fifth, which it is to reach on any faces.
LEAST_RIGHT, MOST_SPILL = 0.973, 0.195
BATCH = 32


def find_edits(
    generator: keras.Model, report: Callable[[int, int], None]
) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The edits of a generator that do what their names say, as the attributes of `ganime.Edits`.

    Args:
        generator: Model from latents to square images in [-1, 1].
        report: Called with the numbers of steps done and to do.

    Raises:
        InputError: If the images are not square, or not finite.
    """
    faces = Faces(generator)
    draw = drawer(faces.latent_size)
    total = 3 + len(STEPS) + 1
    ends, deviations = search(faces, draw, lambda done: report(done, total))
    right, spill = judge(faces, ends, draw(CHECKED), deviations)
    report(total, total)
    good = (right >= LEAST_RIGHT) & (spill <= MOST_SPILL) & ~np.isin([*ATTRIBUTES], KEPT)
    upper, lower = (ends[sign][good].astype(np.float32) for sign in (1, -1))
    names = [name for name, offered in zip(ATTRIBUTES, good, strict=True) if offered]
    directions, bends = (upper - lower) / (2 * STRENGTH), (upper + lower) / (2 * STRENGTH**2)
    return names, directions, bends, right[good].astype(np.float32), spill[good].astype(np.float32)


def search(faces: "Faces", draw: Callable[[int], np.ndarray], report: Callable[[int], None]):
    """The edits of all attributes, whether or not they do what their names say.

    Args:
        faces: The generator.
        draw: Draws that many new latents.
        report: Called with the number of steps done, of 3 and as many as `STEPS`.

    Returns:
        For 1 and -1 the moves of two deviations, [attributes, latent_size], and the attributes' standard deviations.
    """
    gradient, deviations = regress(faces, draw(SAMPLES))
    report(1)
    jacobians = faces.gradients(draw(GRADIENTS)) / deviations[:, None]
    report(2)
    ends = _choose_ends(faces, gradient, jacobians, draw(TRIALS))
    report(3)
    basis = _steady(gradient, jacobians, RIDGES[0])
    for i, step in enumerate(STEPS, 4):
        ends = _take_away(faces, ends, draw(ROUND), deviations, basis, step)
        report(i)
    return ends, deviations


def judge(faces: "Faces", ends: dict[int, np.ndarray], latents: np.ndarray, deviations: np.ndarray):
    """How well edits do what their names say.

    Args:
        faces: The generator.
        ends: For 1 and -1, the moves of all attributes' edits, [attributes, latent_size].
        latents: Faces to try them on, [count, latent_size].
        deviations: The attributes' standard deviations.

    Returns:
        For each attribute the share of faces changed the right way, and the largest mean change of another attribute over that
        of its own, in deviations; both of the worse end.
    """
    before, count = faces.attributes(latents), len(deviations)
    right, spill = np.ones(count), np.zeros(count)
    for sign, moves in ends.items():
        for i, move in enumerate(moves):
            changes = (faces.attributes(shift(latents, move)) - before) / deviations
            right[i] = min(right[i], (sign * changes[:, i] > 0).mean())
            means = np.abs(changes.mean(0))
            spill[i] = max(spill[i], np.delete(means, i).max() / max(means[i], 1e-9))
    return right, spill


class Faces:
    """A generator's faces as numbers: their attributes, of 8-bit pictures, and the gradients of these."""

    def __init__(self, generator):
        _, height, width, _ = generator.output_shape
        if height != width:
            raise InputError(f"the generator's images are {width}x{height}; edits are of square ones")
        if labels := labels_of(generator):
            raise InputError(f"edits are found for generators without labels; this one has {list_labels(labels)}")
        self.latent_size = generator.input_shape[-1]
        network = quick_network(generator)
        signature = [tf.TensorSpec([None, self.latent_size])]

        def make(latents):
            return (tf.cast(network(latents, training=False), tf.float32) + 1.0) / 2.0

        @tf.function(input_signature=signature)
        def attributes(latents):
            return measure(tf.round(tf.clip_by_value(make(latents), 0.0, 1.0) * 255.0) / 255.0)

        @tf.function(input_signature=signature)
        def gradients(latents):
            with tf.GradientTape(persistent=True) as tape:
                tape.watch(latents)
                values = tf.unstack(measure(make(latents)), axis=1)
            return tf.stack([tape.gradient(value, latents) for value in values], axis=1)

        self._attributes, self._gradients = attributes, gradients

    def attributes(self, latents):
        """float32 [count, attributes]."""
        values = np.concatenate([self._attributes(latents[i : i + BATCH]) for i in range(0, len(latents), BATCH)])
        if not np.isfinite(values).all():
            raise InputError(NOT_FINITE)
        return values

    def gradients(self, latents):
        """float32 [count, attributes, latent_size]."""
        return np.concatenate([self._gradients(latents[i : i + BATCH]) for i in range(0, len(latents), BATCH)])


def drawer(latent_size):
    """A function that draws that many latents, new ones at each call and always the same."""
    seed = 2**31  # far from those that people look at

    def draw(count):
        nonlocal seed
        seed += count
        return from_seeds(range(seed - count, seed), latent_size)

    return draw


def regress(faces, latents):
    """The attributes' mean gradients, in deviations, [attributes, latent_size], and their standard deviations."""
    values = faces.attributes(latents)
    deviations = np.maximum(values.std(0), 1e-6)
    standardized = (values - values.mean(0)) / deviations
    inputs = np.concatenate([latents, np.ones((len(latents), 1), np.float32)], axis=1)
    return np.linalg.lstsq(inputs, standardized, rcond=None)[0][:-1].T, deviations


def _choose_ends(faces, gradient, jacobians, latents):
    """For both ways each attribute's move: of those that are right for nearly all faces the one that goes farthest; where there
    are none, the surest, whose change is greatest in its own deviations."""
    before = faces.attributes(latents)
    moves = np.stack([_steady(gradient, jacobians, ridge) for ridge in RIDGES], axis=1)  # [attributes, ridges, latent_size]
    ends = {1: np.empty_like(gradient), -1: np.empty_like(gradient)}
    for sign, chosen in ends.items():
        for i, tried in enumerate(sign * STRENGTH * moves):
            changes = sign * np.stack([(faces.attributes(shift(latents, move)) - before)[:, i] for move in tried])
            means, right = changes.mean(1), (changes > 0).mean(1) >= NEARLY_ALL
            surety = means / np.maximum(changes.std(1), 1e-9)
            chosen[i] = tried[np.argmax(np.where(right, means, -np.inf) if right.any() else surety)]
    return ends


def _steady(gradient, jacobians, ridge):
    """For each attribute the direction that changes it by one deviation, no other in the mean, and differs least from face to
    face: [attributes, latent_size]."""
    size, directions = gradient.shape[1], []
    for i in range(len(gradient)):
        variance = np.cov(jacobians[:, i].T)
        inverse = np.linalg.inv(variance * (size / max(np.trace(variance), 1e-12)) + ridge * np.eye(size))
        directions.append((inverse @ gradient.T @ np.linalg.pinv(gradient @ inverse @ gradient.T))[:, i])
    return np.stack(directions)


def _take_away(faces, ends, latents, deviations, basis, step):
    """Both ends, with the mean changes of other attributes subtracted, and of their own where it is too large."""
    before, own = faces.attributes(latents), np.arange(len(deviations))
    better = {}
    for sign, moves in ends.items():
        changes = np.stack([((faces.attributes(shift(latents, move)) - before) / deviations).mean(0) for move in moves])
        wanted = -changes
        wanted[own, own] = sign * np.minimum(FARTHEST - sign * changes[own, own], 0)
        better[sign] = moves + step * np.clip(wanted, -1, 1) @ basis
    return better
