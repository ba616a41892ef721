import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from ganime.data.copies import NEAR, NearCopies, perceptual_hash
from ganime.data.drawn import draw_face


def distance(a, b):
    return int(np.bitwise_count(perceptual_hash(a) ^ perceptual_hash(b)).sum())


def reencoded(image):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=40)
    return Image.open(file)


COPIES = {
    "re-encoded": reencoded,
    "smaller": lambda image: image.resize((48, 48), Image.Resampling.LANCZOS),
    "larger": lambda image: image.resize((150, 150), Image.Resampling.BICUBIC),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.05),
}


@pytest.mark.parametrize("kind", COPIES)
def test_copies_are_near(kind):
    for seed in range(20):
        face = Image.fromarray(draw_face(seed))
        assert distance(np.asarray(face), np.asarray(COPIES[kind](face).convert("RGB"))) <= NEAR


def test_different_faces_are_far():
    hashes = np.stack([perceptual_hash(draw_face(seed)) for seed in range(150)])
    distances = np.bitwise_count(hashes[:, None] ^ hashes[None]).sum(axis=2, dtype=int)
    assert distances[np.triu_indices(150, 1)].min() > NEAR


def test_the_hash_is_the_signs_of_a_cosine_transform():
    """Against the definition of the DCT-II, written out."""
    picture = draw_face(4, 32)
    grey = np.asarray(Image.fromarray(picture).convert("L"), float)
    places = np.arange(32)
    waves = [np.cos(np.pi * k * (2 * places + 1) / 64) for k in range(1, 17)]
    values = np.array([[(grey * np.outer(down, across)).sum() for across in waves] for down in waves])
    bits = np.unpackbits(perceptual_hash(picture).view(np.uint8)).reshape(16, 16)
    assert np.array_equal(bits, values > np.median(values))


def test_the_nearest_is_found_among_many_as_by_comparing_all():
    generator = np.random.default_rng(0)
    hashes = generator.integers(0, 2**64, (3000, 4), np.uint64)
    found = NearCopies()
    for i, hash in enumerate(hashes):
        found.add(str(i), hash)
    for bits in (0, 10, NEAR, NEAR + 1):
        place = int(generator.integers(3000))
        flipped = np.unpackbits(hashes[place].view(np.uint8))
        flipped[generator.choice(256, bits, replace=False)] ^= 1
        assert found.find(np.packbits(flipped).view(np.uint64)) == (str(place) if bits <= NEAR else None)
    assert NearCopies().find(hashes[0]) is None
