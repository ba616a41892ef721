from pathlib import Path

import pytest

from ganime.metrics import networks
from ganime.metrics.features import FeatureExtractor


@pytest.fixture(scope="package")
def blocks(tmp_path_factory):
    """The extractor of a third network: quick, and good enough to tell faces from noise. No test uses the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        patch.setattr(networks, "__path__", [*networks.__path__, str(Path(__file__).parent / "more_networks")])
        yield FeatureExtractor("blocks")
