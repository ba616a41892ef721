"""The state of a training as a file that can tell whether it is whole, and what it belongs to (no TensorFlow)."""

import hashlib
import io
import json
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ganime.errors import GanimeError
from ganime.files import atomic_write

# A state is what Keras saves (HDF5), what else is known of it (JSON), the length of that in eight bytes, the SHA-256 of
# all these, and this mark. HDF5's readers do not look at what follows theirs.
MARK = b"\nganime state 1\n"
_DIGEST, _LENGTH = 32, 8  # bytes
_END = _LENGTH + _DIGEST + len(MARK)
_HDF5 = b"\x89HDF\r\n\x1a\n\0"  # with version 0 of what follows, which has the file's length at byte 40

log = logging.getLogger("ganime")


class DamagedState(GanimeError):
    """A file that is not the whole state of a training."""


class _Memory(io.BytesIO):
    """A file in memory, under a name that Keras accepts. HDF5 that writes to a disk and finds it full ends the process with a
    segmentation fault (h5py 3.14, HDF5 1.14.6)."""

    def __str__(self):
        return "memory.weights.h5"


@contextmanager
def sealed(model, about: dict):
    """Take a model's weights, optimizers and step as they are now, and give a function that writes them to a path, whole or not
    at all. Their checksum is made meanwhile on another core.

    Args:
        model: A Keras model.
        about: What else to keep, of JSON's types.

    Example:
        >>> with sealed(model, {"note": "as it is now"}) as write:  # doctest: +SKIP
        ...     write(Path("gan.weights.h5"))
    """
    known = json.dumps(about).encode()
    known += len(known).to_bytes(_LENGTH)
    with _Memory() as memory:
        model.save_weights(memory)
        with memory.getbuffer() as weights, ThreadPoolExecutor(1) as beside:
            digest = beside.submit(_digest, weights, known)

            def write(path, before=None):
                """Write the file, which Keras' `load_weights` takes if it ends in `.weights.h5`; what it replaces goes to
                `before`. After an OSError the state that was there stays."""
                with atomic_write(path) as part:
                    with open(part, "wb") as file:
                        file.write(weights)
                        file.write(known + digest.result() + MARK)
                    if before and path.exists():
                        _keep(path, before)

            yield write


@dataclass(frozen=True)
class State:
    """A whole state.

    Attributes:
        path: Its file.
        about: What was kept with it; empty where Keras alone wrote it.
        weights: What Keras wrote.
    """

    path: Path
    about: dict
    weights: memoryview = field(repr=False)

    @property
    def sha256(self) -> str:
        """Of the whole file as it was read, in hexadecimal."""
        return hashlib.sha256(self.weights.obj).hexdigest()

    def load_into(self, model) -> None:
        """Give a Keras model these weights, optimizers and step.

        Raises:
            DamagedState: If they are another model's.
        """
        try:
            model.load_weights(_Memory(self.weights))
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            raise DamagedState(f"{self.path} cannot be loaded: {str(error).splitlines()[0][:200]}") from error


def read_state(path: Path) -> State:
    """Read what `sealed` wrote, or what Keras alone did, which has no checksum.

    Raises:
        DamagedState: If the file is not as it was written.
        OSError: If it cannot be read.
    """
    data = memoryview(path.read_bytes())
    if data[-len(MARK) :] == MARK:
        end = len(data) - _END
        start = end - _read_length(data)
        if _digest(data[: end + _LENGTH]) != data[end + _LENGTH : -len(MARK)]:
            raise DamagedState(f"{path} is damaged: its checksum is another one")
        return State(path, json.loads(bytes(data[start:end])), data[:start])
    if data[: len(_HDF5)] != _HDF5 or int.from_bytes(data[40:48], "little") != len(data):
        raise DamagedState(f"{path} is damaged: it is not as it was written")
    return State(path, {}, data)


def newest_state(path: Path, before: Path) -> State | None:
    """The last state that is whole; the log says so if it is not the last that was saved. None if nothing has been saved yet.

    Args:
        path: Where the last one is.
        before: Where the one before is.

    Raises:
        DamagedState: If there are states, and none is whole.
        OSError: If they cannot be read.
    """
    reason = ""
    for candidate in (path, before):
        try:
            state = read_state(candidate)
        except FileNotFoundError:
            reason = reason or f"{path} is not there"
            continue
        except DamagedState as error:
            reason = f"{reason}; {error}" if candidate == before else str(error)
            continue
        if candidate == before:
            log.warning("%s; training goes on from the state before, %s", reason, before)
        return state
    if path.exists() or before.exists():
        raise DamagedState(f"{reason}. Put a whole one there, or remove {path.parent} to begin the run again")
    return None


def read_about(path: Path) -> dict:
    """What else was kept with a state, unverified; empty if there is no such file, or nothing can be read."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _END))
            end = file.read()
            length = _read_length(end)
            if not end.endswith(MARK) or length > size - _END:
                return {}
            file.seek(size - _END - length)
            return json.loads(file.read(length))
    except (OSError, ValueError, RecursionError):
        return {}


def _read_length(data):
    return int.from_bytes(data[-_END : _LENGTH - _END])


def _digest(*parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def _keep(path, before):
    """Give a file, which is about to be replaced, another name."""
    before.unlink(missing_ok=True)
    try:
        os.link(path, before)
    except OSError:  # no links there, as on FAT; for a moment the file has its other name only
        os.replace(path, before)
