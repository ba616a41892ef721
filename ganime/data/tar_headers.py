"""The members of a tar file, header by header, whatever these claim (no TensorFlow).

The standard library's `tarfile` is not used for this: it takes a damaged header for the end of the file, so that pictures would
be lost without a word, and needs several times as long.
"""

import zlib
from collections.abc import Iterator
from typing import NamedTuple

from ganime.data.listing import HEAD
from ganime.data.names import show
from ganime.data.steady import SteadyFile
from ganime.errors import InputError

BLOCK = 512  # bytes of a header; contents are filled up to whole blocks
REGULAR, HARD_LINK, SYMBOLIC_LINK, DIRECTORY, SPECIAL = range(5)
MAX_HEADER = 2**20  # bytes of a long name, or of a file's extended attributes
MAX_SPARSE = 2**12  # blocks that list the parts of a sparse file
BEHIND = 2**20  # bytes behind the end that are looked at
AT_ONCE = 2048  # bytes: a header, one that extends it and the beginning of the content

_TYPES = {b"0": REGULAR, b"\0": REGULAR, b"7": REGULAR, b"1": HARD_LINK, b"2": SYMBOLIC_LINK, b"5": DIRECTORY}
_WITHOUT_CONTENT = b"123456"  # types whose size means something else


class Member(NamedTuple):
    """A member of a tar file.

    Attributes:
        kind: One of `REGULAR`, `HARD_LINK`, `SYMBOLIC_LINK`, `DIRECTORY` and `SPECIAL` (devices, sparse files and the like).
        name: As the tar has it.
        size: Bytes of its content.
        place: Where that begins.
        more: The first (`HEAD`) bytes of the block there; of a hard link the name of the member that it stands for.
    """

    kind: int
    name: bytes
    size: int
    place: int
    more: bytes


def walk(file: SteadyFile) -> Iterator[Member]:
    """All members of a tar file in their order: of the old, POSIX (pax) and GNU formats.

    Raises:
        InputError: If it is no tar file, damaged, or cut short.
        GanimeError: If it cannot be read, or changes meanwhile.
    """
    place, end, window = 0, file.size, _Window(file)
    extended: dict[bytes, bytes] = {}
    while True:
        block = window.read(place, BLOCK + HEAD)
        if len(block) < BLOCK:
            raise damaged(file, "is cut short: its end is missing")
        if not block[0] and not any(block[:BLOCK]):
            return _check_end(file, place)
        try:
            if not _is_header(block):
                raise ValueError("another checksum")
            kind, size = block[156:157], _number(block[124:136])
            if kind in _WITHOUT_CONTENT:
                size = 0
            elif b"size" in extended and kind not in b"xXLK":
                size = _decimal(extended[b"size"])
            content = place + BLOCK
            if kind == b"S":
                content = _pass_sparse(file, block, content)
            after = content + (size + BLOCK - 1) // BLOCK * BLOCK
            if content + size > end:
                raise damaged(file, f"is cut short: it has {end:,} bytes, and a member needs {content + size:,}")
            if kind in b"xXLK":
                extended |= _read_extended(window, kind, content, size)
            elif kind != b"g":  # what that says of all members concerns neither their names nor their places
                yield _make_member(block, kind, size, content, extended)
                extended = {}
        except ValueError as error:
            if isinstance(error, InputError):
                raise
            what = f"is damaged at byte {place:,}" if place else "is no tar file, or damaged"
            raise damaged(file, f"{what} ({error})") from error
        place = after


class _Window:
    """Reads a bit more than is wanted, since that is wanted next."""

    def __init__(self, file):
        self._file, self._start, self._data = file, 0, b""

    def read(self, place, count):
        """So many bytes from a place on; fewer at the file's end."""
        at = place - self._start
        if not 0 <= at <= len(self._data) - count:
            wanted = max(count, AT_ONCE)
            self._data = self._file.read(place, max(0, min(wanted, self._file.size - place)))
            self._start, at = place, 0
        return self._data[at : at + count]


def damaged(file: SteadyFile, what: str) -> InputError:
    """The error for a file that is of no use as it is."""
    return InputError(f"{show(file.path)} {what}; fetch it, or make it, anew")


def _is_header(block):
    """Whether a header has the checksum that it claims; old programs take bytes for signed numbers."""
    claimed = int(block[148:156].strip(b" \0") or b"0", 8)
    summed = block[:148] + b" " * 8 + block[156:BLOCK]
    # The lower half of an Adler-32 is one more than the sum, modulo 65,521, at a tenth of the time.
    if zlib.adler32(summed) & 0xFFFF == (claimed + 1) % 65521:
        return True
    return claimed == sum(summed) - 256 * sum(byte > 127 for byte in summed)


def _number(field):
    if field[0] & 128:
        if field[0] != 128:
            raise ValueError("a negative size")
        return int.from_bytes(field[1:], "big")
    number = int(field.partition(b"\0")[0].strip() or b"0", 8)
    if number < 0:
        raise ValueError("a negative size")
    return number


def _decimal(text):
    if not text.isdigit() or len(text) > 20:
        raise ValueError("a size that is none")
    return int(text)


def _until_zero(field):
    return field.partition(b"\0")[0]


def _make_member(block, kind, size, content, extended):
    name = extended.get(b"path")
    if name is None:
        name = _until_zero(block[:100])
        # Other formats have other things there.
        if block[257:263] == b"ustar\0" and block[345]:
            name = _until_zero(block[345:500]) + b"/" + name
    if b"\0" in name:
        raise ValueError("a name with a zero byte")
    known = _TYPES.get(kind, SPECIAL)
    if known == REGULAR and any(key.startswith(b"GNU.sparse.") for key in extended):
        known = SPECIAL
    elif known == REGULAR and name.endswith(b"/"):
        known = DIRECTORY
    if known == HARD_LINK:
        return Member(known, name, size, content, extended.get(b"linkpath", _until_zero(block[157:257])))
    return Member(known, name, size, content, block[BLOCK : BLOCK + min(HEAD, size)])


def _pass_sparse(file, block, content):
    """Where the content of a sparse file begins, behind the blocks that list its parts."""
    more, count = block[482], 0
    while more:
        if content + BLOCK > file.size or count == MAX_SPARSE:
            raise ValueError("a list of parts without an end")
        more, content, count = file.read(content, BLOCK)[504], content + BLOCK, count + 1
    return content


def _read_extended(window, kind, content, size):
    """What headers before a member say of it: its name, what it links to, its size, whether it is sparse."""
    if size > MAX_HEADER:
        raise ValueError(f"a header of {size:,} bytes")
    data = window.read(content, size)
    if kind == b"L":
        return {b"path": _until_zero(data)}
    if kind == b"K":
        return {b"linkpath": _until_zero(data)}
    found, place, data = {}, 0, data.rstrip(b"\0")
    while place < len(data):  # records such as b"18 path=face.png\n", with their length
        length, space, _ = data[place : place + 10].partition(b" ")
        end = place + _decimal(length)
        if not space or end < place + len(length) + 2 or data[end - 1 : end] != b"\n":
            raise ValueError("a damaged extended header")
        key, _, value = data[place + len(length) + 1 : end - 1].partition(b"=")
        found[key] = value
        place = end
    return found


def _check_end(file, place):
    """See that nothing follows: where a header is damaged, or two files were put together, that would be lost."""
    if any(file.read(place, min(BEHIND, file.size - place))):
        advice = "if tars were put together, give them one by one, or join them with tar --concatenate"
        raise damaged(file, f"has something behind its end at byte {place:,}, and is damaged ({advice})")
