"""The pictures in a column of parquet files (no TensorFlow; needs the optional library pyarrow)."""

import contextlib
import hashlib
import io
import json
import logging
import os
import re
import tarfile
import zlib
from array import array
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ganime.data.columns import Table
from ganime.data.decode import MAX_BYTES
from ganime.data.kept import forget, kept_name, read_sealed, write_sealed
from ganime.data.labels import LABELS
from ganime.data.listing import ending_of
from ganime.data.names import show
from ganime.data.numpy_files import check_room
from ganime.data.packed import DAMAGED
from ganime.data.tar_headers import BLOCK
from ganime.data.tars import TarListing
from ganime.errors import GanimeError, InputError
from ganime.files import atomic_write

FREE, EXPANSION = 2**26, 100  # bytes that any copy may have, and times the size of the files that a larger one may
LONGEST = 4096  # bytes of a name
FORMAT = 1  # of the copies; others are made if that changes

log = logging.getLogger("ganime")


def open_parquet(paths: Sequence[Path], place: Path) -> "ParquetListing":
    """The pictures in a column of one or more parquet files, as the Hugging Face hub and other programs write them.

    Pictures in such a file lie together by the thousand, and one cannot be read without the others. So they are copied once,
    into a tar file in the user's cache; the log says so. It is made anew if a file has changed, or the copy.

    Args:
        paths: The files, in their order.
        place: What stands for all of them: the one, a folder, or a pattern.

    Raises:
        InputError: If one is damaged, or has no column that can only be that of pictures, or paths alone.
        GanimeError: If pyarrow is not installed, a file cannot be read, or there is no room for the copy.
    """
    try:
        statuses = [_status(path) for path in paths]
    except OSError as error:
        raise GanimeError(f"{show(place)} cannot be read ({error})") from error
    kept = kept_name("parquet", paths, [FORMAT, statuses], ".tar")
    about = kept.with_suffix(".json")
    if kept.exists():
        try:
            return ParquetListing(kept, about, place)
        except (OSError, InputError, *DAMAGED) as error:
            log.warning("%s cannot be used (%s): made anew", show(kept), error)
    _copy(paths, statuses, kept, about, place)
    return ParquetListing(kept, about, place)


class ParquetListing(TarListing):
    """The pictures of parquet files, read from the copy that `open_parquet` makes; each is verified (CRC-32) whenever it is.

    Args:
        kept: The copy.
        about: A file that says how it was made, and what is not in it.
        place: The parquet files.

    Raises:
        OSError, ValueError: If it is not as it was made.
    """

    def __init__(self, kept: Path, about: Path, place: Path):
        notes = json.loads(read_sealed(about))
        if notes["status"] != _status(kept):
            raise ValueError("changed")
        super().__init__([kept], place)
        self._about = about
        self.left_out.update({(reason, ending): count for reason, ending, count in notes["left_out"]})
        self.left_out.pop(("labels", ending_of(LABELS.encode())), None)  # which only the copy has

    @property
    def where(self) -> str:
        return show(self.path)

    def _content(self, number, place, size):
        file = self._open(number)
        block = file.read(place - BLOCK, BLOCK + size)
        data = block[BLOCK:]
        with contextlib.suppress(ValueError):
            # All of a member is wanted but for a file of labels that is too long.
            if int(block[124:135], 8) > size or int(block[136:147], 8) == zlib.crc32(data):
                return data
        self._about.unlink(missing_ok=True)
        raise GanimeError(f"{show(file.path)}, the copy of {show(self.path)}, is damaged; start again, and it is made anew")


def _status(path):
    status = os.stat(path)
    return [status.st_size, status.st_mtime_ns]


def _copy(paths, statuses, kept, about, place):
    """Copy all pictures into a tar.

    The bytes and the time of the copy depend on the files alone, so that of two programs that make it at once either may come
    last without that the other one's is taken for changed.
    """
    table, time = Table(paths), max(changed for _, changed in statuses)
    needed = table.size + table.count * 2 * BLOCK
    shown = f"{show(kept)}, about {needed / 1e6:,.0f} MB"
    log.warning("%s: its pictures are copied once to %s, where each can be read alone", show(place), shown)
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        forget(kept)
        check_room(kept.parent, needed)
        with atomic_write(kept) as part:
            with tarfile.open(part, "w", format=tarfile.GNU_FORMAT, encoding="utf-8", errors="surrogateescape") as archive:
                left_out = _fill(archive, table, place)
            os.utime(part, ns=(time, time))
        if statuses != [_status(path) for path in paths]:
            raise GanimeError(f"{show(place)} was changed while it was copied; start again")
        notes = {"status": _status(kept), "left_out": [[*key, count] for key, count in sorted(left_out.items())]}
        write_sealed(about, json.dumps(notes).encode())
    except OSError as error:
        raise GanimeError(f"{show(place)} cannot be copied to {show(kept)} ({error})") from error


def _fill(archive, table, place):
    names, left_out, labels = _Names(table), Counter(), bytearray()
    most, pictures = max(FREE, EXPANSION * table.file_size), 0
    root = tarfile.TarInfo("./")  # a folder around all pictures is part of their names
    root.type = tarfile.DIRTYPE
    archive.addfile(root)
    for row, (data, path, label) in enumerate(table.rows()):
        name = names.give(row, path)
        if data is None or len(data) > MAX_BYTES:
            left_out["no bytes" if data is None else "too large", ending_of(name)] += 1
            continue
        if archive.offset + len(data) > most:
            raise InputError(f"{show(place)} unpacks to more than {most:,} bytes, too many for what it is")
        pictures += 1
        _add(archive, name, data)
        if label is not None:
            labels += b", " * bool(labels) + json.dumps([os.fsdecode(name), label]).encode()
    if table.count and not pictures and not any(reason == "too large" for reason, _ in left_out):
        what = "holds no pictures, but paths at the most, as Dataset.to_parquet() of the library datasets may write"
        raise InputError(f"{show(place)} {what}; give the folder that these lead to, or embed the pictures in the file")
    if table.has_labels:
        _add(archive, LABELS.encode(), b'{"labels": [' + labels + b"]}")
    return left_out


def _add(archive, name, data):
    member = tarfile.TarInfo(name.decode("utf-8", "surrogateescape"))
    member.size, member.mtime = len(data), zlib.crc32(data)
    archive.addfile(member, io.BytesIO(data))
    archive.members.clear()


class _Names:
    """Gives each row a name of its own: the path that it has, as a name within a folder, or else the row's number.

    Args:
        table: The rows.
    """

    def __init__(self, table: Table):
        hashes = np.array(array("q", (_hash(name) for path in table.paths() if (name := _within_folder(path)))))
        self._digits = len(str(max(0, table.count - 1)))
        self._known, counts = np.unique(hashes, return_counts=True)
        self._several = set(self._known[counts > 1].tolist())

    def give(self, row, path):
        number, name = b"%0*d" % (self._digits, row), _within_folder(path)
        if name and _hash(name) not in self._several:
            return name
        # A number that is the name of another row already is written once more.
        stem, ending = os.path.splitext(name or b"")
        name = b"-".join((stem, number)) if stem else number
        while self._is_known(name + ending):
            name += b"-" + number
        return name + ending

    def _is_known(self, name):
        value = _hash(name)
        place = np.searchsorted(self._known, value)
        return place < len(self._known) and self._known[place] == value


def _within_folder(path):
    """A path as it is within a folder; of one that leads elsewhere the last part; empty if there is none, or an absurd one."""
    if not path or b"\0" in path or len(path) > LONGEST:
        return b""
    path = path.partition(b"::")[0]  # of a chain, as in zip://face.png::faces.zip
    windows = re.match(rb"[A-Za-z]:[\\/]", path)
    if windows:
        path = path.replace(b"\\", b"/")
    parts = [part for part in path.split(b"/") if part not in (b"", b".", b"..")]
    return b"/".join(parts[-1:] if windows or path.startswith(b"/") or b"://" in path else parts)


def _hash(name):
    """64 bits, the same in every program."""
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little", signed=True)
