"""One file of decoded pictures, mapped into memory: for training that outruns decoding (no TensorFlow)."""

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from tokenize import TokenError

import numpy as np
from numpy.lib import format as npy

from ganime.data.folder import PictureFolder, show
from ganime.data.parallel import in_order
from ganime.errors import GanimeError, InputError
from ganime.files import atomic_write, exclusive

# What readers of NumPy's and JSON's formats raise on bytes that are not.
DAMAGED = (ValueError, KeyError, TypeError, AttributeError, SyntaxError, TokenError, OverflowError, RecursionError)
CHUNK = 2**24  # bytes of pictures that are written at a time, and lost at most when packing is killed


class PackedPictures:
    """The pictures of a file made by `pack`: the same ones in the same order as the folder's, without decoding.

    The file is a NumPy array, uint8 [count, size, size, 3] (`numpy.load(file, mmap_mode="r")` opens it), followed by a line of
    JSON. A run that was begun with the folder can be continued with the file, and the other way round.

    Args:
        path: The file.
        strict: Whether a picture that was unreadable when the file was made is an error.

    Attributes:
        size: Side of the pictures in pixels.
        unreadable: Reason for each file that was unreadable, by its path within the folder; others stand in its place.
        fingerprint: The folder's.

    Raises:
        InputError: If it is no such file, or damaged.
    """

    def __init__(self, path: str | os.PathLike, strict: bool = False):
        self.path = Path(path)
        try:
            self._file = open(path, "rb")  # noqa: SIM115 (open as long as the pictures are)
            npy.read_magic(self._file)
            shape, fortran_order, dtype = npy.read_array_header_1_0(self._file)
            _, self.size, width, channels = shape
            if (width, channels, dtype, fortran_order) != (self.size, 3, np.uint8, False):
                raise ValueError("an array of something else")
            start = self._file.tell()
            self._pictures = np.memmap(self._file, np.uint8, "r", start, shape).view(np.ndarray)
            self._end = start + self._pictures.nbytes
            self._file.seek(self._end)
            about = json.loads(self._file.read())
            self.name, self.fingerprint, self.unreadable = about["name"], about["fingerprint"], dict(about["unreadable"])
        except DAMAGED as error:
            raise InputError(f"{show(path)} is no whole file of packed pictures; make one with `data pack`") from error
        if self.unreadable and strict:
            within, reason = next(iter(self.unreadable.items()))
            raise InputError(f"{show(within)} was unreadable when {show(path)} was packed: {reason}")

    def __len__(self):
        return len(self._pictures)

    def __str__(self):
        return f"{len(self):,} packed pictures in {show(self.path)}"

    def __repr__(self):
        return f"<PackedPictures: {self}, {self.size}x{self.size}>"

    def load_batch(self, indices: list[int], size: int) -> np.ndarray:
        """The pictures of these indices: uint8 [count, size, size, 3], RGB.

        Raises:
            InputError: If the pictures have another size.
            GanimeError: If the file has been cut short since it was opened.
        """
        if size != self.size:
            raise InputError(
                f"{show(self.path)} holds pictures of {self.size}x{self.size}, not {size}x{size}; "
                f"pack them again with --size {size}"
            )
        if os.fstat(self._file.fileno()).st_size < self._end:  # reading beyond the end would kill the process
            raise GanimeError(f"{show(self.path)} was cut short while in use")
        return self._pictures[indices]


def pack(
    folder: PictureFolder,
    path: str | os.PathLike,
    size: int = 64,
    report: Callable[[int, int], None] = lambda done, total: None,
    force: bool = False,
) -> PackedPictures:
    """Decode all pictures of a folder into one file, on all cores.

    Killed and called again it goes on where it was, from `<path>.part`, and ends with the same bytes.

    Args:
        folder: The pictures.
        path: The file to make.
        size: Side of the pictures in pixels.
        report: Called with the numbers of pictures done and to do.
        force: Whether to replace whatever file has that name.

    Returns:
        The packed pictures; at once if the file has been made already.

    Raises:
        InputError: If there is another file of that name, and not `force`.
        GanimeError: If another process makes it or the disk has no room for it.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{show(path)} is a folder; give the name of a file to make")
    part, state = path.with_name(f"{path.name}.part"), path.with_name(f"{path.name}.part.json")
    about = {"fingerprint": folder.fingerprint, "size": size}
    with exclusive(path.with_name(f".{path.name}.lock"), f"{show(path)} is being made by another process"):
        if force or not path.exists():
            _write_rows(folder, part, state, about, report)
            with open(part, "ab") as file:
                unreadable = dict(sorted(folder.unreadable.items()))
                file.write(json.dumps({"name": folder.name, **about, "unreadable": unreadable}).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        packed = None
        with contextlib.suppress(InputError):
            packed = PackedPictures(path)
        if not packed or {"fingerprint": packed.fingerprint, "size": packed.size} != about:
            what = "holds other pictures or another size" if packed else "is no file of packed pictures"
            raise InputError(f"{show(path)} is there already, and {what}; give another name, or --force to overwrite it")
        state.unlink(missing_ok=True)
        return packed


def _write_rows(folder, part, state, about, report):
    count, row = len(folder), 3 * about["size"] ** 2
    done = 0
    if part.exists() and state.exists():
        with contextlib.suppress(*DAMAGED):  # begins anew
            before = json.loads(state.read_text())
            if before["about"] == about and part.stat().st_size >= before["done"] * row:
                done = before["done"]
                folder.unreadable.update(before["unreadable"])
    needed, free = (count - done) * row, shutil.disk_usage(part.absolute().parent).free
    if needed > free:
        raise GanimeError(f"{show(part.parent)} has {free / 1e6:,.0f} MB of free space; {needed / 1e6:,.0f} are needed")
    with open(part, "r+b" if done else "wb") as file:
        npy.write_array_header_1_0(
            file, {"descr": "|u1", "fortran_order": False, "shape": (count, about["size"], about["size"], 3)}
        )
        file.truncate(file.tell() + done * row)
        file.seek(0, os.SEEK_END)
        pictures = in_order(lambda index: folder.load(index, about["size"]), range(done, count))
        for picture in pictures:
            file.write(picture.data)
            done += 1
            if done % max(1, CHUNK // row) == 0 or done == count:
                file.flush()
                os.fsync(file.fileno())
                with atomic_write(state) as text:
                    text.write_text(json.dumps({"about": about, "done": done, "unreadable": folder.unreadable}))
                report(done, count)
