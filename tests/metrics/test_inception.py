import json

import keras
import numpy as np
import pytest

from ganime.errors import GanimeError, InputError
from ganime.metrics.networks import inception
from ganime.metrics.networks.inception import NETWORK, ResizeLikeTensorFlow1, build
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
    outputs = model(peers.random_picture(height, width))
    assert distance(outputs["features"], stored[f"features {height}x{width}"]) < 1e-5
    if (height, width) == peers.SIZES[-1]:
        assert distance(outputs["logits"], stored["logits"]) < 1e-5


def test_features_are_pytorch_fids_where_nothing_is_resized(model, stored):
    pictures = peers.random_picture(299, 299) * np.float32(256 / 255)
    assert distance(model(pictures)["features"], stored["pytorch-fid"]) < 1e-5


def test_pictures_of_a_batch_do_not_influence_each_other(model):
    pictures = np.concatenate([peers.random_picture(40, 50, seed) for seed in range(3)])
    alone = np.concatenate([model(pictures[i : i + 1])["features"] for i in range(3)])
    assert distance(model(pictures)["features"], alone) < 1e-5


def test_resizing_begins_at_the_corner_and_is_not_antialiased():
    grow, shrink = ResizeLikeTensorFlow1(4), ResizeLikeTensorFlow1(2)
    picture = np.float32([[0, 10], [20, 30]])[None, :, :, None]
    larger = [[0, 5, 10, 10], [10, 15, 20, 20], [20, 25, 30, 30], [20, 25, 30, 30]]
    np.testing.assert_array_equal(grow(picture)[0, :, :, 0], larger)
    row = np.tile(np.float32([1, 0, 2, 5, 9])[:, None], (1, 5, 1, 1))
    np.testing.assert_array_equal(shrink(row)[0, 0, :, 0], [1, 3.5])


def test_a_saved_model_is_read_again(tmp_path, model):
    model.save(tmp_path / "inception.keras")
    again, pictures = keras.models.load_model(tmp_path / "inception.keras"), peers.random_picture(20, 30)
    np.testing.assert_array_equal(again(pictures)["logits"], model(pictures)["logits"])


@pytest.mark.parametrize("name", ["Conv2d_1a_3x3.conv.weight", "Mixed_7c.branch3x3dbl_3b.bn.running_var", "fc.weight"])
def test_a_missing_or_wrongly_shaped_weight_is_named(weights, name):
    rest = {other: value for other, value in weights.items() if other != name}
    with pytest.raises(InputError, match=f"{name} is missing"):
        build(rest)
    with pytest.raises(InputError, match=rf"{name} has the shape \(.*\), not \("):
        build({**rest, name: weights[name][1:]})


def test_where_the_weights_cannot_be_fetched_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(inception, "URL", "http://127.0.0.1:9/weights.pth")
    with pytest.raises(GanimeError, match="give its path with --weights FILE"):
        NETWORK.find_weights()


@pytest.mark.slow
def test_what_is_stored_is_what_the_others_say(stored, weights):
    pytest.importorskip("torch_fidelity")
    pytest.importorskip("pytorch_fid")
    assert json.loads(stored["shapes"].tobytes()) == peers.weight_shapes()
    for name, values in peers.outputs(weights).items():
        assert distance(values, stored[name]) < 1e-5
