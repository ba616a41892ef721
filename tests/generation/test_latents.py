import numpy as np
import pytest

from ganime.errors import InputError
from ganime.generation import latents


def test_a_seed_is_a_latent_for_ever():
    assert np.allclose(latents.from_seeds([0], 3), [[1.76405235, 0.40015721, 0.97873798]])  # NumPy's frozen generator
    both = latents.from_seeds([5, 6], 16)
    assert np.array_equal(latents.from_seeds([6], 16)[0], both[1])
    assert np.allclose(latents.from_seeds([5, 6], 16, truncation=0.5), both / 2)
    assert latents.from_seeds([], 16).shape == (0, 16)


def test_seeds_are_read():
    assert latents.parse_seeds("0,1,4-6") == [0, 1, 4, 5, 6]
    for text in ("", "a", "3-1", "-1", "1-", "4294967296", "1,,2"):
        with pytest.raises(InputError):
            latents.parse_seeds(text)
