"""What a caller may give as a set of pictures, to train on or to score against."""

import hashlib
import os

import numpy as np
import tensorflow as tf

from ganime.data.sources import open_pictures
from ganime.errors import InputError
from ganime.pictures.grids import to_uint8
from ganime.training.checks import explain_range, judge_range

NEEDED = ("__len__", "load_batch", "fingerprint")


class ArrayPictures:
    """The pictures of an array.

    Args:
        array: uint8 [count, size, size, 3], RGB, or float in [-1, 1].

    Attributes:
        size: Side of the pictures in pixels.
        fingerprint: Hash of the pixels.

    Raises:
        InputError: If the array is of another shape, type or range, or empty.

    Example:
        >>> ArrayPictures(np.zeros((5, 64, 64, 3))).load_batch([0, 2], 64).shape
        (2, 64, 64, 3)
    """

    name = "array"

    def __init__(self, array: np.ndarray):
        if array.ndim != 4 or not array.size or array.shape[1:] != (array.shape[2], array.shape[2], 3):
            raise InputError(f"an array of pictures is [count, size, size, 3], not {list(array.shape)}")
        if array.dtype != np.uint8:
            if not np.issubdtype(array.dtype, np.floating):
                raise InputError(f"pictures are uint8 or float, not {array.dtype}")
            least, most = array.min(), array.max()
            inside, halved = judge_range(least, most, len(array))
            if not inside or halved:
                raise InputError(explain_range(float(least), float(most)))
            array = to_uint8(array)
        self.array, self.size = np.ascontiguousarray(array), array.shape[2]
        self.fingerprint = hashlib.sha256(f"{self.array.shape}".encode() + self.array.data).hexdigest()

    def __len__(self):
        return len(self.array)

    def __str__(self):
        return f"{len(self):,} pictures of an array"

    def __repr__(self):
        return f"<ArrayPictures: {self}, {self.size}x{self.size}>"

    def load_batch(self, indices: list[int], size: int) -> np.ndarray:
        """The pictures of these indices: uint8 [count, size, size, 3]; the size is their own."""
        if size != self.size:
            raise InputError(f"the array's pictures are {self.size}x{self.size}, not {size}x{size}: resize them first")
        return self.array[indices]


def as_pictures(pictures):
    """A set of pictures: what was given, if it is one, or what it stands for.

    Args:
        pictures: What `ganime.open_pictures` takes, such as the path of a folder; an array (see `ArrayPictures`); or anything
            with `len()`, `load_batch(indices, size)` to uint8 [count, size, size, 3], and `fingerprint`, a string that no
            other pictures have, as `PictureFolder` has them.

    Raises:
        InputError: If it is none of them.
    """
    if isinstance(pictures, str | os.PathLike):
        return open_pictures(pictures)
    if isinstance(pictures, np.ndarray) or tf.is_tensor(pictures):
        return ArrayPictures(np.asarray(pictures))
    lacking = [name for name in NEEDED if not hasattr(pictures, name)]
    if lacking or isinstance(pictures, tf.data.Dataset | type):
        kinds = "a path, an array [count, size, size, 3], or an object with " + ", ".join(NEEDED)
        raise InputError(f"a {type(pictures).__name__} is no set of pictures that can be read at any place: give {kinds}")
    return pictures
