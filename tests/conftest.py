"""Shared by all tests: a recipe small enough to train in seconds, and pictures of every kind."""

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
)


# Ignored where the tests run in a shell's background, and then in all processes that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """The longest first, so that both processes come to an end together."""
    items.sort(key=lambda item: "sigkill" not in item.name)


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


@pytest.fixture
def faces(tmp_path):
    """A folder of 12 drawn faces, in all formats."""
    folder = tmp_path / "faces"
    folder.mkdir()
    for i in range(12):
        suffix = ("png", "jpg", "webp", "gif", "bmp")[i % 5]
        Image.fromarray(draw_face(i, 40)).save(folder / f"face{i:02}.{suffix}")
    return folder


@pytest.fixture
def images():
    """Random pictures in [-1, 1]."""
    return np.random.default_rng(0).uniform(-1, 1, (4, 32, 32, 3)).astype(np.float32)
