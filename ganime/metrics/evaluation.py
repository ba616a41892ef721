"""Scoring a generator, or anybody's pictures, against real pictures."""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from ganime.data.caching import cached
from ganime.errors import InputError
from ganime.generation.sampling import sample
from ganime.labels import labels_of
from ganime.metrics import distances
from ganime.metrics.by_label import label_numbers, spread_labels
from ganime.metrics.features import FeatureExtractor
from ganime.pictures.grids import make_grid

NEIGHBORS_AMONG = 10_000  # pictures of each kind, at most, for scores by nearest neighbors; the time grows as the square

Report = Callable[[int, int], None]


class GeneratedPictures:
    """A generator's faces as a set of pictures.

    Args:
        generator: Model from latents to square images in [-1, 1].
        count: Number of pictures.
        seed: The faces are those of the seeds `seed` to `seed + count - 1`.
        truncation: 0 to 1 (see `ganime.from_seeds`).
        like: Real pictures with labels, of which those of the faces have the shares; by default the faces of a generator with
            labels take them in turn.

    Attributes:
        numbers: Of each face's label, int [count]; None if there are none.

    Raises:
        InputError: If the generator's images are not square, or a seed would be 2**32 or more, or it lacks a label of these
            pictures.
    """

    def __init__(self, generator: keras.Model, count: int, seed: int = 0, truncation: float = 1.0, like=None):
        _, height, self.size, _ = generator.output_shape
        if height != self.size or not height:
            raise InputError(f"the generator's images are {self.size}x{height}; only square ones of one size can be scored")
        if seed + count > 2**32:
            raise InputError(f"seeds {seed} to {seed + count - 1} are not all below 2**32")
        self.generator, self.count, self.seed, self.truncation = generator, count, seed, truncation
        self.labels = labels_of(generator)
        self.numbers = spread_labels(count, len(self.labels), label_numbers(like, self.labels)) if self.labels else None

    def __len__(self):
        return self.count

    def __repr__(self):
        return f"<GeneratedPictures: {self.count:,} faces of {self.size}x{self.size}>"

    def load_batch(self, indices: Sequence[int], size: int) -> np.ndarray:
        """The faces of these indices: uint8 [count, size, size, 3], RGB; the size is the generator's own."""
        if size != self.size:
            raise InputError(f"the generator makes {self.size}x{self.size}, not {size}x{size}")
        labels = [self.labels[number] for number in self.numbers[indices]] if self.labels else None
        return sample(self.generator, [self.seed + index for index in indices], self.truncation, labels=labels)


def reference_features(
    pictures, size: int, extractor: FeatureExtractor, report: Report = lambda done, total: None
) -> np.ndarray:
    """Features of all real pictures, float32 [pictures, dimensions]; kept in the user's cache by the data's fingerprint.

    Args:
        pictures: `PictureFolder`, `PackedPictures`, `DrawnFaces` or a `Selection` of them.
        size: Side in pixels at which they are compared.
        extractor: The feature network.
        report: Called with the numbers of pictures done and to do.
    """

    def extract():
        return extractor.extract(pictures, size, report)["features"]

    shape = len(pictures), extractor.model.output["features"].shape[-1]
    return cached(f"features-{extractor.name}", pictures, size, extractor.identity, extract, shape, np.float32)


def check_enough(reference, samples: int) -> None:
    """See that there are enough pictures to be scored.

    Args:
        reference: The real ones.
        samples: Number of the others.

    Raises:
        InputError: If not.
    """
    for count, kind in ((len(reference), "real"), (samples, "scored")):
        if count < distances.LEAST:
            raise InputError(f"{count} {kind} pictures are too few: {distances.LEAST} are needed")


def score_names(extractor: FeatureExtractor) -> list[str]:
    """The names of all scores by a network; no two networks have one in common."""
    network = extractor.network
    names = [network.frechet, network.kernel, f"{network.kernel}-deviation"]
    names += ["IS", "IS-deviation"] if extractor.inception_score else []
    return names + [f"{name}-{extractor.name}" for name in distances.NEIGHBOR_SCORES]


def score(
    reference: np.ndarray, generated: dict[str, np.ndarray], extractor: FeatureExtractor, seed: int = 0
) -> dict[str, float]:
    """All scores of pictures against a reference, by their names.

    Args:
        reference: Features of real pictures.
        generated: Features and logits of the pictures to score.
        extractor: What they were made with.
        seed: Seed of the subsets.

    Raises:
        InputError: If there are too few pictures.
    """
    features = generated["features"]
    values = [distances.frechet_distance(reference, features), *distances.kernel_distance(reference, features, seed=seed)]
    if extractor.inception_score:
        values += distances.inception_score(generated["logits"], seed=seed)
    rng = np.random.RandomState(seed)
    few = [f if len(f) <= NEIGHBORS_AMONG else f[rng.choice(len(f), NEIGHBORS_AMONG, False)] for f in (reference, features)]
    values += distances.neighbor_scores(*few).values()
    return dict(zip(score_names(extractor), values, strict=True))


def describe_scores(scores: dict[str, float]) -> dict[str, str]:
    """Each score in words, with its deviation if it has one.

    Example:
        >>> describe_scores({"FID": 12.3456, "KID": 0.01, "KID-deviation": 0.001})
        {'FID': '12.35', 'KID': '0.01 +/- 0.001'}
    """

    def describe(name):
        deviation = scores.get(f"{name}-deviation")
        return f"{scores[name]:.4g}" + (f" +/- {deviation:.2g}" if deviation is not None else "")

    return {name: describe(name) for name in scores if not name.endswith("-deviation")}


def evaluate(
    pictures,
    reference,
    extractor: FeatureExtractor,
    size: int,
    seed: int = 0,
    report: Report = lambda done, total: None,
) -> dict[str, float]:
    """Score pictures against real ones.

    Args:
        pictures: `GeneratedPictures`, or other ones to score.
        reference: Real pictures: `PictureFolder`, `PackedPictures`, `DrawnFaces` or a `Selection` of them.
        extractor: The feature network.
        size: Side in pixels at which they are compared.
        seed: Seed of the subsets.
        report: Called with the numbers of pictures done and to do, first for the real ones, then for the others.

    Raises:
        InputError: If there are too few pictures.
    """
    real = reference_features(reference, size, extractor, report)
    return score(real, extractor.extract(pictures, size, report), extractor, seed)


def nearest_pictures(
    pictures, features: np.ndarray, reference, reference_features: np.ndarray, size: int, rows: int = 12, columns: int = 5
) -> np.ndarray:
    """A picture by which a person sees whether a generator copies: those of its faces that are nearest to any real picture,
    each in a row with its nearest real ones.

    Args:
        pictures, features: The generated pictures and their features.
        reference, reference_features: The real pictures, those that it was trained on, and their features.
        size: Side of the pictures in pixels.
        rows: Number of generated faces.
        columns: Number of real ones beside each.

    Returns:
        uint8 [height, width, 3]: the generated faces are the first column, nearest first.
    """
    indices, gaps = distances.nearest_neighbors(features, reference_features, columns)
    closest = np.argsort(gaps[:, 0], kind="stable")[:rows]
    shown = []
    for index in closest:
        shown += [pictures.load_batch([int(index)], size), reference.load_batch(indices[index].tolist(), size)]
    return make_grid(np.concatenate(shown), columns=indices.shape[1] + 1)
