"""The pictures in tar files, read where they are (no TensorFlow)."""

import os
import re
import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from ganime.data.decode import MAX_BYTES, UnreadablePicture, format_of
from ganime.data.labels import MAX_EXTRA
from ganime.data.listing import Listing, Others, ending_of, is_hidden
from ganime.data.names import show
from ganime.data.steady import SteadyFile
from ganime.data.tar_index import LINK, OTHER, PICTURE, REPLACED, read_index
from ganime.errors import GanimeError, InputError
from ganime.files import insist

MAX_OPEN = 64  # files at once; a process may have a few hundred
COMPRESSED = {  # by the first bytes: with what, and the program that undoes it
    b"\x1f\x8b": ("gzip", "gunzip -k"),
    b"\x1f\x9d": ("compress", "gunzip -k"),
    b"BZh": ("bzip2", "bunzip2 -k"),
    b"\xfd7zXZ\0": ("xz", "unxz -k"),
    b"LZIP": ("lzip", "lzip -dk"),
    b"\x04\x22\x4d\x18": ("lz4", "unlz4 -k"),
    b"\x28\xb5\x2f\xfd": ("zstd", "unzstd"),
}

_REASONS = {REPLACED: "replaced", LINK: "link"}
_PLACE = struct.Struct(">IQ")  # number of the tar, place in it


class TarListing(Listing):
    """The pictures of one tar file of a folder, or of several as one source, under the names that they have in that folder.

    Nothing is unpacked to disk. A single folder around everything, in all files, is no part of the names. Of two members of one
    name in a file the last counts, as when it is unpacked; those in different files stay both. Only `MAX_OPEN` files are open
    at a time.

    Args:
        paths: The files, in their order.
        place: What stands for all of them: the one, a folder, or a pattern.

    Attributes:
        name: The place's, without the ending and without what makes it a pattern.

    Raises:
        InputError: If one is no whole tar file, or compressed.
        GanimeError: If one cannot be read.
    """

    def __init__(self, paths: Sequence[Path], place: Path):
        self._paths, others = tuple(paths), Others()
        for path in self._paths:
            _refuse_compressed(path)
        self._indices, self._statuses = zip(*map(read_index, self._paths), strict=True)
        common = os.path.commonprefix([index.common for index in self._indices])  # noqa: RUF071 (of characters)
        self._top = common[: common.find(b"/") + 1]
        super().__init__(place, self._pictures(others), others.left_out, _PLACE.size, others.texts)
        self.name, self.named = _name_of(place), others.named
        self._open = lru_cache(MAX_OPEN)(_Opener(self._paths, self._statuses))

    @property
    def where(self) -> str:
        return f"{len(self._paths):,} tar files at {show(self.path)}" if len(self._paths) > 1 else show(self.path)

    def read(self, index: int) -> bytes:
        size = self.size_of(index)
        if size > MAX_BYTES:
            raise UnreadablePicture(f"{size:,} bytes are more than {MAX_BYTES:,}")
        number, place = _PLACE.unpack(self.place_of(index))
        data = self._content(number, place, size)
        if not format_of(data):
            raise UnreadablePicture("not a picture" if data else "empty")
        return data

    def read_extra(self, name: str) -> bytes | None:
        for number, index in enumerate(self._indices):
            if found := index.find(self._top + os.fsencode(name)):
                size, place = found
                return self._content(number, place, min(size, MAX_EXTRA + 1))
        return None

    def read_extras(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        wanted = {self._top + os.fsencode(name): name for name in names}
        for number, index in enumerate(self._indices):
            for kind, size, place, name in index:
                if kind in (PICTURE, OTHER) and name in wanted:
                    yield wanted.pop(name), self._content(number, place, min(size, MAX_EXTRA + 1))

    def _content(self, number, place, size):
        """So many bytes of a member in the file of that number."""
        return self._open(number).read(place, size)

    def _pictures(self, others):
        for number, index in enumerate(self._indices):
            for kind, size, place, name in index:
                name = name.removeprefix(self._top)
                if kind == PICTURE:
                    yield name, size, _PLACE.pack(number, place)
                elif any(map(is_hidden, name.split(b"/"))):
                    others.add(name)
                elif kind != OTHER:
                    others.left_out[_REASONS.get(kind, "no regular file"), ending_of(name)] += 1
                else:
                    others.add(name)


class _Opener:
    """Opens the file of a number, as long as it is the one that it was."""

    def __init__(self, paths, statuses):
        self._paths, self._statuses = paths, statuses

    def __call__(self, number):
        path = self._paths[number]
        file, status = insist(lambda: (SteadyFile(path), os.stat(path)), f"{show(path)} cannot be read")
        # Looked up after it was opened: if it is replaced in between, that is seen too.
        if (status.st_size, status.st_mtime_ns) != self._statuses[number] or file.size != status.st_size:
            raise GanimeError(f"{show(path)} was changed while in use; start again with the file as it is now")
        return file


def _refuse_compressed(path):
    try:
        with open(path, "rb") as file:
            head = file.read(8)
    except OSError as error:
        raise GanimeError(f"{show(path)} cannot be read ({error})") from error
    for start, (kind, program) in COMPRESSED.items():
        if head.startswith(start):
            if not re.search(r"\.(tar(\.\w+)?|t[abgx]z\w?|tzst)$", path.name.lower()):
                raise InputError(f"{show(path)} is compressed with {kind}; unpack it, and give what comes out of it")
            why = f"is compressed with {kind}: no picture can be read without unpacking all that is before it"
            raise InputError(f"{show(path)} {why}; {program} makes a plain tar of it, tar -xf a folder")


def _name_of(place):
    """What a run of it is called: a name that a folder can have."""
    if place.is_dir():
        return place.resolve().name
    return re.sub(r"[*?\[\]!]+", "", place.stem).strip(" .-_") or place.absolute().parent.name
