"""The directory of a zip file, read in pieces, without an object for each member (no TensorFlow)."""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

from ganime.data.names import show
from ganime.errors import InputError

# Sizes, offsets and counts of these values stand in a "zip64" record instead.
ELSEWHERE_16, ELSEWHERE = 2**16 - 1, 2**32 - 1
LONGEST = 2**16 - 1  # bytes of a name, an extra field or a comment
PIECE = 2**20  # bytes of the directory that are held at a time
LOCAL_SIZE = 30  # bytes of the header before a member, without name and extra field

# Signature, this disk, the directory's, members on this disk, members, size and offset of the directory, length of a comment.
_END = struct.Struct("<4s4H2IH")
_END_64 = struct.Struct("<4s12x2I4Q")  # the same, without a comment
_LOCATOR = 20  # bytes between the two, which begin with a signature of their own
# Signature, system, flags, method, CRC-32, compressed size, size, lengths of name, extra field and comment, disk, offset.
_MEMBER = struct.Struct("<4sxB2x2H4x3I4H6xI")

Member = tuple[bytes, int, int, int, int, int, int, int]


class ZipDirectory:
    """What a zip file says of its members, read anew from the file whenever it is iterated.

    Each member is (name, place in the file, compressed size, size, CRC-32, method, flags, system it was made on). Nothing else
    in the file has been looked at: only that it has room for them.

    Args:
        path: The file, for messages.
        read: Gives so many bytes (fewer at the end) from a place in the file.
        length: Of the file, in bytes.

    Attributes:
        ends: The names of the first and, as it seems, of the last member; none if there are no members.

    Raises:
        InputError: If it is no zip file, cut short, damaged, or one part of several; also while it is iterated.
    """

    def __init__(self, path: Path, read: Callable[[int, int], bytes], length: int):
        self._path, self._read = path, read
        tail = read(_END.size + LONGEST, max(0, length - _END.size - LONGEST))
        place = tail.rfind(b"PK\5\6")
        while place >= 0 and place + _END.size + int.from_bytes(tail[place + 20 : place + 22], "little") != len(tail):
            place = tail.rfind(b"PK\5\6", 0, place)
        if place < 0:
            raise self._damaged("its directory is missing: it is cut short, or has something behind it")
        _, disk, first_disk, here, count, size, offset, _ = _END.unpack_from(tail, place)
        self._end = length - len(tail) + place
        if large := self._find_zip64():
            self._end, (_, disk, first_disk, here, count, size, offset) = large
        if disk or first_disk or here != count:
            raise self._one_of_several()
        self._count, self._start = count, self._end - size
        self._prefix = self._start - offset  # a program that unpacks it, say
        if self._prefix < 0:
            raise self._damaged("its directory is not where it should be")
        first = read(min(size, _MEMBER.size + LONGEST), self._start)
        last = read(min(size, _MEMBER.size + 3 * LONGEST), self._end - min(size, _MEMBER.size + 3 * LONGEST))
        self.ends = [name for name in (_name_at(first, 0), _name_at(last, last.rfind(b"PK\1\2"))) if name is not None]

    def __iter__(self) -> Iterator[Member]:
        block, at, place, count = b"", 0, self._start, 0
        room, prefix, unpack = self._start - self._prefix - LOCAL_SIZE, self._prefix, _MEMBER.unpack_from
        while True:
            if len(block) - at < _MEMBER.size + 3 * LONGEST and place < self._end:
                block, at = block[at:] + self._read(min(PIECE, self._end - place), place), 0
                place += PIECE
            if at == len(block):
                break
            if len(block) - at < _MEMBER.size:
                raise self._damaged("its directory breaks off")
            signature, system, flags, method, crc, packed, size, length, extra, comment, disk, offset = unpack(block, at)
            name = at + _MEMBER.size
            at = name + length + extra + comment
            if signature != b"PK\1\2" or at > len(block):
                raise self._damaged("its directory is damaged")
            if disk not in (0, ELSEWHERE_16):
                raise self._one_of_several()
            if extra and ELSEWHERE in (size, packed, offset):
                size, packed, offset = _from_zip64(block, name + length, name + length + extra, [size, packed, offset])
            if offset + length + packed > room:
                raise self._damaged("a member lies outside of it")
            count += 1
            yield block[name : name + length], offset + prefix, packed, size, crc, method, flags, system
        if (count - self._count) % 2**16:  # old programs count no further
            raise self._damaged(f"its directory has {count:,} members, not {self._count:,}")

    def _find_zip64(self):
        """Place and content of the record of a large archive; None if there is none."""
        place = self._end - _END_64.size - _LOCATOR
        both = self._read(_END_64.size + _LOCATOR, place) if place > 0 else b""
        if both.startswith(b"PK\6\6") and both.startswith(b"PK\6\7", _END_64.size):
            return place, _END_64.unpack_from(both)
        return None

    def _damaged(self, reason):
        return InputError(f"{show(self._path)} is no whole zip file: {reason}; fetch it, or make it, anew")

    def _one_of_several(self):
        advice = f"join them: zip -s 0 {show(self._path.name)} --out whole.zip"
        return InputError(f"{show(self._path)} is one of several parts of a zip file; {advice}")


def _name_at(block, place):
    """The name in the header of a member that begins there; None if there is none."""
    if place < 0 or len(block) - place < _MEMBER.size:
        return None
    name = place + _MEMBER.size
    return block[name : name + _MEMBER.unpack_from(block, place)[7]]


def _from_zip64(block, place, end, values):
    """The values, those that stand elsewhere taken from the extra field in `block[place:end]`, if it has them."""
    while place + 4 <= end:
        kind, length = struct.unpack_from("<2H", block, place)
        place += 4
        if kind == 1:
            numbers = iter(struct.unpack_from(f"<{min(length, end - place) // 8}Q", block, place))
            return [next(numbers, value) if value == ELSEWHERE else value for value in values]
        place += length
    return values
