"""Arrays that take long to compute, kept on disk between programs (no TensorFlow)."""

import hashlib
import json
import logging
import os
from collections.abc import Callable

import numpy as np

from ganime.data.kept import DIGEST
from ganime.data.names import show
from ganime.data.packed import DAMAGED
from ganime.files import atomic_write, home, remove_parts
from ganime.run import library_versions

PROBES = 32

log = logging.getLogger("ganime")


def cached(
    kind: str,
    pictures,
    size: int,
    settings: dict,
    make: Callable[[], np.ndarray],
    shape: tuple[int, ...],
    dtype: np.typing.DTypeLike,
) -> np.ndarray:
    """What `make` computes from pictures: from the user's cache if that was done before, else computed and kept there.

    The pictures are known by their fingerprint and by the pixels of some of them, since two folders may have files of the same
    names and sizes. A file of the cache is a NumPy array and the SHA-256 of it; one that is damaged, or holds what cannot be,
    is computed anew, and the log says so.

    Args:
        kind: What it is, a part of the file's name.
        pictures: `PictureFolder`, `PackedPictures`, `DrawnFaces` or a `Selection` of them.
        size: Side of the pictures in pixels.
        settings: What else it depends on, apart from the libraries' versions; of JSON's types.
        make: Computes it.
        shape, dtype: What it is an array of; all values are finite.
    """
    probes = np.linspace(0, len(pictures) - 1, min(len(pictures), PROBES)).astype(int).tolist()
    pixels = hashlib.sha256(pictures.load_batch(probes, size)).hexdigest()
    key = {"data": pictures.fingerprint, "pixels": pixels, "size": size, "versions": library_versions(), **settings}
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    path = home() / f"{kind}-{digest[:24]}.npy"
    try:
        return _read(path, shape, dtype)
    except FileNotFoundError:
        pass
    except (OSError, EOFError, *DAMAGED) as error:
        log.warning("%s cannot be used (%s): computed anew", show(path), error)
    made = make()
    try:
        remove_parts(path.parent)
        with atomic_write(path) as part:  # several programs may do this at once
            _write(part, made)
    except OSError as error:
        log.warning("%s is computed anew next time: it cannot be kept (%s)", kind, error)
    return made


def _write(path, array):
    with open(path, "w+b") as file:
        np.save(file, array)
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.write(f"{digest}\n".encode())


def _read(path, shape, dtype):
    with open(path, "rb") as file:
        left, digest = max(0, file.seek(0, os.SEEK_END) - DIGEST), hashlib.sha256()
        file.seek(0)
        while left and (read := file.read(min(left, 2**20))):
            digest.update(read)
            left -= len(read)
        if file.read() != f"{digest.hexdigest()}\n".encode():
            raise ValueError("damaged, or of an earlier build")
        file.seek(0)
        array = np.load(file)
    if (array.shape, array.dtype) != (shape, dtype) or not np.isfinite(array).all():
        raise ValueError("not what it should hold")
    return array
