"""A folder of pictures on disk (Pillow, no TensorFlow)."""

import errno
import hashlib
import logging
import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ganime.errors import InputError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp")
SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM")
NAMED_AT_MOST = 10

log = logging.getLogger("ganime")


class UnreadablePicture(InputError):
    """A file that is not a whole picture of a known format."""


class PictureFolder:
    """All JPEG, PNG, WebP, GIF (first frame) and BMP pictures under a folder, known by their content, not their names.

    Only the list of paths is held in memory. Names that start with a dot are left out. Files that cannot be pictures although
    their names say so are listed in `unreadable` at once; a picture that turns out to be broken when it is decoded is added
    then, and the next one in the list takes its place.

    Args:
        folder: Where to look, recursively; links to folders are followed.
        strict: Whether an unreadable file is an error. Every picture is then decoded once before training begins.

    Attributes:
        unreadable: Reason for each unreadable file, by its path within the folder.
        fingerprint: Hash of all paths within the folder and file sizes.

    Raises:
        InputError: If there is no such folder, no usable picture in it, or (if strict) an unreadable file.

    Example:
        >>> pictures = PictureFolder("faces")  # doctest: +SKIP
        >>> pictures.load(0, size=64).shape  # doctest: +SKIP
        (64, 64, 3)
    """

    def __init__(self, folder: str | os.PathLike, strict: bool = False):
        self.folder = Path(folder)
        self.strict = strict
        self.unreadable = {}
        if not self.folder.is_dir():
            raise InputError(f"{_show(folder)} is not a folder; --data takes a folder of pictures")
        self.name = self.folder.resolve().name
        self.paths, others, digest = [], 0, hashlib.sha256()
        for path, size in sorted(_walk(self.folder), key=lambda found: os.fsencode(found[0])):
            problem = _problem(self.folder / path)
            if problem is None:
                self.paths.append(path)
                digest.update(os.fsencode(path) + b"\0%d\0" % size)
            elif path.lower().endswith(SUFFIXES):
                self._pass_over(path, problem, quiet=True)
            else:
                others += 1
        self.fingerprint = digest.hexdigest()
        if self.unreadable:
            log.warning("%s", self._describe_unreadable())
        looked_at = f"{len(self.paths) + len(self.unreadable) + others:,} files in {_show(self.folder)} and below"
        if not self.paths or not self._any_usable():
            raise InputError(f"no usable picture: looked at {looked_at} for {', '.join(FORMATS)}")

    def __len__(self):
        return len(self.paths)

    def __str__(self):
        return f"{len(self):,} pictures in {_show(self.folder)}"

    def load(self, index: int, size: int) -> np.ndarray:
        """The picture of that index, or the next readable one: uint8 [size, size, 3], RGB."""
        for path in (self.paths[(index + i) % len(self)] for i in range(len(self))):
            try:
                return load_picture(self.folder / path, size)
            except UnreadablePicture as error:
                self._pass_over(path, str(error))
        raise InputError(f"no usable picture is left in {_show(self.folder)}")

    def _pass_over(self, path, reason, quiet=False):
        if path not in self.unreadable:
            self.unreadable[path] = reason
            if self.strict:
                raise UnreadablePicture(f"{_show(path)} in {_show(self.folder)}: {reason} (without --strict it is passed over)")
            if not quiet and len(self.unreadable) <= NAMED_AT_MOST:
                log.warning("passed over %s: %s", _show(path), reason)

    def _any_usable(self):
        """Whether a picture can be decoded; in strict mode all are, so that training cannot stop in the middle."""
        for path in self.paths:
            try:
                load_picture(self.folder / path, 32)
            except UnreadablePicture as error:
                self._pass_over(path, str(error))
            else:
                if not self.strict:
                    return True
        return self.strict

    def _describe_unreadable(self):
        shown = [f"{_show(path)} ({reason})" for path, reason in list(self.unreadable.items())[:NAMED_AT_MOST]]
        more = len(self.unreadable) - len(shown)
        return f"passed over {len(self.unreadable):,} unreadable files: {', '.join(shown)}" + (
            f" and {more:,} more" * bool(more)
        )


def load_picture(path: str | os.PathLike, size: int) -> np.ndarray:
    """Decode a picture, resize its shorter side (antialiased) and crop the middle.

    Transparency becomes white; grey and CMYK become RGB; 16 bits become 8; the camera's orientation is followed.

    Args:
        path: A file of any name; its content decides the format.
        size: Side in pixels.

    Returns:
        uint8 [size, size, 3], RGB.

    Raises:
        UnreadablePicture: If the file is not there, may not be read or cannot be decoded whole.
        OSError: If the disk or the network fails.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            image.draft("RGB", (2 * size, 2 * size))  # lets a large JPEG be decoded at a fraction of its size
            ImageOps.exif_transpose(image, in_place=True)
            if image.mode.startswith("I"):
                image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
            if image.has_transparency_data:
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            image = image.convert("RGB")
            if image.size != (size, size):
                image = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
            return np.asarray(image)
    except MemoryError:
        raise
    except Exception as error:  # decoders raise anything at all on broken files
        if getattr(error, "errno", None) not in (None, errno.ENOENT, errno.EACCES):
            raise  # the disk or the network failed, not the file: another picture must not silently take its place
        raise UnreadablePicture(f"{str(error) or type(error).__name__}".splitlines()[0]) from error


def _walk(folder):
    """Paths within the folder and sizes of all files below it; each folder once, however many links lead to it."""
    seen = set()

    def report(error):
        log.warning("passed over the folder %s: %s", _show(error.filename), error.strerror)

    for directory, names, files in os.walk(folder, onerror=report, followlinks=True):
        status = os.stat(directory)
        if (status.st_dev, status.st_ino) in seen:
            names.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in files:
            path = os.path.join(directory, name)
            if not name.startswith(".") and os.path.isfile(path):
                yield os.path.relpath(path, folder), os.path.getsize(path)


def _problem(path):
    """Why a file's first bytes cannot be a picture's, or None."""
    try:
        with open(path, "rb") as file:
            head = file.read(16)
    except OSError as error:
        return error.strerror
    if head.startswith(SIGNATURES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return None
    return "not a picture" if head else "empty"


def _show(path):
    return os.fsencode(path).decode("utf-8", "backslashreplace").replace("\n", "\\n")
