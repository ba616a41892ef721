"""The examples, as a reader runs them; with fewer steps."""

import re
import warnings
from importlib.util import module_from_spec, spec_from_file_location

import keras
import pytest

from tests.conftest import ROOT

OWN_GAN = ROOT / "examples" / "own_gan.py"


def test_your_own_gan_has_60_lines_and_trains(tmp_path, monkeypatch, capsys):
    assert len(OWN_GAN.read_text().splitlines()) <= 60
    spec = spec_from_file_location("own_gan", OWN_GAN)
    example = module_from_spec(spec)
    spec.loader.exec_module(example)
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        gan = example.train(steps=2)
    assert int(gan.step) == 2 and len((tmp_path / "own-gan" / "history.csv").read_text().splitlines()) == 3
    assert {path.name for path in (tmp_path / "own-gan").rglob("*.*")} == {
        *("generator.keras", "history.csv", "losses.png", "scores.png", "step-000000.png", "step-000002.png")
    }
    generator = keras.models.load_model(tmp_path / "own-gan" / "generator.keras")
    latents = keras.random.normal((3, example.LATENT_SIZE), seed=0)
    assert generator(latents).numpy() == pytest.approx(gan(latents).numpy(), abs=1e-5)
    assert re.search(r"d_loss: \d", capsys.readouterr().out)
