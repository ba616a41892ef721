"""Better faces of a trained generator: a judge that tells generated faces from real pictures keeps the better ones of many, or
refines latents until their faces have no part that pictures do not have."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ganime.bounds import check_whole
from ganime.errors import InputError
from ganime.generation.beside import load_beside, save_beside
from ganime.generation.latents import check_latents
from ganime.generation.numpy_generator import NOT_FINITE
from ganime.generation.refining import distances_at, mover
from ganime.generation.sampling import find_generator, paint

if TYPE_CHECKING:
    import keras

NETWORK, DIMENSIONS = "lite0", 1280  # whose features are looked at
PLACES, CHANNELS = 25, 112  # of its features in the middle of a picture
DRAWN = 4000  # generated faces that a judge is made with
LEAST, REAL = 100, 10_000  # pictures
RIDGE = 1.0  # weight of the penalty on squared weights, for features of unit deviation
SPREAD = 0.1  # part of the mean variance of a place's channels that is added to each, so that a few pictures are enough
PARTS = 1.0  # how much the places count: deviations of their distance, in those of the ratio
WHOLE = 0.2  # part of the generator's faces that count as whole
STEPS = 40  # moves of a latent, at most
FIRST_STEP = 0.1  # radians of the first; they shrink to none
FIRST_RATIO = 1.0  # how much the ratio counts in it: less makes refined faces more of one kind, more leaves some broken
FIRST_SEED = 2**31  # of these: others than whoever counts from 0 lets it judge
AMONG = 4  # faces that are drawn for each one that is kept
_BATCH = 64
_MOVING = 16  # latents that are refined at a time
_SHAPES = {"weights": (DIMENSIONS,), "means": (PLACES, CHANNELS), "axes": (PLACES, CHANNELS, CHANNELS), "whole": ()}


class Judge:
    """How real faces of a generator look, by the features of EfficientNet-Lite0.

    Two things count: how much more often such a face is a picture than one of the generator's, and whether its parts look like
    those of pictures. The first is the logarithm of the ratio of both densities, by which discriminator rejection sampling
    keeps faces (Azadi et al. 2019, https://arxiv.org/abs/1810.06758), from a logistic regression between features instead of a
    GAN's own discriminator. It brings what the generator draws too seldom, and sees no difference between whole faces and
    broken ones. The second does: the Mahalanobis distance from what pictures have at the same place, summed over 25 places
    in their middle (PaDiM, Defard et al. 2020, https://arxiv.org/abs/2011.08785).

    Args:
        weights: float [1280], of the features in the logarithm.
        means: float [25, 112], the pictures' features at each place.
        axes: float [25, 112, 112]: at each place the products of pictures with these have equal variances.
        whole: The distance up to which a face counts as whole, as a fifth of the generator's are.

    Example:
        >>> import ganime
        >>> generator, judge = ganime.load_generator(), ganime.Judge.load()
        >>> points = ganime.from_seeds(range(8), 128)
        >>> faces = ganime.paint(generator, points[judge.best(generator, points, 2)])
    """

    def __init__(self, weights: np.ndarray, means: np.ndarray, axes: np.ndarray, whole: float):
        arrays = (np.asarray(array, np.float32) for array in (weights, means, axes, whole))
        self.weights, self.means, self.axes, self.whole = arrays
        self._extractor = None

    @classmethod
    def between(cls, real: dict[str, np.ndarray], generated: dict[str, np.ndarray]) -> "Judge":
        """The judge that knows these pictures and these faces, each as "features", float [count, dimensions], and "places",
        float [count, places, channels].

        Raises:
            InputError: If there are fewer than 100 pictures or faces.
        """
        counts = len(real["features"]), len(generated["features"])
        if min(counts) < LEAST:
            raise InputError(f"{counts[0]:,} pictures and {counts[1]:,} faces are too few for a judge: {LEAST} each are needed")
        weights, (means, axes) = _tell_apart(real["features"], generated["features"]), _know_places(real["places"])
        ratio, distances = generated["features"] @ weights, distances_at(generated["places"], means, axes).numpy()
        scale = PARTS / (distances.std() + 1e-9)
        return cls(weights / (ratio.std() + 1e-9), means, axes * np.sqrt(scale), scale * np.quantile(distances, WHOLE))

    @classmethod
    def train(
        cls, generator: "keras.Model", pictures, report: Callable[[int, int], None] = lambda done, total: None
    ) -> "Judge":
        """Make the judge of a generator, in a minute or two.

        Args:
            generator: Model from latents to square images in [-1, 1].
            pictures: Real ones: what it was trained on, as `ganime.fit` takes them; 10,000 at most are looked at.
            report: Called with the numbers of pictures done and to do.

        Raises:
            InputError: If there are fewer than 100 pictures.
        """
        from ganime.data.joined import as_pictures
        from ganime.data.split import Selection
        from ganime.metrics.evaluation import GeneratedPictures
        from ganime.metrics.features import FeatureExtractor

        pictures = as_pictures(pictures)
        if len(pictures) < LEAST:
            raise InputError(f"{len(pictures):,} pictures are too few for a judge: {LEAST} are needed")
        extractor = FeatureExtractor(NETWORK)
        made, size = GeneratedPictures(generator, DRAWN, FIRST_SEED), generator.output_shape[1]
        if len(pictures) > REAL:
            pictures = Selection(pictures, np.linspace(0, len(pictures) - 1, REAL).round().astype(int))
        count, total = len(pictures), len(pictures) + DRAWN
        real = extractor.extract(pictures, size, lambda done, _: report(done, total), also=["places"])
        generated = extractor.extract(made, size, lambda done, _: report(count + done, total), also=["places"])
        judge = cls.between(real, generated)
        judge._extractor = extractor
        return judge

    def score(self, images: np.ndarray) -> np.ndarray:
        """How real faces are, uint8 [count, size, size, 3], in comparison with each other: float32 [count].

        Raises:
            InputError: If it is another array.
        """
        if images.dtype != np.uint8 or images.ndim != 4:
            raise InputError(f"faces are uint8 [count, size, size, 3], not {images.dtype} {list(images.shape)}")
        seen = self._features(images)
        return seen["features"] @ self.weights - distances_at(seen["places"], self.means, self.axes).numpy()

    @property
    def _features(self):
        from ganime.metrics.features import FeatureExtractor

        self._extractor = self._extractor or FeatureExtractor(NETWORK)
        return self._extractor

    def best(
        self,
        generator: "keras.Model",
        latents: np.ndarray,
        count: int,
        report: Callable[[int, int], None] = lambda done, total: None,
    ) -> np.ndarray:
        """Which latents make the most real faces.

        Args:
            generator: Model from latents to square images in [-1, 1].
            latents: float32 [candidates, latent_size].
            count: How many to keep.
            report: Called with the numbers of faces looked at and to look at.

        Returns:
            Their indices, in the order of the latents.

        Raises:
            InputError: If there are fewer latents.
        """
        check_whole(1, len(latents), count=count)
        scores = []
        for start in range(0, len(latents), _BATCH):
            scores.append(self.score(paint(generator, latents[start : start + _BATCH])))
            report(min(start + _BATCH, len(latents)), len(latents))
        return np.sort(np.argsort(-np.concatenate(scores), kind="stable")[:count])

    def refine(
        self,
        generator: "keras.Model",
        latents: np.ndarray,
        report: Callable[[int, int], None] = lambda done, total: None,
    ) -> np.ndarray:
        """Move latents until their faces are whole, or as whole as they become; those of whole faces stay.

        Each goes along the gradient of the ratio's logarithm, by a weight that falls from 1 to 0, less the distance, on the
        sphere about the origin on which it lies, since that is how long latents are. There are 40 steps at most, the first of
        0.1 radians: what changes is what is broken, and most of a face is that of its seed. After discriminator gradient flow
        (Ansari et al. 2021, https://arxiv.org/abs/2012.00780), without noise, and no farther than needed: where the gradient is
        followed on, faces become alike.

        Args:
            generator: Keras model from latents to square images in [-1, 1].
            latents: float32 [count, latent_size]; weights of labels stay.
            report: Called with the numbers of latents done and to do.

        Returns:
            float32 [count, latent_size], each by itself: the same whatever others there are. Steps enlarge differences, so
            that on processors that round otherwise many are others.

        Raises:
            InputError: If the latents are of another shape, a number is not finite, of them or of the images, or these do not
                change with them in a way that has a gradient.
        """
        refined = check_latents(latents, generator.input_shape[-1]).copy()
        move = mover(generator, self._features.model, self.weights, self.means, self.axes)
        total = len(refined)
        # Always as many at a time: what becomes of a latent is rounded alike, whatever others there are.
        rows, steps, least = np.arange(_MOVING), np.zeros(_MOVING), np.full(_MOVING, np.inf)
        here = np.resize(refined, (_MOVING, refined.shape[1]))
        while (moving := rows < total).any():
            left = 1 - steps / STEPS
            found = move(here, FIRST_STEP * left, FIRST_RATIO * left**3)
            moved, distances, finite = (np.array(array) for array in found)
            if not finite:
                raise InputError(NOT_FINITE)
            better = moving & (distances < least)
            refined[rows[better]] = here[better]
            here, steps, least = moved, steps + 1, np.minimum(least, distances)
            for place in np.flatnonzero((distances <= self.whole) | (steps == STEPS)):
                rows[place] = rows.max() + 1
                here[place], steps[place], least[place] = refined[rows[place] % total], 0, np.inf
            report(min(rows.max() + 1, total) - np.count_nonzero(rows < total), total)
        return refined

    @classmethod
    def load(cls, path: str | os.PathLike | None = None) -> "Judge":
        """Load the judge that was saved for a generator.

        Args:
            path: The generator's `.keras` file, beside which it lies; that which ships with ganime by default.

        Raises:
            InputError: If there is none, it is damaged, or the generator has changed since.
        """
        path = find_generator(path)
        advice = "generate makes one with --data PICTURES, what it was trained on"
        return cls(**load_beside(path, judge_path(path), _SHAPES, _check, "there is no judge", advice))

    def save(self, path: str | os.PathLike | None = None) -> Path:
        """Save it beside its generator's `.keras` file, whole or not at all, and return where."""
        path = find_generator(path)
        return save_beside(path, judge_path(path), {name: getattr(self, name) for name in _SHAPES})


def judge_path(path: str | os.PathLike) -> Path:
    """Where the judge of the generator in a `.keras` file lies."""
    return Path(path).with_suffix(".judge.npz")


def _tell_apart(real, generated):
    """Weights of the features in the logarithm of how much likelier real they are than generated: logistic regression with a
    penalty on large weights, by Newton's method."""
    features = np.concatenate([real, generated]).astype(np.float64)
    deviations = features.std(0) + 1e-6
    x = np.c_[(features - features.mean(0)) / deviations, np.ones(len(features))]
    truth = np.arange(len(x)) < len(real)
    ridge = RIDGE * (np.arange(x.shape[1]) < x.shape[1] - 1) + 1e-9  # next to none on the constant
    solution = np.zeros(x.shape[1])
    for _ in range(20):  # five or six are enough
        likely = 1 / (1 + np.exp(-x @ solution))
        slope = x.T @ (likely - truth) / len(x) + ridge * solution
        curvature = (x * (likely * (1 - likely))[:, None]).T @ x / len(x) + np.diag(ridge)
        change = np.linalg.solve(curvature, slope)
        solution -= change
        if np.abs(change).max() < 1e-8:
            break
    return solution[:-1] / deviations


def _know_places(places):
    """Of each place the mean, and the axes along which the variance is 1, but for `SPREAD`."""
    means = places.mean(0, dtype=np.float64)
    covariances = np.stack([np.cov(place, rowvar=False) for place in places.transpose(1, 0, 2)])
    spread = SPREAD * np.trace(covariances, axis1=1, axis2=2) / places.shape[2] + 1e-9
    return means, np.linalg.cholesky(np.linalg.inv(covariances + spread[:, None, None] * np.eye(places.shape[2])))


def _check(arrays):
    for name, shape in _SHAPES.items():
        if (arrays[name].dtype, arrays[name].shape) != (np.float32, shape) or not np.isfinite(arrays[name]).all():
            raise ValueError
