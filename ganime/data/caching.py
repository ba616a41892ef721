"""Arrays that take long to compute, kept on disk between programs (no TensorFlow)."""

import hashlib
import json
import logging
import os
from collections.abc import Callable

import numpy as np

from ganime.data.packed import DAMAGED
from ganime.files import home
from ganime.run import library_versions

PROBES = 32

log = logging.getLogger("ganime")


def cached(kind: str, pictures, size: int, settings: dict, make: Callable[[], np.ndarray]) -> np.ndarray:
    """What `make` computes from pictures: from the user's cache if that was done before, else computed and kept there.

    The pictures are known by their fingerprint and by the pixels of some of them, since two folders may have files of the same
    names and sizes.

    Args:
        kind: What it is, a part of the file's name.
        pictures: `PictureFolder`, `PackedPictures`, `DrawnFaces` or a `Selection` of them.
        size: Side of the pictures in pixels.
        settings: What else it depends on, apart from the libraries' versions; of JSON's types.
        make: Computes it.
    """
    probes = np.linspace(0, len(pictures) - 1, min(len(pictures), PROBES)).astype(int).tolist()
    pixels = hashlib.sha256(pictures.load_batch(probes, size)).hexdigest()
    key = {"data": pictures.fingerprint, "pixels": pixels, "size": size, "versions": library_versions(), **settings}
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    path = home() / f"{kind}-{digest[:24]}.npy"
    try:
        return np.load(path)
    except (OSError, EOFError, *DAMAGED):  # not there, or no longer whole
        made = make()
    part = path.with_name(f".{os.getpid()}-{path.name}")  # several programs may do this at once
    try:
        home().mkdir(parents=True, exist_ok=True)
        np.save(part, made)
        os.replace(part, path)
    except OSError as error:
        log.warning("%s is computed anew next time: it cannot be kept (%s)", kind, error)
    return made
