"""One file of decoded pictures, read at any place: for training that outruns decoding (no TensorFlow)."""

import contextlib
import io
import json
import logging
import os
import re
import shutil
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from tokenize import TokenError

import numpy as np
from numpy.lib import format as npy

from ganime.data.encoded import EncodedPictures
from ganime.data.names import show
from ganime.data.parallel import in_order
from ganime.errors import GanimeError, InputError, printable
from ganime.files import atomic_write, exclusive, insist, remove_parts

# What readers of NumPy's and JSON's formats raise on bytes that are not.
DAMAGED = (ValueError, KeyError, TypeError, AttributeError, SyntaxError, TokenError, OverflowError, RecursionError)
CHUNK = 2**24  # bytes of pictures that are written at a time, and lost at most when packing is killed
CHECKSUMS = b"crc32\n"  # what comes between the pictures and their checksums
MAX_NOTES = 2**28  # bytes of JSON

log = logging.getLogger("ganime")


class PackedPictures:
    """The pictures of a file made by `pack`: the same ones in the same order as the folder's, without decoding.

    The file is a NumPy array, uint8 [count, size, size, 3] (`numpy.load(file, mmap_mode="r")` opens it), followed by the CRC-32
    of each picture and a line of JSON with one of all the rest. A run that was begun with the folder can be continued with the
    file, and the other way round. Every picture is verified whenever it is read. Files of earlier builds have no checksums; the
    log says so.

    Args:
        path: The file.
        strict: Whether a picture that was unreadable when the file was made is an error.

    Attributes:
        name: The file's, without its ending.
        size: Side of the pictures in pixels.
        unreadable: Reason for each file that was unreadable, by its path within the folder; others stand in its place.
        fingerprint: The folder's.

    Raises:
        InputError: If it is no such file, damaged apart from its pictures, or holds none.
    """

    def __init__(self, path: str | os.PathLike, strict: bool = False):
        self.path = Path(path)
        self.name = self.path.stem  # what a file says of itself names no run's folder
        self._file = open(path, "rb")  # noqa: SIM115 (open as long as the pictures are)
        self._turn = threading.Lock()
        try:
            (self._count, self.size), self._start, self._sums, about = _read_frame(self._file)
            self.fingerprint, self.unreadable = _check_notes(about, self.size)
        except DAMAGED as error:
            raise InputError(f"{show(path)} is no whole file of packed pictures; make one with `data pack`") from error
        if not self._count:
            raise InputError(f"{show(path)} is a packed file of no pictures; make another one with `data pack`")
        if self._sums is None:
            what = "was packed by an earlier build, and its pictures are not verified"
            log.warning("%s %s; pack it anew for that: %s", show(path), what, self._again())
        if self.unreadable and strict:
            within, reason = next(iter(self.unreadable.items()))
            raise InputError(f"{show(within)} was unreadable when {show(path)} was packed: {reason}")

    def __len__(self):
        return self._count

    def __str__(self):
        return f"{len(self):,} packed pictures in {show(self.path)}"

    def __repr__(self):
        return f"<PackedPictures: {self}, {self.size}x{self.size}>"

    def load_batch(self, indices: list[int], size: int) -> np.ndarray:
        """The pictures of these indices: uint8 [count, size, size, 3], RGB.

        Raises:
            InputError: If the pictures have another size.
            GanimeError: If one of them is damaged, the file has been cut short or changed since it was opened, or the disk or
                the network fails for longer than `insist` waits.
        """
        if size != self.size:
            raise InputError(
                f"{show(self.path)} holds pictures of {self.size}x{self.size}, not {size}x{size}; "
                f"pack them again with --size {size}"
            )
        batch, all_indices = np.empty((len(indices), size, size, 3), np.uint8), range(len(self))
        for picture, index in zip(batch, indices, strict=True):
            self._load(all_indices[index], picture.data.cast("B"))
        if self._sums is not None:
            sums = self._sums[indices].tolist()
            for index, expected, found in zip(indices, sums, map(zlib.crc32, batch), strict=True):
                if found != expected:
                    what = f"picture {index:,} of {show(self.path)} is damaged, or was changed"
                    raise GanimeError(f"{what}; pack it anew: {self._again()}")
        return batch

    def _load(self, index, pixels):
        place = self._start + index * len(pixels)
        try:
            self._read(place, pixels)
        except OSError:
            insist(lambda: self._read_anew(place, pixels), f"{show(self.path)} cannot be read")

    def _again(self):
        return f"data pack FOLDER {show(self.path)} --size {self.size} --force"

    def _read(self, place, pixels):
        # Not mapped into memory, where the system kills a process that meets a disk's error or the end of a file cut short.
        file = self._file
        while pixels:
            if hasattr(os, "preadv"):
                count = os.preadv(file.fileno(), [pixels], place)
            else:
                with self._turn:
                    file.seek(place)
                    count = file.readinto(pixels)
            if not count:
                raise GanimeError(f"{show(self.path)} was cut short while in use")
            place, pixels = place + count, pixels[count:]

    def _read_anew(self, place, pixels):
        """A network drive that was away may know nothing of files that were open before."""
        if self._sums is not None:  # else another file might take this one's place
            self._file = open(self.path, "rb")  # noqa: SIM115
        self._read(place, pixels)


def _read_frame(file):
    """Count and size of a file's pictures, the place of the first, their checksums if it has them, and what it says in JSON."""
    npy.read_magic(file)
    shape, fortran_order, dtype = npy.read_array_header_1_0(file)
    count, size, width, channels = shape
    if (width, channels, dtype, fortran_order) != (size, 3, np.uint8, False) or count < 0 or size < 1:
        raise ValueError("an array of something else")
    start, length = file.tell(), file.seek(0, os.SEEK_END)
    end = start + count * 3 * size**2
    if not 0 < length - end < MAX_NOTES + 4 * count:
        raise ValueError("another length")
    file.seek(0)
    header = file.read(start)
    file.seek(end)
    rest = file.read()
    if not rest.startswith(CHECKSUMS):
        return (count, size), start, None, json.loads(rest)
    place = len(CHECKSUMS) + 4 * count
    sums = np.frombuffer(rest[len(CHECKSUMS) : place], "<u4")
    return (count, size), start, sums, _unseal(rest[place:], header + rest[:place])


def _check_notes(about, size):
    """Fingerprint and unreadable files, if what a file says can be true; file names and decoders' words may hold anything."""
    fingerprint, unreadable = about["fingerprint"], about["unreadable"]
    if about["size"] != size or not re.fullmatch("[0-9a-f]{64}", fingerprint):
        raise ValueError("impossible values")
    return fingerprint, {path: printable(reason) for path, reason in unreadable.items()}


def _seal(about, before=b""):
    """A line of JSON with, last, a checksum of itself and of the bytes before it."""
    return json.dumps({**about, "crc32": zlib.crc32(json.dumps(about).encode(), zlib.crc32(before))}).encode() + b"\n"


def _unseal(line, before=b""):
    about = json.loads(line)
    del about["crc32"]
    if _seal(about, before) != line:
        raise ValueError("another checksum")
    return about


def pack(
    pictures: EncodedPictures,
    path: str | os.PathLike,
    size: int = 64,
    report: Callable[[int, int], None] = lambda done, total: None,
    force: bool = False,
) -> PackedPictures:
    """Decode all pictures of a source into one file, on all cores.

    Killed and called again it goes on where it was, from `<path>.part`, and ends with the same bytes; if that is damaged it
    begins anew.

    Args:
        pictures: The pictures.
        path: The file to make.
        size: Side of the pictures in pixels.
        report: Called with the numbers of pictures done and to do.
        force: Whether to replace whatever file has that name.

    Returns:
        The packed pictures; at once if the file has been made already.

    Raises:
        InputError: If there is another file of that name, and not `force`.
        GanimeError: If another process makes it, the disk has no room for it, or it cannot be written.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{show(path)} is a folder; give the name of a file to make")
    part, state = path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.part.json")
    about = {"fingerprint": pictures.fingerprint, "size": size}
    with exclusive(path.with_name(f".{path.name}.lock"), f"{show(path)} is being made by another process"):
        if force or not path.exists():
            try:
                remove_parts(path.parent)
                _write(pictures, part, state, about, report)
                os.replace(part, path)
            except OSError as error:
                raise GanimeError(f"{show(path)} cannot be written ({error}); the same command goes on where it was") from error
        packed = None
        with contextlib.suppress(InputError):
            packed = PackedPictures(path)
        if not packed or {"fingerprint": packed.fingerprint, "size": packed.size} != about:
            what = "holds other pictures or another size" if packed else "is no file of packed pictures"
            raise InputError(f"{show(path)} is there already, and {what}; give another name, or --force to overwrite it")
        state.unlink(missing_ok=True)
        return packed


def _write(pictures, part, state, about, report):
    count, size = len(pictures), about["size"]
    row, file = 3 * size**2, io.BytesIO()
    npy.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (count, size, size, 3)})
    header = file.getvalue()
    unreadable, sums = _take_up(part, state, about, len(header), row)
    pictures.unreadable.update(unreadable)
    done = len(sums) // 4
    needed, free = (count - done) * row + 4 * count, shutil.disk_usage(part.absolute().parent).free
    if needed > free:
        raise GanimeError(f"{show(part.parent)} has {free / 1e6:,.0f} MB of free space; {needed / 1e6:,.0f} are needed")
    with open(part, "r+b" if done else "wb") as file:
        file.write(header)
        file.truncate(len(header) + done * row)
        file.seek(0, os.SEEK_END)
        for picture in in_order(lambda index: pictures.load(index, size), range(done, count)):
            file.write(picture.data)
            sums += _sum(picture.data)
            done += 1
            if done % max(1, CHUNK // row) == 0 or done == count:
                file.flush()
                os.fsync(file.fileno())
                notes = {"about": about, "done": done, "rows": zlib.crc32(sums), "unreadable": dict(pictures.unreadable)}
                with atomic_write(state) as text:
                    text.write_bytes(_seal(notes))
                report(done, count)
        rest, notes = CHECKSUMS + sums, {**about, "unreadable": dict(sorted(pictures.unreadable.items()))}
        file.write(rest + _seal(notes, header + rest))
        file.flush()
        os.fsync(file.fileno())


def _take_up(part, state, about, start, row):
    """What was unreadable, and the checksums of the pictures that an earlier call has written, if they are whole."""
    if not (part.exists() and state.exists()):
        return {}, bytearray()
    try:
        before, sums = _unseal(state.read_bytes()), bytearray()
        if before["about"] != about:  # of other pictures
            return {}, sums
        with open(part, "rb") as file:
            file.seek(start)
            for _ in range(before["done"]):
                sums += _sum(file.read(row))
        if zlib.crc32(sums) != before["rows"]:
            raise ValueError("another checksum")
        return _check_notes({**about, "unreadable": before["unreadable"]}, about["size"])[1], sums
    except DAMAGED:
        log.warning("%s is damaged, or of an earlier build: it is begun anew", show(part))
    return {}, bytearray()


def _sum(picture):
    return zlib.crc32(picture).to_bytes(4, "little")
