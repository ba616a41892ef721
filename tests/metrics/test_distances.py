"""Against the public implementations, whose outputs `peers/distances.py` stored, and against known values."""

import json

import numpy as np
import pytest

from ganime.errors import InputError
from ganime.metrics import distances
from tests.metrics.peers.distances import SEED, STORED, random_features, random_logits

PEERS = json.loads(STORED.read_text())
SCORES = PEERS.pop("inception score")


def normal(seed, count, size=8, mean=0.0, deviation=1.0):
    return np.random.default_rng(seed).normal(mean, deviation, (count, size))


def test_frechet_distance_of_known_moments():
    """Of two Gaussians with diagonal covariances it is the squared distance of the means and of the deviations."""
    x = np.array([[a, b] for a in (-1.0, 1.0) for b in (-1.0, 1.0)]) * np.sqrt(3 / 4)  # variances 1
    assert distances.frechet_distance(x * [1, 2], x * [3, 5] + [1, -1]) == pytest.approx(1 + 1 + 4 + 9, rel=1e-12)


@pytest.mark.parametrize("count", [3, 40, 500])
def test_frechet_distance_of_equal_sets_is_zero_and_never_below(count):
    features = normal(0, count, 100) * 100
    value = distances.frechet_distance(features, features[::-1])
    assert 0 <= value < 1e-7
    assert distances.frechet_distance(features, features + 2) == pytest.approx(400, rel=1e-9)


def test_frechet_distance_of_parts_is_that_of_the_whole(monkeypatch):
    real, generated = normal(0, 500), normal(1, 300, mean=0.3)
    whole = distances.frechet_distance(real, generated)
    monkeypatch.setattr(distances, "BLOCK", 10)
    assert distances.frechet_distance(real, generated) == pytest.approx(whole, rel=1e-9)


def test_kernel_distance_is_unbiased():
    """Around zero for equal distributions, whatever the number of pictures."""
    values = [distances.kernel_distance(normal(seed, 20), normal(seed + 1000, 30))[0] for seed in range(200)]
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 4 * error
    assert distances.kernel_distance(normal(1, 50), normal(2, 50, mean=1))[0] > 20 * np.std(values)


def test_kernel_distance_over_subsets():
    real, generated = normal(1, 300), normal(2, 300, mean=0.5)
    whole, none = distances.kernel_distance(real, generated, subset_size=300, subsets=1)
    mean, deviation = distances.kernel_distance(real, generated, subset_size=100, subsets=200, seed=3)
    assert none == 0 and deviation > 0
    assert mean == pytest.approx(whole, abs=4 * deviation / np.sqrt(200))
    assert distances.kernel_distance(real, generated, 100, 200, seed=3) == (mean, deviation)
    assert distances.kernel_distance(real, generated[:50]) == distances.kernel_distance(real, generated[:50], 25)
    with pytest.raises(InputError, match="50 pictures are too few"):
        distances.kernel_distance(real, generated[:50], 100)


def test_neighbors_of_pictures_in_a_row(monkeypatch):
    """Counted by hand: the real ones at 0 … 9, copies of some, some near them and some far away."""
    real = np.arange(10.0)[:, None] * [1, 0]
    generated = np.array([[0, 0], [3, 0], [5.4, 0], [100, 0], [101, 0], [102, 0]])
    monkeypatch.setattr(distances, "BLOCK", 4)  # several blocks
    scores = distances.neighbor_scores(real, generated)
    assert scores["precision"] == 3 / 6
    assert scores["recall"] == 1  # the far ones' third neighbors are far enough away to cover all
    assert scores["coverage"] == 1
    assert scores["density"] == pytest.approx((4 + 7 + 7 + 0 + 0 + 0) / 6 / 5)
    assert scores["authenticity"] == 3 / 6  # not the two copies, and not 5.4, which is nearer to 5 than 4 and 6 are


def test_collapse_copies_and_noise_show():
    real, rest = normal(0, 600), normal(1, 600)
    same = distances.neighbor_scores(real, rest)
    collapsed = distances.neighbor_scores(real, normal(2, 600, deviation=0.01))
    copies = distances.neighbor_scores(real, real + 1e-6)
    noise = distances.neighbor_scores(real, normal(3, 600, deviation=3))
    assert same["precision"] > 0.8 and same["recall"] > 0.8 and same["coverage"] > 0.9 and 0.9 < same["density"] < 1.1
    assert collapsed["recall"] == 0 and collapsed["coverage"] < 0.1 and collapsed["precision"] > 0.9
    assert noise["precision"] < 0.3 and noise["density"] < 0.1
    assert copies["authenticity"] == 0 and same["authenticity"] > 0.3


def test_nearest_neighbors():
    features = np.array([[0.0], [10.0], [4.0]])
    indices, gaps = distances.nearest_neighbors(np.array([[9.0], [1.0]]), features, 2)
    assert indices.tolist() == [[1, 2], [0, 2]] and np.allclose(gaps, [[1, 5], [1, 3]])


def test_inception_score_is_the_number_of_classes_told_apart():
    certain = 50 * np.eye(10)[np.arange(1000) % 10]
    assert distances.inception_score(certain, splits=1)[0] == pytest.approx(10, rel=1e-6)
    assert distances.inception_score(np.zeros((1000, 10))) == pytest.approx((1, 0))


@pytest.mark.parametrize("function", [distances.frechet_distance, distances.kernel_distance, distances.neighbor_scores])
def test_too_few_pictures(function):
    with pytest.raises(InputError, match="too few"):
        function(normal(0, 100), normal(1, 1))


@pytest.mark.parametrize("case", PEERS)
def test_against_public_implementations(case, monkeypatch):
    real, fake = random_features()[case]
    peers = PEERS[case]
    for peer in ("torch-fidelity", "pytorch-fid"):  # with few, their square root of a singular matrix is good to 2e-8 only
        assert distances.frechet_distance(real, fake) == pytest.approx(peers[f"frechet {peer}"], rel=1e-7)
    if "kernel torch-fidelity" in peers:
        assert distances.kernel_distance(real, fake, len(real), 1)[0] == pytest.approx(peers["kernel torch-fidelity"], rel=1e-9)
    subsets = distances.kernel_distance(real, fake, 30, 10, SEED)
    assert subsets == pytest.approx(peers["kernel of 10 subsets of 30 torch-fidelity"], rel=1e-9)
    for neighbors in (3, 5):
        monkeypatch.setattr(distances, "MANIFOLD", neighbors)
        monkeypatch.setattr(distances, "DENSITY", neighbors)
        scores = distances.neighbor_scores(real, fake)
        for peer in ("torch-fidelity", "prdc"):
            expected = peers[f"neighbors={neighbors} {peer}"]
            assert {name: scores[name] for name in expected} == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("splits", [1, 7, 10])
def test_inception_score_against_torch_fidelity(splits):
    expected = SCORES[f"splits={splits}"]
    assert distances.inception_score(random_logits(), splits, SEED) == pytest.approx(expected, rel=1e-9)
