"""Arrays that take long to compute, kept on disk between programs (no TensorFlow)."""

import hashlib
import json
import logging
from collections.abc import Callable

import numpy as np

from ganime.fetching import home
from ganime.runs import atomic_write

log = logging.getLogger("ganime")


def cached(kind: str, key: dict, make: Callable[[], np.ndarray]) -> np.ndarray:
    """What `make` gives: from the user's cache if it was made before, else made and kept there.

    Args:
        kind: What it is, a part of the file's name.
        key: All that it depends on, of JSON's types.
        make: Makes it.
    """
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
    path = home() / f"{kind}-{digest[:24]}.npy"
    try:
        return np.load(path)
    except (OSError, ValueError, EOFError):  # not there, or damaged
        made = make()
    try:
        with atomic_write(path) as part:
            np.save(part, made)
    except OSError as error:
        log.warning("%s is computed anew next time: it cannot be kept (%s)", kind, error)
    return made
