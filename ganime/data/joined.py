"""Several sets of pictures as one, and what a caller may give as a set (no TensorFlow)."""

import hashlib
import os
from collections.abc import Sequence

import numpy as np

from ganime.data.arrays import ArrayPictures
from ganime.data.sources import open_pictures
from ganime.errors import InputError

NEEDED = ("__len__", "load_batch", "fingerprint")


class JoinedPictures:
    """The pictures of several sets, those of each one behind those of the one before.

    Args:
        parts: Sets of pictures of any kinds, such as `PictureFolder`.

    Attributes:
        name: The parts' names, joined by "+".
        size: Side of the pictures in pixels, where a part has only one; else None.
        fingerprint: Hash of the parts' fingerprints in their order; of a single part its own.

    Raises:
        InputError: If there is no part, or two parts have pictures of one size each, and not the same.

    Example:
        >>> from ganime.data.drawn import DrawnFaces
        >>> len(JoinedPictures([DrawnFaces(20), DrawnFaces(30)]))
        50
    """

    def __init__(self, parts: Sequence):
        self.parts = tuple(parts)
        if not self.parts:
            raise InputError("no pictures are given")
        names = [getattr(part, "name", "pictures") for part in self.parts]
        # Two of one name stay apart in `unreadable`.
        self._prefixes = [name if names.count(name) == 1 else f"{name} ({i})" for i, name in enumerate(names, 1)]
        self.name = "+".join(names)
        self._sized = [part for part in self.parts if getattr(part, "size", None)]
        self.size = self._sized[0].size if self._sized else None
        for part in self._sized:
            if part.size != self.size:
                sizes = " and ".join(f"{one} ({one.size}x{one.size})" for one in (self._sized[0], part))
                raise InputError(f"{sizes} are of two sizes; pack or resize them all to one")
        self._starts = np.cumsum([0, *map(len, self.parts)])
        prints = [part.fingerprint for part in self.parts]
        self.fingerprint = hashlib.sha256("\n".join(prints).encode()).hexdigest() if len(prints) > 1 else prints[0]

    def __len__(self):
        return int(self._starts[-1])

    def __str__(self):
        return " + ".join(map(str, self.parts))

    def __repr__(self):
        return f"<JoinedPictures: {self}>"

    @property
    def unreadable(self) -> dict[str, str]:
        """Reason for each unreadable file, by its part's name and its own."""
        found = zip(self._prefixes, (getattr(part, "unreadable", {}) for part in self.parts), strict=True)
        return {f"{prefix}/{name}": reason for prefix, reasons in found for name, reason in [*reasons.items()]}

    def load_batch(self, indices: list[int], size: int) -> np.ndarray:
        """The pictures of these indices: uint8 [count, size, size, 3], RGB.

        Raises:
            InputError, GanimeError: As the parts do; the first if a part has pictures of another size, wherever these lie.
        """
        if self.size not in (None, size):
            return self._sized[0].load_batch([0], size)  # which says what to do
        indices = np.arange(len(self))[indices] if min(indices, default=0) < 0 else np.asarray(indices, int)
        owners = np.searchsorted(self._starts, indices, side="right") - 1
        batch = np.empty((len(indices), size, size, 3), np.uint8)
        for owner in np.unique(owners).tolist():
            places = np.flatnonzero(owners == owner)
            batch[places] = self.parts[owner].load_batch((indices[places] - self._starts[owner]).tolist(), size)
        return batch

    def stand_in(self, index: int) -> int:
        """The index of the picture that `load_batch` has given for an index: another if that one turned out unreadable."""
        owner = int(np.searchsorted(self._starts, index, side="right")) - 1
        find = getattr(self.parts[owner], "stand_in", lambda own: own)
        return int(self._starts[owner]) + find(index - int(self._starts[owner]))


def as_pictures(pictures, strict: bool = False):
    """A set of pictures: what was given, if it is one, or what it stands for.

    Args:
        pictures: What `ganime.open_pictures` takes, such as the path of a folder; an array (see `ArrayPictures`); anything with
            `len()`, `load_batch(indices, size)` to uint8 [count, size, size, 3], and `fingerprint`, a string that no other
            pictures have, as `PictureFolder` has them; or a list of these, which are joined.
        strict: Whether an unreadable picture of what is opened is an error.

    Raises:
        InputError: If it is none of them.
    """
    if isinstance(pictures, str | os.PathLike):
        return open_pictures(pictures, strict)
    if isinstance(pictures, list | tuple):
        parts = [as_pictures(part, strict) for part in pictures]
        return parts[0] if len(parts) == 1 else JoinedPictures(parts)
    if not isinstance(pictures, type):
        lacking = [name for name in NEEDED if not hasattr(pictures, name)]
        if not lacking:
            return pictures
        if isinstance(pictures, np.ndarray) or (hasattr(pictures, "numpy") and hasattr(pictures, "__array__")):
            return ArrayPictures(np.asarray(pictures))
    kinds = "a path, an array [count, size, size, 3], an object with " + ", ".join(NEEDED) + ", or a list of these"
    raise InputError(f"a {type(pictures).__name__} is no set of pictures that can be read at any place: give {kinds}")
