"""A file that is read at any place as long as a program runs (no TensorFlow)."""

import os
import threading
from pathlib import Path

from ganime.data.names import show
from ganime.errors import GanimeError
from ganime.files import insist


class SteadyFile:
    """A file that is read at any place, by several threads, and must stay as it is.

    Attributes:
        size: Its length in bytes.
    """

    def __init__(self, path: str | os.PathLike):
        self.path, self._turn = Path(path), threading.Lock()
        self._file = open(path, "rb")  # noqa: SIM115 (open as long as the pictures are)
        self._known = self._look()
        self.size = self._known[0]

    def read(self, place: int, count: int) -> bytes:
        """So many bytes from a place on.

        Raises:
            GanimeError: If the file has been cut short or changed since it was opened, or the disk or the network fails for
                longer than `insist` waits.
        """
        try:
            return self._read(place, count)
        except OSError:
            return insist(lambda: self._read_anew(place, count), f"{show(self.path)} cannot be read")

    def _read(self, place, count):
        # Not mapped into memory, where the system kills a process that meets a disk's error or the end of a file cut short.
        file, parts = self._file, []
        while count:
            if hasattr(os, "pread"):
                part = os.pread(file.fileno(), count, place)
            else:
                with self._turn:
                    file.seek(place)
                    part = file.read(count)
            if not part:
                raise GanimeError(f"{show(self.path)} was cut short while in use")
            parts.append(part)
            place, count = place + len(part), count - len(part)
        if self._look() != self._known:
            raise GanimeError(f"{show(self.path)} was changed while in use; start again with the file as it is now")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read_anew(self, place, count):
        """A network drive that was away may know nothing of files that were open before."""
        self._file = open(self.path, "rb")  # noqa: SIM115
        return self._read(place, count)

    def _look(self):
        status = os.fstat(self._file.fileno())
        return status.st_size, status.st_mtime_ns
