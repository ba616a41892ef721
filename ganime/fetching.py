"""Files that are fetched once and kept."""

import os
from pathlib import Path

from ganime.errors import GanimeError


def home() -> Path:
    """The user's cache: `ganime` in Keras' folder (`KERAS_HOME`, else `~/.keras`)."""
    return Path(os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras"), "ganime")


def fetch(name: str, url: str, sha256: str, advice: str) -> Path:
    """Where a public file lies in the user's cache; fetched if it is not yet there.

    Args:
        name: Of the file in that folder.
        url: Where to fetch it.
        sha256: Of its content, which is checked every time.
        advice: What to do where that cannot be done, for the error's message.

    Raises:
        GanimeError: If the file cannot be fetched, or is another one than expected.
    """
    from keras.utils import get_file

    try:
        home().mkdir(parents=True, exist_ok=True)  # else Keras goes to /tmp
        return Path(get_file(name, url, file_hash=sha256, hash_algorithm="sha256", cache_subdir="", cache_dir=home()))
    except Exception as error:  # Keras raises a bare one for all that can go wrong with a download
        reason = str(error).partition("\n")[0]
        raise GanimeError(f"{name} cannot be fetched ({reason}); {advice}") from error
