"""What is made of a user's files and kept in the cache, under names that change with them (no TensorFlow)."""

import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ganime.files import atomic_write, home, remove_parts

DIGEST = 65  # bytes of a SHA-256 in hexadecimal, and a line's end


def kept_name(kind: str, paths: Iterable[Path], known: list, ending: str) -> Path:
    """The file of the user's cache that holds something of other files.

    Args:
        kind: What it is.
        paths: Where these files are.
        known: What else it depends on, such as when they were changed; of JSON's types.
        ending: Of its name.
    """
    places = b"\0".join(os.fsencode(path.resolve()) for path in paths)
    first, second = (hashlib.sha256(text).hexdigest()[:16] for text in (places, json.dumps(known).encode()))
    return home() / f"{kind}-{first}-{second}{ending}"


def forget(kept: Path) -> None:
    """Remove what was kept of the same files before they changed, and what killed programs have left."""
    if kept.parent.is_dir():
        remove_parts(kept.parent)
        for old in kept.parent.glob(f"{kept.name[: kept.name.rindex('-')]}-*"):
            if old.stem != kept.stem:
                with suppress(PermissionError):  # another program has it open, which Windows minds
                    old.unlink(missing_ok=True)


def write_sealed(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, with a SHA-256 behind it."""
    with atomic_write(path) as part:
        part.write_bytes(content + _seal_of(content))


def read_sealed(path: Path) -> bytes:
    """What `write_sealed` wrote.

    Raises:
        ValueError: If it is something else.
    """
    data = path.read_bytes()
    if data[-DIGEST:] != _seal_of(data[:-DIGEST]):
        raise ValueError("damaged, or of an earlier build")
    return data[:-DIGEST]


def _seal_of(content):
    return f"{hashlib.sha256(content).hexdigest()}\n".encode()
