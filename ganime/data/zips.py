"""The pictures in a zip file, read where they are (no TensorFlow)."""

import os
import struct
import threading
import zlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from ganime.data.decode import MAX_BYTES, UnreadablePicture, format_of, is_picture
from ganime.data.labels import MAX_EXTRA
from ganime.data.listing import HEAD, Listing, Others, ending_of, is_backup, is_hidden, is_named_as_picture
from ganime.data.names import show
from ganime.data.zip_directory import LOCAL_SIZE, ZipDirectory
from ganime.errors import GanimeError, InputError
from ganime.files import insist

STORED, DEFLATED, ENCRYPTED = 0, 8, 1
METHODS = {1: "shrink", 6: "implode", 9: "deflate64", 12: "bzip2", 14: "lzma", 20: "zstd", 93: "zstd", 95: "xz", 98: "ppmd"}
FAT, NTFS, VFAT = 0, 10, 14  # systems that a zip file was made on
LARGE, MAX_RATIO = 2**24, 100  # a member that is larger unpacked may be at most so many times its size in the file
CODES = 512  # bytes, amply, before the content of a compressed file
USUAL, ALIGNED = 64, 4096  # bytes of the extra field before a member, usually and where members begin at a page

_PLACE = struct.Struct("<QIIB")  # place of a member's header, compressed size, CRC-32, method
_LOCAL = struct.Struct("<4s2x2H16x2H")  # signature, flags, method, lengths of name and extra field


class ZipListing(Listing):
    """The pictures of a zip file of a folder, under the names that they have in that folder; nothing is unpacked to disk.

    Members may be stored or deflated. A single folder around everything is the archive's, and no part of the names. Of two
    members of one name the last counts, as when they are unpacked. Names are bytes, as folders have them, save that of an
    archive made on Windows the backslashes become slashes. Every picture is verified (CRC-32) whenever it is read. The file
    stays open.

    Args:
        path: The file.

    Attributes:
        name: The file's, without its ending.

    Raises:
        InputError: If it is no whole zip file, encrypted, one part of several, if its members overlap, or if all its pictures
            are compressed in another way.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 (open as long as the listing is)
        self._turn, self._status, self._extra = threading.Lock(), _status(self._file), USUAL
        self._directory = ZipDirectory(self.path, self._bytes_at, self._status[0])
        self._top, self._backslashes, self._replaced = self._guess_top(), False, frozenset()
        for _ in range(2):  # the second time only where that turns out to be otherwise
            survey, others, methods = _Survey(), Others(), Counter()
            found = self._pictures(survey, methods, others)
            super().__init__(self.path, found, others.left_out, _PLACE.size, others.texts)
            taken = self._top, self._backslashes, self._replaced
            self._top, self._backslashes, self._replaced = survey.top, survey.backslashes, survey.find_replaced()
            if taken == (self._top, self._backslashes, self._replaced):
                break
        self.name, self.named = self.path.stem, others.named
        if methods and not methods.keys() & {STORED, DEFLATED}:
            what = f"the pictures in {show(path)} are compressed with {' and '.join(map(_name, methods))}, which cannot be read"
            raise InputError(f"{what}; unpack it, or pack it anew with stored members (zip -0)")

    def read(self, index: int) -> bytes:
        name, size, _ = self._entry(index).split(b"\0")
        data = self._content(self._top + name, int(size), *_PLACE.unpack_from(self._places, index * _PLACE.size))
        if not format_of(data):
            raise UnreadablePicture("not a picture" if data else "empty")
        return data

    def read_extra(self, name: str) -> bytes | None:
        return next((content for _, content in self.read_extras([name])), None)

    def read_extras(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        wanted = set(map(os.fsencode, names))
        members = {inside: member for member in self._directory if (inside := self._within(member[0])) in wanted}
        for name, (stored_as, place, packed, size, crc, method, *_) in members.items():
            try:
                if size > MAX_EXTRA:
                    content = self._beginning(stored_as, place, packed, method, MAX_EXTRA + 1)
                else:
                    content = self._content(self._with_slashes(stored_as), size, place, packed, crc, method)
            except UnreadablePicture as error:
                raise InputError(f"{show(os.fsdecode(name))} in {show(self.path)}: {error}") from error
            yield os.fsdecode(name), content

    def _guess_top(self):
        """The folder around everything, if it is around the first member and the last one."""
        names = [name for name in self._directory.ends if _is_seen(name)]
        return _top_of(os.path.commonprefix(names) or b"")  # noqa: RUF071 (of characters)

    def _pictures(self, survey, methods, others):
        """Name, size and place of each picture; counts their methods, and takes in the others."""
        take, top, replaced, folder, hidden = survey.take, self._top, self._replaced, None, False
        for index, (stored_as, place, packed, size, crc, method, flags, system) in enumerate(self._directory):
            if flags & ENCRYPTED:
                raise InputError(f"{show(self.path)} is encrypted; unpack it with its password and give the folder")
            take(stored_as, place, packed, system)
            name = self._with_slashes(stored_as).removeprefix(top)
            above, _, last = name.rpartition(b"/")
            if not last:
                continue
            if above != folder:
                folder, hidden = above, any(map(is_hidden, above.split(b"/")))
            if index in replaced:
                others.left_out["replaced", ending_of(name)] += 1
            elif not (hidden or is_hidden(last)) and self._is_picture(name, stored_as, place, packed, method):
                methods[method] += 1
                yield name, size, _PLACE.pack(place, min(packed, 2**32 - 1), crc, min(method, 255))
            else:
                others.add(name)
        if survey.has_overlaps():
            raise InputError(f"{show(self.path)} is damaged or made to do harm: its members overlap; make it anew")

    def _is_picture(self, name, stored_as, place, packed, method):
        if b"\0" in name:
            return False
        if is_named_as_picture(name):
            return True
        return not is_backup(name) and is_picture(self._beginning(stored_as, place, packed, method, HEAD))

    def _with_slashes(self, name):
        return name.replace(b"\\", b"/") if self._backslashes else name

    def _within(self, stored_as):
        return self._with_slashes(stored_as).removeprefix(self._top)

    def _content(self, name, size, place, packed, crc, method):
        """What a member unpacks to, verified."""
        if method not in (STORED, DEFLATED):
            raise UnreadablePicture(f"compressed with {_name(method)}")
        if max(size, packed) > MAX_BYTES:
            raise UnreadablePicture(f"{max(size, packed):,} bytes are more than {MAX_BYTES:,}")
        if size > LARGE and size > MAX_RATIO * packed:
            raise UnreadablePicture(f"{size:,} bytes out of {packed:,} are more than a picture gives")
        data = self._packed(name, place, packed, method)
        if method == DEFLATED:
            try:
                data = _inflate(data, size + 1)
            except zlib.error:
                raise self._fault("damaged: it cannot be unpacked") from None
        if len(data) != size:
            raise self._fault("damaged: its size is another")
        if zlib.crc32(data) != crc:
            raise self._fault("damaged: its checksum is another")
        return data

    def _beginning(self, stored_as, place, packed, method, count):
        """The first bytes of a member, not verified; none if they cannot be had."""
        if method not in (STORED, DEFLATED):
            return b""
        try:
            data = self._packed(self._with_slashes(stored_as), place, min(packed, 2 * count + CODES), method)
            return _inflate(data, count) if method == DEFLATED else data[:count]
        except (UnreadablePicture, zlib.error):
            return b""

    def _packed(self, name, place, length, method):
        """So many bytes of a member as they are in the file; one read of header and content if the extra field is short."""
        start = LOCAL_SIZE + len(name)
        block = self._bytes_at(start + self._extra + length, place)
        if len(block) < start:
            raise self._fault("cut short")
        signature, flags, its_method, name_length, extra = _LOCAL.unpack_from(block)
        alike = signature == b"PK\3\4" and its_method == method and name_length == len(name) and not flags & ENCRYPTED
        its_name = block[LOCAL_SIZE:start]
        if not alike or (self._with_slashes(its_name) if self._backslashes else its_name) != name:
            raise self._fault("its two headers disagree")
        if extra > self._extra:
            if extra < ALIGNED:
                self._extra = extra
            block, place, start, extra = self._bytes_at(length, place + start + extra), 0, 0, 0
        data = block[start + extra : start + extra + length]
        if len(data) < length:
            raise self._fault("cut short")
        return data

    def _bytes_at(self, count, place):
        """So many bytes from a place on; fewer at the file's end."""
        try:
            return self._try_bytes_at(count, place)
        except OSError:
            return insist(lambda: self._bytes_anew(count, place), f"{show(self.path)} cannot be read")

    def _try_bytes_at(self, count, place):
        # Not mapped into memory, where the system kills a process that meets a disk's error or the end of a file cut short.
        file, parts = self._file, []
        while True:
            if hasattr(os, "pread"):
                part = os.pread(file.fileno(), count, place)
            else:
                with self._turn:
                    file.seek(place)
                    part = file.read(count)
            if len(part) == count and not parts:
                return part
            parts.append(part)
            count, place = count - len(part), place + len(part)
            if not part or not count:
                return b"".join(parts)

    def _bytes_anew(self, count, place):
        """A network drive that was away may know nothing of files that were open before."""
        file = open(self.path, "rb", buffering=0)  # noqa: SIM115
        if _status(file) != self._status:
            raise self._changed()
        self._file = file
        return self._try_bytes_at(count, place)

    def _fault(self, reason):
        """The error for what is not as the directory has it: the picture's fault if the file is the one that was opened."""
        return UnreadablePicture(reason) if _status(self._file) == self._status else self._changed()

    def _changed(self):
        return GanimeError(f"{show(self.path)} was cut short or changed while in use; start again with what it holds now")


class _Survey:
    """What can be said of an archive only when all its members have been seen.

    Attributes:
        backslashes: Whether its names have backslashes where folders have slashes, as on Windows.
    """

    def __init__(self):
        self._places, self._ends, self._hashes = array("q"), array("q"), array("q")
        self._common, self._slashes, self._windows = None, False, True

    def take(self, name, place, packed, system):
        """Take in the next member."""
        self._places.append(place)
        self._ends.append(place + LOCAL_SIZE + len(name) + packed)
        self._hashes.append(hash(name))
        if not self._slashes:
            self._slashes = b"/" in name
        if self._windows:
            self._windows = system in (FAT, NTFS, VFAT)
        known = self._common is not None and name.startswith(self._common)
        if not known and _is_seen(name.replace(b"\\", b"/")):
            self._common = os.path.commonprefix([name if self._common is None else self._common, name])  # noqa: RUF071

    @property
    def backslashes(self):
        return self._windows and not self._slashes

    @property
    def top(self):
        """The folder around everything."""
        return _top_of((self._common or b"").replace(b"\\", b"/") if self.backslashes else self._common or b"")

    def has_overlaps(self):
        """Whether two members share bytes of the file."""
        places, ends = np.frombuffer(self._places, np.int64), np.frombuffer(self._ends, np.int64)
        if np.all(ends[:-1] <= places[1:]):  # as they mostly lie, which takes no memory to see
            return False
        order = np.argsort(places)
        return np.any(ends[order[:-1]] > places[order[1:]])

    def find_replaced(self):
        """Indices of the members after which another one of the same name comes."""
        hashes = np.frombuffer(self._hashes, np.int64)
        # Two different names of one hash (of 64 bits) are not to be expected among millions.
        order = np.argsort(hashes, kind="stable")
        return frozenset(order[:-1][hashes[order[:-1]] == hashes[order[1:]]].tolist())


def _is_seen(name):
    """Whether a folder around everything would be around a member of this name."""
    first = name.partition(b"/")[0]
    return first == b"." or not is_hidden(first)


def _top_of(common):
    """The folder in what all names begin with, with the slash behind it; empty if there is none."""
    here = 2 * common.startswith(b"./")
    return common[: max(here, common.find(b"/", here) + 1)]


def _name(method):
    return METHODS.get(method, f"method {method}")


def _inflate(data, most):
    """At most so many bytes of what the data unpack to."""
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, most)


def _status(file):
    """Length of a file in bytes, and when it was changed."""
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns
