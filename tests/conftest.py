"""Shared by all tests: a recipe small enough to train in seconds, and pictures of every kind."""

import functools
import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# On a GPU results are not equal to the bit, and no convolution has a quicker form.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganime.data.drawn import draw_face
from ganime.recipes import get_recipe

ROOT = Path(__file__).parents[1]
DATASETS = ROOT.parent / "shared" / "datasets"  # pictures that are not part of the project
FACES64 = DATASETS / "faces64"

TINY = (
    "image_size=32",
    "latent_size=8",
    "generator_widths=16,8,8",
    "discriminator_widths=8,8,16",
    "batch_size=4",
    "ema_half_life=20",
    "r1_interval=2",
    "feature_weight=0",
)
LONGEST = ("test_fit.py", "test_start.py", "test_distribution.py", "test_engine.py", "test_cli.py", "test_evaluate.py")
LONGEST += ("test_while_training.py", "test_progress.py")
# Where it does not matter which mechanisms train: a graph that is made in less time.
PLAIN = (*TINY, "r1_weight=0", "augmentations=")


# Ignored where the tests run in a shell's background, and then in all processes that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """The longest first, so that both processes come to an end together; by file, since they share fixtures."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


def pytest_collection():
    """All is imported now, of which hardly anything is garbage: it is not searched, neither now nor later."""
    gc.disable()


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def graphs_as_they_are():
    """TensorFlow takes longer to optimize a tiny network's graph than to run it; and says on the log that many are traced."""
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


@pytest.fixture(scope="session")
def tiny():
    """The default recipe, made small: every mechanism it uses, in little time."""
    return get_recipe("default").override(*TINY)


@pytest.fixture(scope="session")
def plain():
    """The same without what takes longest to trace."""
    return get_recipe("default").override(*PLAIN)


@pytest.fixture
def one_gan(monkeypatch):
    """What `fit` trains is built and traced once for each recipe, and is the same model each time, as it is at first."""
    from tests.training.small import build_once

    monkeypatch.setattr("ganime.training.fit.build_gan", build_once)


@pytest.fixture
def faces(tmp_path):
    """A folder of 12 drawn faces, in all formats."""
    return save_faces(tmp_path / "faces")


def save_faces(folder):
    folder.mkdir()
    for i in range(12):
        suffix = ("png", "jpg", "webp", "gif", "bmp")[i % 5]
        Image.fromarray(draw_face(i, 40)).save(folder / f"face{i:02}.{suffix}")
    return folder


@pytest.fixture(scope="session")
def extractors():
    from ganime.metrics.features import FeatureExtractor

    build = functools.cache(FeatureExtractor)
    return lambda name="lite0", weights=None: build(name, weights)


@pytest.fixture
def one_extractor(extractors, monkeypatch):
    """A feature network is built once, not by each command that uses it."""
    for module in ("ganime.metrics.features", "ganime.generation.projection"):
        monkeypatch.setattr(f"{module}.FeatureExtractor", extractors)


@pytest.fixture
def images():
    """Random pictures in [-1, 1]."""
    return np.random.default_rng(0).uniform(-1, 1, (4, 32, 32, 3)).astype(np.float32)
