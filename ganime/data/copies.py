"""Finding pictures that are in a data set twice."""

import numpy as np
from PIL import Image

SIDE = 32  # of the small picture that is looked at
BITS = 16  # frequencies across and down that are kept
NEAR = 20  # bits of 256. Of 16,632 faces re-encoded copies differ in 18 at most, other faces in 24 at least

_FREQUENCY, _PLACE = np.mgrid[1 : BITS + 1, 0:SIDE]
COSINES = np.cos(np.pi * _FREQUENCY * (2 * _PLACE + 1) / (2 * SIDE)).astype(np.float32)  # DCT-II without the constant


def perceptual_hash(picture: np.ndarray) -> np.ndarray:
    """The signs of a picture's low frequencies: close for copies that were resized, re-encoded or made a little brighter.

    After Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010), with 256 bits instead of 64:
    faces, all cropped alike, are too like each other for 64.

    Args:
        picture: uint8 [size, size, 3].

    Returns:
        uint64 [4].
    """
    grey = Image.fromarray(picture).convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    waves = COSINES @ np.asarray(grey, np.float32) @ COSINES.T
    return np.packbits(waves > np.median(waves)).view(np.uint64)


class NearCopies:
    """The pictures so far, by their `perceptual_hash`."""

    def __init__(self):
        self._names = []
        self._hashes = np.empty((4, 1024), np.uint64)

    def add(self, name: str, hash: np.ndarray) -> None:
        """Add a picture."""
        count = len(self._names)
        if count == self._hashes.shape[1]:
            self._hashes = np.concatenate([self._hashes, np.empty_like(self._hashes)], axis=1)
        self._hashes[:, count] = hash
        self._names.append(name)

    def find(self, hash: np.ndarray) -> str | None:
        """The picture nearest to this one, if at most `NEAR` of 256 bits differ."""
        hashes = self._hashes[:, : len(self._names)]
        places = np.flatnonzero(np.bitwise_count(hashes[0] ^ hash[0]) <= NEAR)  # a quarter of the bits excludes most
        if not len(places):
            return None
        distances = np.bitwise_count(hashes[:, places] ^ hash[:, None]).sum(axis=0, dtype=np.int64)
        best = distances.argmin()
        return self._names[places[best]] if distances[best] <= NEAR else None
