"""A folder of pictures on disk (no TensorFlow)."""

import contextlib
import hashlib
import itertools
import logging
import math
import os
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ganime.data.decode import FAULTS_OF_THE_FILE, SUFFIXES, UnreadablePicture, is_picture, load_picture
from ganime.data.names import show
from ganime.errors import InputError
from ganime.pictures.grids import make_grid, save_picture

NAMED_AT_MOST = 10
CONTACT_SHEET = "contact-sheet.png"  # an overview that `data prepare` and `data check` write; not a picture to train on
_SUFFIXES, _SHEET = tuple(map(str.encode, SUFFIXES)), CONTACT_SHEET.encode()

log = logging.getLogger("ganime")


class PictureFolder:
    """All JPEG, PNG, WebP, GIF, BMP, TIFF and AVIF pictures (of animations the first frame) under a folder.

    A file with the ending of a picture is taken for one until it is decoded, so that a million files are there in seconds;
    a file with another name is one if it begins like one. Names that start with a dot are left out. What turns out to be
    unreadable is listed in `unreadable`, and another picture takes its place.

    Args:
        folder: Where to look, recursively; links are followed.
        strict: Whether an unreadable file is an error. Every picture is then decoded once before training begins.
        subfolders: Take only what lies in these folders within it.

    Attributes:
        unreadable: Reason for each unreadable file, by its path within the folder.
        fingerprint: Hash of all paths within the folder, with `/` on every system, and file sizes.

    Raises:
        InputError: If there is no such folder, no usable picture in it, or (if strict) an unreadable file.

    Example:
        >>> pictures = PictureFolder("faces")  # doctest: +SKIP
        >>> pictures.load(0, size=64).shape  # doctest: +SKIP
        (64, 64, 3)
    """

    def __init__(self, folder: str | os.PathLike, strict: bool = False, subfolders: tuple[str, ...] = ()):
        self.folder = Path(folder)
        self._prefix = os.path.join(folder, "")
        self.strict = strict
        self.unreadable = {}
        self.name = self.folder.resolve().name
        # One byte string per file while they are sorted, one for all of them afterwards: 30 MB for a million.
        entries = sorted(b"%s\0%d\0" % file for file in _walk(self.folder, subfolders))
        self._ends = array("q", itertools.accumulate(map(len, entries)))
        self._entries = b"".join(entries)
        del entries
        self.fingerprint = hashlib.sha256(self._entries).hexdigest()
        # From a broken picture to the next in steps of the golden ratio, so that a block of broken ones does not give its whole
        # share to one.
        steps = range(int(0.618 * len(self)) or 1, 0, -1)
        self._stride = next(step for step in steps if math.gcd(step, len(self)) == 1) if len(self) else 0
        looked_at = f"{len(self):,} pictures in {show(self.folder)} and below"
        if not self._any_usable():
            raise InputError(f"no usable picture: looked at {looked_at}{self._describe_unreadable()}")

    def __len__(self):
        return len(self._ends)

    def __str__(self):
        return f"{len(self):,} pictures in {show(self.folder)}"

    def __repr__(self):
        return f"<PictureFolder: {self}>"

    def path(self, index: int) -> Path:
        """Where the picture of that index lies."""
        return self.folder / self._within(index)

    def load(self, index: int, size: int) -> np.ndarray:
        """The picture of that index, or another readable one, always the same: uint8 [size, size, 3], RGB.

        Raises:
            InputError: If no picture is readable any more, or (if strict) this one is not.
            GanimeError: If the disk or the network fails, or the folder is gone.
        """
        for i in range(len(self)):
            picture = self._try((index + i * self._stride) % len(self), size)
            if picture is not None:
                return picture
        raise InputError(f"no usable picture is left in {show(self.folder)}")

    def load_batch(self, indices: list[int], size: int) -> np.ndarray:
        """What `load` gives for each index: uint8 [count, size, size, 3]."""
        return np.stack([self.load(index, size) for index in indices])

    def _try(self, index, size):
        path = self._within(index)
        if path in self.unreadable:
            return None
        try:
            return load_picture(self._prefix + path, size)
        except UnreadablePicture as error:
            self._pass_over(path, str(error))
            return None

    def _within(self, index):
        entry = self._entries[self._ends[index - 1] if index else 0 : self._ends[index]]
        return os.fsdecode(entry[: entry.index(b"\0")])

    def _pass_over(self, path, reason):
        self.unreadable[path] = reason
        if self.strict:
            raise UnreadablePicture(f"{show(path)} in {show(self.folder)}: {reason} (without --strict it is passed over)")
        if len(self.unreadable) <= NAMED_AT_MOST:
            log.warning("passed over %s: %s", show(path), reason)

    def _any_usable(self):
        """Whether a picture can be decoded; in strict mode all are, so that training cannot stop in the middle."""
        usable = (self._try(index, 32) is not None for index in range(len(self)))
        return sum(usable) > 0 if self.strict else any(usable)

    def _describe_unreadable(self):
        return "".join(f"; {show(path)}: {reason}" for path, reason in list(self.unreadable.items())[:1])


def walk(folder: Path, subfolders: tuple[str, ...] = (), without: Path | None = None) -> Iterator[tuple[str, int]]:
    """Paths within the folder and sizes in bytes of what may be a picture, by its ending or its first bytes.

    Each folder is walked once, however many links lead to it, in an order that depends on names alone; the folder `without` is
    not. What is neither a file nor a folder, and folders that may not be read, are named on the log.

    Raises:
        InputError: If there is no such folder.
    """
    return ((os.fsdecode(path), size) for path, size in _walk(folder, subfolders, without))


def save_contact_sheet(path: Path, files: list[Path]) -> None:
    """Write a grid of (at most) 100 of these pictures, evenly spaced; nothing if none is readable."""
    shown = []
    for place in np.linspace(0, len(files) - 1, min(len(files), 100)).astype(int):
        with contextlib.suppress(UnreadablePicture):
            shown.append(load_picture(files[place], 64))
    if shown:
        save_picture(path, make_grid(np.stack(shown)))


def _walk(folder, subfolders=(), without=None):
    """`walk` with paths as bytes, which is what the system gives."""
    if not folder.is_dir():
        raise InputError(f"{show(folder)} is not a folder of pictures")
    root = os.fsencode(folder)
    seen, waiting = set(), sorted(map(os.fsencode, subfolders), reverse=True) or [b""]
    if without and without.exists():
        seen.add((without.stat().st_dev, without.stat().st_ino))
    while waiting:
        inside = waiting.pop()
        # Paths within the folder, and so its fingerprint and order, are the same on all systems.
        prefix = os.path.join(inside, b"").replace(os.sep.encode(), b"/")
        directory, below = os.path.join(root, inside), []
        try:
            status = os.stat(directory)
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(directory) as entries:
                for entry in entries:
                    name = entry.name
                    if name.startswith(b".") or name == _SHEET:
                        continue
                    if (size := _size(entry)) is not None:
                        yield prefix + name, size
                    elif _is_dir(entry):
                        below.append(prefix + name)
        except OSError as error:
            if error.errno not in FAULTS_OF_THE_FILE:
                raise
            log.warning("passed over the folder %s: %s", show(os.fsdecode(directory)), error.strerror)
        waiting += sorted(below, reverse=True)


def _size(entry):
    """Size of a file that may be a picture; 0 if that is not to be had; None if it is none."""
    named = entry.name.lower().endswith(_SUFFIXES)
    try:
        if entry.is_file():
            if not named:
                with open(entry.path, "rb", buffering=0) as file:
                    named = is_picture(file.read(16))
            return entry.stat().st_size if named else None
        if not named or entry.is_dir():
            return None
        if os.path.exists(entry.path):
            log.warning("passed over %s: not a file", show(os.fsdecode(entry.path)))
            return None
    except OSError as error:  # a link that leads to itself, say, or one that is forbidden
        if error.errno not in FAULTS_OF_THE_FILE:
            raise
        if not named:
            log.warning("passed over %s: %s", show(os.fsdecode(entry.path)), error.strerror)
    return 0 if named else None


def _is_dir(entry):
    try:
        return entry.is_dir()
    except OSError:
        return False
