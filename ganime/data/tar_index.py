"""What lies where in a tar file, in few bytes a member, kept in the user's cache (no TensorFlow)."""

import json
import logging
import os
import re
import zlib
from array import array
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from ganime.data.formats import FORMATS, SUFFIXES
from ganime.data.kept import forget, kept_name, read_sealed, write_sealed
from ganime.data.listing import HEAD, is_hidden, looks_like_picture
from ganime.data.names import show
from ganime.data.packed import DAMAGED
from ganime.data.steady import SteadyFile
from ganime.data.tar_headers import DIRECTORY, HARD_LINK, REGULAR, SYMBOLIC_LINK, walk
from ganime.errors import GanimeError

PICTURE, OTHER, LINK, SPECIAL, REPLACED = range(5)
MANY, LARGE = 10_000, 10**8  # members and bytes of a tar whose index is kept
CHUNK = 4096  # members that are compressed together
FORMAT = 2  # of a kept index; another one is made if that changes

log = logging.getLogger("ganime")


class TarIndex:
    """The members of a tar file but for its folders, each as (kind, size, place, name); no member is an object of its own.

    A member is a `PICTURE`, as far as one can tell without decoding it, or `OTHER`, a file; a `LINK` whose file is not in the
    tar; `SPECIAL`, such as a device or a sparse file; or `REPLACED` by a later one of its name. A hard link to a member before
    it is that member under another name.

    Args:
        chunks: `CHUNK` members each, compressed.
        common: What all names, those of folders too, begin with.
    """

    def __init__(self, chunks: list[bytes], common: bytes):
        self._chunks, self.common = chunks, common

    def __iter__(self) -> Iterator[tuple[int, int, int, bytes]]:
        for chunk in self._chunks:
            yield from _expand(zlib.decompress(chunk))

    def find(self, name: bytes) -> tuple[int, int] | None:
        """Size and place of the file of that name; None if there is none."""
        for chunk in map(zlib.decompress, self._chunks):
            if name in chunk:
                for kind, size, place, its_name in _expand(chunk):
                    if its_name == name and kind in (PICTURE, OTHER):
                        return size, place
        return None

    def to_bytes(self) -> bytes:
        """All of it, for `from_bytes`."""
        about = {"common": self.common.hex(), "lengths": [*map(len, self._chunks)]}
        return b"".join((json.dumps(about).encode(), b"\n", *self._chunks))

    @classmethod
    def from_bytes(cls, data: bytes) -> "TarIndex":
        """What `to_bytes` made bytes of."""
        head, _, rest = data.partition(b"\n")
        about, chunks, place = json.loads(head), [], 0
        for length in about["lengths"]:
            chunks.append(rest[place : place + length])
            place += length
        return cls(chunks, bytes.fromhex(about["common"]))


def read_index(path: Path) -> tuple[TarIndex, tuple[int, int]]:
    """The members of a tar file, from the user's cache if it is large, has been walked through before and is still as it was.

    Returns:
        The index; the file's length in bytes and the time of its last change in nanoseconds.

    Raises:
        InputError: If it is no whole tar file without compression.
        GanimeError: If it cannot be read.
    """
    try:
        file, now = SteadyFile(path), os.stat(path)
        status = now.st_size, now.st_mtime_ns
        kept = kept_name("tar", [path], [FORMAT, FORMATS, SUFFIXES, status], ".index")
        try:
            return TarIndex.from_bytes(read_sealed(kept)), status
        except FileNotFoundError:
            pass
        except (OSError, *DAMAGED) as error:
            log.warning("%s cannot be used (%s): made anew", show(kept), error)
        index, count = _make_index(file)
    except OSError as error:
        raise GanimeError(f"{show(path)} cannot be read ({error})") from error
    if count > MANY or file.size > LARGE:
        try:
            forget(kept)
            write_sealed(kept, index.to_bytes())
        except OSError as error:
            log.warning("%s is walked through anew next time: its index cannot be kept (%s)", show(path), error)
    return index, status


def _make_index(file):
    """Index and number of the members of a tar."""
    survey = _Survey(file)
    chunks = [*_compress(survey)]
    if (replaced := survey.find_replaced()) or survey.links:
        chunks = [*_compress(_settle(file, chunks, replaced, survey.links))]
    return TarIndex(chunks, survey.common or b""), len(survey.hashes)


class _Survey:
    """The members of a tar, and what can be said of them only at its end.

    Attributes:
        common: What all names begin with so far; None at first.
        hashes: Of all names.
        links: What hard links stand for, by the number of the member; their kind is `LINK` until then.
    """

    def __init__(self, file):
        self._file, self.common, self.hashes, self.links = file, None, array("q"), {}

    def __iter__(self):
        for kind, stored_as, size, place, more in walk(self._file):
            name = _clean(stored_as)
            if kind == DIRECTORY:
                name = name.rstrip(b"/") + b"/" if name else name
            if self.common is None or not name.startswith(self.common):
                self._narrow(name)
            if kind == DIRECTORY:
                continue
            if kind == HARD_LINK:
                self.links[len(self.hashes)] = _clean(more)
            self.hashes.append(hash(name))
            if kind == REGULAR:
                yield judge(name, more), size, place, name
            else:
                yield LINK if kind in (HARD_LINK, SYMBOLIC_LINK) else SPECIAL, 0, 0, name

    def _narrow(self, name):
        if not is_hidden(name.partition(b"/")[0]):
            self.common = os.path.commonprefix([name if self.common is None else self.common, name])  # noqa: RUF071

    def find_replaced(self):
        """Numbers of the members after which another one of the same name comes."""
        hashes = np.frombuffer(self.hashes, np.int64)
        order = np.argsort(hashes, kind="stable")
        # Two different names of one hash (of 64 bits) are not to be expected even among a billion.
        return set(order[:-1][hashes[order[:-1]] == hashes[order[1:]]].tolist())


def _settle(file, chunks, replaced, links):
    """All members again, with what is known at the end."""
    targets = dict.fromkeys(links.values())
    for number, (kind, size, place, name) in enumerate(TarIndex(chunks, b"")):
        if number in replaced:
            yield REPLACED, 0, 0, name
        elif (found := targets.get(links.get(number))) is not None:
            size, place = found
            yield judge(name, file.read(place, min(HEAD, size))), size, place, name
        else:
            yield kind, size, place, name
        if name in targets and kind in (PICTURE, OTHER):
            targets[name] = size, place


def judge(name: bytes, head: bytes) -> int:
    """Whether a file of this name that begins with these bytes is a `PICTURE`, or an `OTHER`."""
    return PICTURE if looks_like_picture(name, head) and not any(map(is_hidden, name.split(b"/"))) else OTHER


def _clean(name):
    """A member's name as the file system would have it, had it been unpacked."""
    if b"//" in name:
        name = re.sub(rb"/+", b"/", name)
    while name.startswith((b"./", b"/")):
        name = name[name.index(b"/") + 1 :]
    return b"" if name == b"." else name


def _compress(members):
    members = iter(members)
    while batch := [*islice(members, CHUNK)]:
        kinds, sizes, places, names = zip(*batch, strict=True)
        numbers = np.array([kinds, sizes, places], "<i8")
        yield zlib.compress(b"\n".join((b"%d" % len(batch), numbers.tobytes() + b"\0".join(names))), 1)


def _expand(chunk):
    count, _, rest = chunk.partition(b"\n")
    length = 24 * int(count)
    numbers = np.frombuffer(rest[:length], "<i8").reshape(3, -1)
    return zip(*numbers.tolist(), rest[length:].split(b"\0"), strict=True)
