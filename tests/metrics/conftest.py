from pathlib import Path

import pytest

from ganime.metrics import networks
from ganime.metrics.features import FeatureExtractor


@pytest.fixture
def blocks(monkeypatch):
    """The extractor of a third network: quick, and good enough to tell faces from noise."""
    monkeypatch.setattr(networks, "__path__", [*networks.__path__, str(Path(__file__).parent / "more_networks")])
    return FeatureExtractor("blocks")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    """No test reads or writes the user's cache."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
