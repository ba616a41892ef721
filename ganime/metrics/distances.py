"""How far apart, how good and how varied: what two sets of pictures' features say (NumPy, no TensorFlow).

Features are float [pictures, dimensions] throughout, and everything is computed in double precision.
"""

import numpy as np

from ganime.errors import InputError

BLOCK = 1000  # rows of distances held at a time
SUBSET = 1000  # pictures in a subset of the kernel distance, at most
MANIFOLD = 3  # nearest neighbors that span the manifold in precision and recall, as in Kynkäänniemi et al. 2019
DENSITY = 5  # and in density and coverage, as in Naeem et al. 2020
LEAST = 10  # pictures that can be scored: the Inception Score has as many parts
NEIGHBOR_SCORES = ("precision", "recall", "density", "coverage", "authenticity")


def frechet_distance(real: np.ndarray, generated: np.ndarray) -> float:
    """The Fréchet distance of two normal distributions with the features' means and covariances.

    Of the Inception network's features this is the Fréchet Inception Distance (Heusel et al. 2017). The trace of the square
    root of the covariances' product is the sum of the singular values of `A @ B.T`, where `A.T @ A` and `B.T @ B` are the
    covariances; so there is no square root of a matrix that could become complex, however few pictures there are.

    Returns:
        0 or more. Few pictures make it too large: compare only scores from equal numbers.

    Raises:
        InputError: If there are fewer than two pictures.
    """
    a, b = _factor(real), _factor(generated)
    shift = np.square(np.mean(real, 0, np.float64) - np.mean(generated, 0, np.float64)).sum()
    overlap = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    spread = np.square(a).sum() + np.square(b).sum() - 2 * overlap
    return float(shift + max(spread, 0.0))  # below zero by rounding alone, a part in 1e12 of the covariances


def kernel_distance(
    real: np.ndarray, generated: np.ndarray, subset_size: int | None = None, subsets: int = 100, seed: int = 0
) -> tuple[float, float]:
    """The squared maximum mean discrepancy under a cubic kernel: of the Inception network's features the Kernel Inception
    Distance (Bińkowski et al. 2018).

    Unlike the Fréchet distance it is unbiased: few pictures make it less certain, not larger. It can be below zero.

    Args:
        real, generated: Features.
        subset_size: Pictures in a random subset of each; by default 1,000, or half of the smaller set if it has less than
            2,000, so that subsets differ.
        subsets: Number of subsets.
        seed: Seed of the subsets.

    Returns:
        Mean and standard deviation over the subsets.

    Raises:
        InputError: If there are fewer than four pictures, or than in a subset.
    """
    size = subset_size or min(SUBSET, len(real) // 2, len(generated) // 2)
    for features in (real, generated):
        _check_count(features, max(size, 4))
    rng = np.random.RandomState(seed)  # frozen: the same subsets with every NumPy
    real, generated = np.asarray(real, np.float64), np.asarray(generated, np.float64)
    values = []
    for _ in range(subsets):
        chosen = [rng.choice(len(features), size, replace=False) for features in (real, generated)]
        values.append(_squared_discrepancy(real[chosen[0]], generated[chosen[1]]))
    return float(np.mean(values)), float(np.std(values))


def neighbor_scores(real: np.ndarray, generated: np.ndarray) -> dict[str, float]:
    """What nearest neighbors say, apart from each other, about quality, variety and copying.

    Returns:
        `precision`: the share of generated pictures that lie within the real ones' manifold, the balls around each that
        reach to its third nearest other (Kynkäänniemi et al. 2019). `recall`: the share of real ones within the generated
        ones'. `density`: how many of the real pictures' balls (to the fifth) hold a generated picture, over 5, and
        `coverage`: the share of these balls that hold one (Naeem et al. 2020). `authenticity`: the share of generated
        pictures whose nearest real one is nearer to another real one than to it (Alaa et al. 2022); copies have 0.

    Raises:
        InputError: If there are not more than five pictures.
    """
    for features in (real, generated):
        _check_count(features, DENSITY + 1)
    real_radii = _nearest_others(real)
    generated_radii = _nearest_others(generated)[:, MANIFOLD - 1]
    rows = {name: [] for name in NEIGHBOR_SCORES}
    for distances in _distances(generated, real):  # a row for each generated picture
        rows["precision"].append((distances <= real_radii[:, MANIFOLD - 1]).any(1))
        rows["density"].append((distances <= real_radii[:, DENSITY - 1]).sum(1) / DENSITY)
        rows["authenticity"].append(distances.min(1) > real_radii[distances.argmin(1), 0])
    radii = iter(np.split(real_radii[:, DENSITY - 1], range(BLOCK, len(real), BLOCK)))
    for distances in _distances(real, generated):
        rows["recall"].append((distances <= generated_radii).any(1))
        rows["coverage"].append(distances.min(1) <= next(radii))
    return {name: float(np.concatenate(parts).mean()) for name, parts in rows.items()}


def nearest_neighbors(features: np.ndarray, among: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of other features to each.

    Returns:
        Indices into `among` and Euclidean distances, both [pictures, count], nearest first.
    """
    indices = np.concatenate([np.argpartition(d, range(count), axis=1)[:, :count] for d in _distances(features, among)])
    gaps = [np.linalg.norm(np.subtract(x, among[i], dtype=np.float64), axis=1) for x, i in zip(features, indices, strict=True)]
    return indices, np.array(gaps)


def inception_score(logits: np.ndarray, splits: int = 10, seed: int = 0) -> tuple[float, float]:
    """The Inception Score (Salimans et al. 2016): how sure the network is of each picture's class, and how varied these are.

    Args:
        logits: Float [pictures, classes].
        splits: Parts, shuffled, that are scored each for itself.
        seed: Seed of the shuffling.

    Returns:
        Mean and standard deviation over the parts; from 1 to the number of classes.

    Raises:
        InputError: If there are fewer pictures than parts.
    """
    _check_count(logits, splits)
    logits = np.random.RandomState(seed).permutation(np.asarray(logits, np.float64))
    log_chances = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    scores = []
    for part in np.split(log_chances, [len(logits) * i // splits for i in range(1, splits)]):
        overall = np.logaddexp.reduce(part, axis=0) - np.log(len(part))
        scores.append(np.exp((np.exp(part) * (part - overall)).sum(1).mean()))
    return float(np.mean(scores)), float(np.std(scores))


def _check_count(features, least=2):
    if len(features) < least:
        raise InputError(f"{len(features)} pictures are too few to be scored: {least} are needed")


def _factor(features):
    """A with A.T @ A = covariance, of as few rows as it takes; in parts, so that there is no copy of all features."""
    _check_count(features)
    mean, factor = np.mean(features, 0, np.float64), np.empty((0, features.shape[1]))
    for start in range(0, len(features), 8 * BLOCK):
        factor = np.linalg.qr(np.vstack([factor, features[start : start + 8 * BLOCK] - mean]), mode="r")
    return factor / np.sqrt(len(features) - 1)


def _squared_discrepancy(x, y):
    """The unbiased estimate of the squared maximum mean discrepancy under the kernel (x·y / dimensions + 1)³."""

    def kernel(a, b):
        base = a @ b.T / a.shape[1] + 1
        return base * base * base  # three times as fast as a power

    def mean_of_pairs(a):
        products = kernel(a, a)
        return (products.sum() - np.trace(products)) / (len(a) * (len(a) - 1))

    return mean_of_pairs(x) + mean_of_pairs(y) - 2 * kernel(x, y).mean()


def _distances(features, among):
    """Squared distances in blocks of rows."""
    features, among = np.asarray(features, np.float64), np.asarray(among, np.float64)
    norms = np.square(among).sum(1)
    for start in range(0, len(features), BLOCK):
        block = features[start : start + BLOCK]
        yield np.maximum(np.square(block).sum(1, keepdims=True) + norms - 2 * block @ among.T, 0)


def _nearest_others(features):
    """Squared distances to the nearest `DENSITY` others, [pictures, DENSITY], in ascending order."""
    found = []
    for number, distances in enumerate(_distances(features, features)):
        rows = np.arange(len(distances))
        distances[rows, rows + number * BLOCK] = np.inf  # a picture is not its own neighbor
        found.append(np.sort(np.partition(distances, DENSITY - 1, axis=1)[:, :DENSITY], axis=1))
    return np.concatenate(found)
