"""Files that are written whole, locked, or fetched once and kept (no TensorFlow)."""

import errno
import hashlib
import logging
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Collection
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from ganime.errors import GanimeError, InputError

HELD_OPEN = 3.0  # seconds for which a file is tried that another program, a viewer or a virus scanner, may hold open
PATIENCE = 60.0  # seconds for which `insist` tries
NO_LOCKS = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK)
_PART = re.compile(r"\.part-(\d+)-[0-9a-f]{8}-.*")

log = logging.getLogger("ganime")
Result = TypeVar("Result")
_waiting = threading.Event()


@contextmanager
def exclusive(path: Path, busy: str):
    """Hold a lock file for this process; the system frees it even if the process is killed. Some network drives know no locks:
    there the log says so, and nothing is held.

    Args:
        path: The lock file; its folder is made.
        busy: What to say if another process holds it.

    Raises:
        GanimeError: If another process holds it.
        OSError: If the file cannot be made.
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise GanimeError(busy) from None
    except (OSError, NotImplementedError) as error:  # the latter is what filelock 3.29 makes of ENOSYS
        if isinstance(error, OSError) and error.errno not in NO_LOCKS:
            raise
        log.warning("%s: the file system knows no locks; see yourself that no other program works there", path.parent)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def atomic_write(path: Path):
    """Give a path to write to; what was written there replaces `path` whole, once it is on disk, or not at all.

    The suffix, on which some writers depend, is kept. Of several programs that write one file at once the last one's stays.
    Windows does not let a file be replaced that another program holds open: it is tried for `HELD_OPEN` seconds.

    Raises:
        PermissionError: If the file may still not be replaced then; it stays as it was.

    Example:
        >>> with atomic_write(Path("notes.txt")) as part:  # doctest: +SKIP
        ...     part.write_text("whole or not at all")
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".part-{os.getpid()}-{os.urandom(4).hex()}-{path.name[-100:]}")
    try:
        yield part
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        _replace(part, path)
    finally:
        with suppress(OSError):  # the drive is gone, and the reason is on its way already
            part.unlink(missing_ok=True)


def _replace(part, path):
    limit = time.monotonic() + HELD_OPEN
    while True:
        try:
            return os.replace(part, path)
        except PermissionError as error:
            if time.monotonic() > limit:
                reason = "it cannot be replaced, another program may hold it open"
                raise PermissionError(error.errno, reason, str(path)) from error
        time.sleep(0.1)


def remove_parts(folder: Path) -> None:
    """Remove what programs that were killed while in `atomic_write` have left in a folder."""
    for path in Path(folder).glob(".part-*"):
        if (match := _PART.fullmatch(path.name)) and not _runs(int(match[1])):
            path.unlink(missing_ok=True)


def _runs(process):
    """Whether a process of that number may exist. Windows has no way to ask that would not end it."""
    try:
        if os.name != "nt":
            os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        pass
    return True


def insist(action: Callable[[], Result], what: str) -> Result:
    """Do what must be done, again and again for `PATIENCE` seconds: a network drive may be away for a moment, a disk full. The
    log says so once, however many threads wait.

    Args:
        action: Does it; called again after an `OSError`.
        what: What cannot be done then, for messages.

    Returns:
        What the action gives.

    Raises:
        GanimeError: If it still cannot be done.
    """
    limit, pause = time.monotonic() + PATIENCE, 0.1
    while True:
        try:
            result = action()
        except OSError as error:
            reason = f"{what} ({error})"
            if time.monotonic() > limit:
                raise GanimeError(reason) from error
            if not _waiting.is_set():
                _waiting.set()
                log.warning("%s; trying again for %.0f seconds", reason, PATIENCE)
        else:
            _waiting.clear()
            return result
        time.sleep(pause)
        pause = min(2 * pause, 5.0)


@contextmanager
def atomic_folder(path: Path, names: Collection[str]):
    """Give a folder to fill, which then takes the place of `path` whole, or not at all.

    Args:
        path: Where nothing is yet, or a folder in which nothing is but what may be replaced.
        names: What may be replaced: names of files and folders in it.

    Raises:
        InputError: If something else is there.
    """
    path = Path(path)
    others = sorted({file.name for file in path.iterdir()} - {*names}) if path.is_dir() else []
    if others or (path.exists() and not path.is_dir()):
        what = f"holds {others[0]}, which would be lost" if others else "is a file"
        raise InputError(f"{path} {what}; name another folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".part-{path.name}-", dir=path.parent) as folder:
        part, before = Path(folder, "new"), Path(folder, "before")
        part.mkdir()
        yield part
        if path.exists():
            path.rename(before)
        part.rename(path)


def hash_file(path: str | os.PathLike) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
