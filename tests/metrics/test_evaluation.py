import hashlib

import keras
import numpy as np
import pytest

from ganime.data.drawn import DrawnFaces
from ganime.data.split import Selection
from ganime.errors import GanimeError, InputError
from ganime.generation.sampling import sample
from ganime.metrics import features
from ganime.metrics.evaluation import GeneratedPictures, evaluate, nearest_pictures, reference_features, score_names
from ganime.metrics.networks import network_names
from ganime.networks import build_generator


@pytest.fixture
def generator():
    keras.utils.set_random_seed(0)
    return build_generator(32, latent_size=8, widths=(8, 8, 8))


def test_a_file_is_a_network(blocks):
    assert {"inception", "lite0", "blocks"} <= set(network_names())
    assert score_names(blocks)[:3] == ["FD-blocks", "KID-blocks", "KID-blocks-deviation"]


def test_no_two_networks_share_a_name(blocks):
    names = [name for network in network_names() for name in _names(network)]
    assert len(names) == len(set(names))


def _names(network):
    module = __import__(f"ganime.metrics.networks.{network}", fromlist=["NETWORK"])
    attributes = {"name": network, "network": module.NETWORK, "inception_score": module.NETWORK.inception_score}
    return score_names(type("Extractor", (), attributes))


def test_extraction_depends_on_each_picture_alone(blocks, monkeypatch):
    monkeypatch.setattr(features, "BATCH", 7)
    faces, seen = DrawnFaces(20), []
    extracted = blocks.extract(faces, 32, lambda done, total: seen.append((done, total)))
    assert seen == [(7, 20), (14, 20), (20, 20)]
    alone = blocks(faces.load_batch([13], 32))
    assert np.allclose(extracted["features"][13], alone["features"][0], atol=1e-6)
    assert extracted["features"].shape == (20, 48)


def test_scores_of_equal_pictures_and_of_noise(blocks, generator):
    faces = DrawnFaces(300)
    halves = [Selection(faces, np.arange(start, 300, 2)) for start in (0, 1)]
    same = evaluate(halves[0], halves[1], blocks, 32)
    noise = evaluate(GeneratedPictures(generator, 150), halves[1], blocks, 32)
    assert list(same) == score_names(blocks)
    assert abs(same["KID-blocks"]) < 0.02 * noise["KID-blocks"] and same["FD-blocks"] < 0.1 * noise["FD-blocks"]
    assert same["precision-blocks"] > 0.6 and same["recall-blocks"] > 0.6 and noise["precision-blocks"] < 0.1


def test_scores_repeat(blocks, generator):
    scores = [evaluate(GeneratedPictures(generator, 20, seed=5), DrawnFaces(30), blocks, 32) for _ in range(2)]
    assert scores[0] == scores[1]
    assert scores[0] != evaluate(GeneratedPictures(generator, 20, seed=6), DrawnFaces(30), blocks, 32)


def test_features_of_real_pictures_are_kept(blocks, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    first = reference_features(DrawnFaces(20), 32, blocks)
    monkeypatch.setattr(blocks, "extract", None)
    assert np.array_equal(reference_features(DrawnFaces(20), 32, blocks), first)
    for other in ({"size": 40, "pictures": DrawnFaces(20)}, {"size": 32, "pictures": DrawnFaces(21)}):
        with pytest.raises(TypeError):  # computed anew
            reference_features(**other, extractor=blocks)


def test_the_likeliest_copies_are_shown(blocks):
    """Each row is a scored picture and its nearest real ones; exact copies come first, beside their originals."""
    real = DrawnFaces(40)
    scored = Selection(DrawnFaces(80), np.array([70, 71, 33, 72, 5]))
    made = [blocks.extract(pictures, 32)["features"] for pictures in (scored, real)]
    grid = nearest_pictures(scored, made[0], real, made[1], 32, rows=3, columns=2)
    assert grid.shape == (3 * 34 + 2, 3 * 34 + 2, 3)
    for row, original in enumerate((33, 5)):
        top = 2 + 34 * row
        for left in (2, 36):
            assert np.array_equal(grid[top : top + 32, left : left + 32], real.load_batch([original], 32)[0])


def test_generated_pictures_are_those_of_the_seeds(generator):
    pictures = GeneratedPictures(generator, 10, seed=100, truncation=0.5)
    assert np.array_equal(pictures.load_batch([3, 4], 32), sample(generator, [103, 104], 0.5))
    with pytest.raises(InputError, match="makes 32x32"):
        pictures.load_batch([0], 64)
    with pytest.raises(InputError, match="NonexNone; only square ones"):
        GeneratedPictures(keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(3, 1)]), 10)
    with pytest.raises(InputError, match="not all below"):
        GeneratedPictures(generator, 10, seed=2**32 - 5)


def test_features_are_single_precision_whatever_is_trained_beside(blocks):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = features.FeatureExtractor("blocks").model
    finally:
        keras.config.set_dtype_policy(policy)
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}


def test_weights_that_are_not_what_their_name_says_are_refused(blocks, tmp_path):
    content = blocks.network.find_weights().read_bytes()
    whole, other = hashlib.sha256(content).hexdigest()[:8], hashlib.sha256(b"other").hexdigest()[:8]
    for name in (f"blocks-{whole}.pth", "own.pth"):
        (tmp_path / name).write_bytes(content)
        assert features.FeatureExtractor("blocks", tmp_path / name).identity == blocks.identity
    (tmp_path / f"blocks-{other}.pth").write_bytes(content)
    with pytest.raises(InputError, match=rf"blocks-{other}\.pth is damaged: its SHA-256 is {whole}\.\.\., not as in its name"):
        features.FeatureExtractor("blocks", tmp_path / f"blocks-{other}.pth")


def test_another_networks_weights_are_named(blocks):
    path = blocks.network.find_weights()
    with pytest.raises(InputError, match=r"zip\.pth: these are not the network's weights: .* is missing"):
        features.FeatureExtractor("lite0", path)


def test_features_that_are_not_finite_are_an_error(blocks, monkeypatch):
    monkeypatch.setattr(blocks, "_run", lambda images: {"features": np.full((len(images), 48), np.nan)})
    with pytest.raises(GanimeError, match="features by blocks are not finite"):
        blocks.extract(DrawnFaces(3), 32)


def test_an_unknown_network():
    with pytest.raises(InputError, match="there are inception, lite0"):
        features.FeatureExtractor("vgg")
