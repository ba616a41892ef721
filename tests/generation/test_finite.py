"""Weights and configurations of which no number, and so no face, can come."""

import numpy as np
import pytest

from ganime.errors import InputError
from ganime.generation import latents, sampling
from ganime.networks import build_generator
from tests.generation.test_archive import change_weights, load
from tests.generation.test_sampling import trained


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of a generator's file."""
    path = tmp_path_factory.mktemp("whole") / "g.keras"
    trained(build_generator(32, 8, (8, 8, 8))).save(path)
    return path.read_bytes()


def assign(value, *names):
    def change(weights):
        for name in names:
            weights[f"layers/{name}"][...] = value

    return change


@pytest.mark.parametrize(
    "change, message",
    [
        (assign(np.nan, "conv2d_transpose/vars/0"), "some of its weights are not finite"),
        (assign(np.inf, "batch_normalization/vars/1"), "some of its weights are not finite"),
        (assign(-1, "batch_normalization/vars/3"), "its images are not finite numbers"),
        (assign(1e30, "batch_normalization_1/vars/0", "batch_normalization_2/vars/0"), "its images are not finite numbers"),
    ],
    ids=["nan", "inf", "variance", "too large"],
)
def test_what_makes_no_numbers_makes_no_faces(tmp_path, whole, change, message):
    path = tmp_path / "g.keras"
    change_weights(path, whole, change)
    assert message in load(path)[0]
    with pytest.raises(InputError, match="finite"):
        sampling.paint(sampling.load_for(1, path), latents.from_seeds([0], 8))


def test_images_are_looked_at_each_time():
    generator = trained(build_generator(32, 8, (8, 8, 8)))
    sampling.sample(generator, [0])
    generator.layers[2].kernel.assign(generator.layers[2].kernel * np.nan)
    with pytest.raises(InputError, match="its images are not finite numbers"):
        sampling.sample(generator, [0])
