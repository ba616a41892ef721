"""Holding out pictures to judge with (no TensorFlow)."""

import hashlib
from collections.abc import Callable

import numpy as np

from ganime.data.caching import cached
from ganime.data.parallel import in_order
from ganime.errors import InputError

TEST_SHARE = 0.1
CHUNK = 100  # pictures read at a time


class Selection:
    """Some of the pictures of a source, under new indices.

    Args:
        pictures: `PictureFolder`, `PackedPictures` or `DrawnFaces`.
        indices: Which.
    """

    def __init__(self, pictures, indices: np.ndarray):
        self.pictures, self.indices = pictures, indices
        self.name = pictures.name
        chosen = hashlib.sha256(np.ascontiguousarray(indices, "<i8")).hexdigest()[:16]
        self.fingerprint = f"{pictures.fingerprint}-{chosen}"

    def __len__(self):
        return len(self.indices)

    def __str__(self):
        return f"{len(self):,} of {self.pictures}"

    def __repr__(self):
        return f"<Selection: {self}>"

    @property
    def unreadable(self):
        return self.pictures.unreadable

    @property
    def labels(self) -> tuple[str, ...]:
        """The source's (see `LabelledPictures`), if it has any."""
        return getattr(self.pictures, "labels", ())

    @property
    def numbers(self) -> np.ndarray:
        """The label of each of these pictures."""
        return self.pictures.numbers[self.indices]

    def numbers_of(self, indices: list[int]) -> np.ndarray:
        """As the source's."""
        return self.pictures.numbers_of(self.indices[indices].tolist())

    def load_batch(self, indices: list[int], size: int) -> np.ndarray:
        """As the source's: uint8 [count, size, size, 3], RGB."""
        return self.pictures.load_batch(self.indices[indices].tolist(), size)


def split(pictures, size: int, report: Callable[[int, int], None] = lambda done, total: None) -> tuple[Selection, Selection]:
    """Part a source into pictures to train on and a tenth to judge with, by the hash of each picture's content.

    Names and order do not matter, other pictures do not either, and copies are all in the same part. The content is that of
    the pixels at this size, so that a folder and the file that it was packed into are parted alike, and so that what stands in
    for an unreadable picture is in its own part. Another size parts otherwise. Every picture is read once; the result is kept
    in the user's cache.

    Args:
        pictures: `PictureFolder`, `PackedPictures` or `DrawnFaces`.
        size: Side of the pictures in pixels.
        report: Called with the numbers of pictures done and to do.

    Returns:
        What to train on, and what to judge with.

    Raises:
        InputError: If a part would be empty.
    """

    def is_test(indices):
        """Whether each picture belongs to the test part."""
        batch = pictures.load_batch(indices, size)
        limit = int(TEST_SHARE * 2**64).to_bytes(8, "big")
        return np.array([hashlib.sha256(picture).digest()[:8] < limit for picture in batch])

    def part():
        count, marks = len(pictures), []
        chunks = [list(range(start, min(start + CHUNK, count))) for start in range(0, count, CHUNK)]
        for chunk, marked in zip(chunks, in_order(is_test, chunks), strict=True):
            marks.append(marked)
            report(chunk[-1] + 1, count)
        return np.concatenate(marks)

    test = cached("split", pictures, size, {"share": TEST_SHARE}, part, (len(pictures),), bool)
    if test.all() or not test.any():
        raise InputError(f"{len(pictures):,} pictures are too few to hold a tenth of them out")
    return Selection(pictures, np.flatnonzero(~test)), Selection(pictures, np.flatnonzero(test))
