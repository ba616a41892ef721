"""A folder of pictures on disk (no TensorFlow)."""

import logging
import os
from pathlib import Path

from ganime.data.decode import FAULTS_OF_THE_FILE, is_picture, read_picture
from ganime.data.encoded import EncodedPictures
from ganime.data.labels import MAX_EXTRA
from ganime.data.listing import HEAD, Listing, Others, ending_of, is_backup, is_hidden, is_named_as_picture
from ganime.data.names import show
from ganime.errors import InputError
from ganime.files import insist

log = logging.getLogger("ganime")


class PictureFolder(EncodedPictures):
    """All pictures (of animations the first frame that shows something) under a folder.

    A file with the ending of a picture is taken for one until it is decoded, so that a million files are there in seconds;
    a file with another name is one if it begins like one. Names that begin with a dot or end in `~` are left out. What turns
    out to be unreadable is listed in `unreadable`, and another picture takes its place.

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
        super().__init__(FolderListing(folder, subfolders), strict)

    def path(self, index: int) -> Path:
        """Where the picture of that index lies."""
        return self.listing.path / self.listing.name_of(index)


class FolderListing(Listing):
    """What lies under a folder.

    Each folder is walked once, however many links lead to it, in an order that depends on names alone. What is neither a file
    nor a folder, and folders that may not be read, are named on the log.

    Args:
        folder: Where to look, recursively.
        subfolders: Take only what lies in these folders within it.
        without: A folder that is left out.

    Raises:
        InputError: If there is no such folder.
    """

    is_archive = False

    def __init__(self, folder: str | os.PathLike, subfolders: tuple[str, ...] = (), without: Path | None = None):
        self._prefix = os.path.join(folder, "")
        others = self._others = Others()
        found = _walk(Path(folder), subfolders, without, others)
        super().__init__(Path(folder), ((name, size, b"") for name, size in found), others.left_out, texts=others.texts)
        self.named = others.named

    @property
    def where(self) -> str:
        return f"{show(self.path)} and below"

    def read(self, index: int) -> bytes:
        return read_picture(self._prefix + self.name_of(index))

    def describe_left_out(self, brief: bool = True) -> str:
        while not brief and self._others.unseen:  # which takes long, and is no use where there are pictures to train on
            self._count_hidden(self._others.unseen.pop())
        return super().describe_left_out(brief)

    def _count_hidden(self, inside):
        root = os.fsencode(self.path)
        for place, _, files in os.walk(os.path.join(root, inside)):
            prefix = os.path.join(os.path.relpath(place, root), b"").replace(os.sep.encode(), b"/")
            for name in files:
                self._others.add(prefix + name)

    def read_extra(self, name: str) -> bytes | None:
        path = self._prefix + name

        def read():
            with open(path, "rb") as file:
                return file.read(MAX_EXTRA + 1)

        try:
            return read() if os.path.isfile(path) else None
        except OSError as error:
            if error.errno not in FAULTS_OF_THE_FILE:
                return insist(read, f"{show(path)} cannot be read")
            log.warning("passed over %s: %s", show(path), error.strerror)
            return None


def _walk(folder, subfolders, without, others):
    """Paths within the folder, as bytes, which is what the system gives, and sizes in bytes of what may be a picture."""
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
                    if is_hidden(name):
                        if entry.is_dir(follow_symlinks=False):
                            others.unseen.append(prefix + name)
                        else:
                            others.left_out["hidden", ending_of(name)] += 1
                    elif (size := _size(entry)) is not None:
                        yield prefix + name, size
                    elif _is_dir(entry):
                        below.append(prefix + name)
                    elif entry.is_symlink() and not os.path.exists(entry.path):  # to a drive that is away, say
                        others.left_out["broken link", ending_of(name)] += 1
                        log.warning("passed over %s: a broken link", show(os.fsdecode(entry.path)))
                    else:
                        others.add(prefix + name)
        except OSError as error:
            if error.errno not in FAULTS_OF_THE_FILE:
                raise
            log.warning("passed over the folder %s: %s", show(os.fsdecode(directory)), error.strerror)
        waiting += sorted(below, reverse=True)


def _size(entry):
    """Size of a file that may be a picture; 0 if that is not to be had; None if it is none."""
    named = is_named_as_picture(entry.name)
    try:
        if entry.is_file():
            if not named and not is_backup(entry.name):
                with open(entry.path, "rb", buffering=0) as file:
                    named = is_picture(file.read(HEAD))
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
