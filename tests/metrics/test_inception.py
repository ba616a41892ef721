import json
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from ganime.errors import GanimeError, InputError
from ganime.metrics.networks import inception
from ganime.metrics.networks.inception import NETWORK, ResizeLikeTensorFlow1, build
from tests.conftest import ROOT
from tests.metrics.peers import inception as peers


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
