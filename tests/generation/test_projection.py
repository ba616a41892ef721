import numpy as np
import pytest

from ganime.errors import InputError
from ganime.generation import projection, sampling
from ganime.generation.projection import peak_signal_to_noise, project
from ganime.networks import build_generator
from tests.generation.test_sampling import trained


@pytest.fixture
def generator(monkeypatch, one_extractor):
    monkeypatch.setattr(projection, "BANK", 200)
    return trained(build_generator(32, 8, (16, 8, 8)))


def test_a_face_of_the_generators_own_is_found_again(generator):
    faces = sampling.sample(generator, [5, 6])
    found = []
    latents = project(generator, faces, lambda done, total: found.append((done, total)))
    assert found == [(1, 2), (2, 2)]
    assert (peak_signal_to_noise(faces, sampling.paint(generator, latents)) > 38).all()
    assert np.array_equal(project(generator, faces[1:2]), latents[1:2])  # alone as among others


def test_any_picture_has_a_latent_that_is_not_far_out(generator):
    pictures = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    latents = project(generator, pictures)
    assert np.isfinite(latents).all() and np.linalg.norm(latents) < 3 * 8**0.5


def test_pictures_of_another_form_are_refused(generator):
    assert project(generator, np.zeros((0, 32, 32, 3), np.uint8)).shape == (0, 8)
    for pictures in (np.zeros((1, 64, 64, 3), np.uint8), np.zeros((32, 32, 3), np.uint8), np.zeros((1, 32, 32, 3))):
        with pytest.raises(InputError, match=r"for this generator they are uint8 \[count, 32, 32, 3\]"):
            project(generator, pictures)


def test_the_ratio_is_that_of_a_peer():
    from skimage.metrics import peak_signal_noise_ratio

    first, second = np.random.default_rng(0).integers(0, 256, (2, 3, 8, 8, 3), np.uint8)
    expected = [peak_signal_noise_ratio(a, b) for a, b in zip(first, second, strict=True)]
    assert np.allclose(peak_signal_to_noise(first, second), expected)
    assert np.isinf(peak_signal_to_noise(first, first)).all()
