"""Pictures as an array: in memory, in a `.npy` or `.npz` file, or packed (no TensorFlow)."""

import math
import os
import zipfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from ganime.bounds import explain_range, judge_range
from ganime.data.listing import NAMED, Listing
from ganime.data.names import show
from ganime.data.numpy_files import check_room, open_array, start_hash
from ganime.data.packed import PackedPictures
from ganime.errors import GanimeError, InputError
from ganime.files import atomic_write
from ganime.pictures.grids import to_uint8


class ArrayPictures:
    """The pictures of an array in memory.

    Args:
        array: uint8 [count, size, size, 3], RGB, or float in [-1, 1].

    Attributes:
        size: Side of the pictures in pixels.
        fingerprint: Hash of the shape and the pixels.

    Raises:
        InputError: If the array is of another shape, type or range, or empty.

    Example:
        >>> ArrayPictures(np.zeros((5, 64, 64, 3))).load_batch([0, 2], 64).shape
        (2, 64, 64, 3)
    """

    name = "array"

    def __init__(self, array: np.ndarray):
        if array.ndim != 4 or not array.size or array.shape[1:] != (array.shape[2], array.shape[2], 3):
            raise InputError(f"an array of pictures is [count, size, size, 3], not {list(array.shape)}")
        if array.dtype != np.uint8:
            if not np.issubdtype(array.dtype, np.floating):
                raise InputError(f"pictures are uint8 or float, not {array.dtype}")
            least, most = array.min(), array.max()
            inside, halved = judge_range(least, most, len(array))
            if not inside or halved:
                raise InputError(explain_range(float(least), float(most)))
            array = to_uint8(array)
        self.array, self.size, self.unreadable = np.ascontiguousarray(array), array.shape[2], {}
        self.fingerprint = start_hash(self.array.shape, self.array.data).hexdigest()

    def __len__(self):
        return len(self.array)

    def __str__(self):
        return f"{len(self):,} pictures of an array"

    def __repr__(self):
        return f"<ArrayPictures: {self}, {self.size}x{self.size}>"

    def load_batch(self, indices: list[int], size: int) -> np.ndarray:
        """The pictures of these indices: uint8 [count, size, size, 3]; the size is their own."""
        if size != self.size:
            raise InputError(f"the array's pictures are {self.size}x{self.size}, not {size}x{size}: resize them first")
        return self.array[indices]


class _Rows(Listing):
    """Pictures of one size, named by their numbers."""

    def __init__(self, path, shape, fingerprint):
        self.path, self.left_out, self.name = Path(path), Counter(), Path(path).stem
        self.fingerprint, self._count, self._shape = fingerprint, shape[0], shape[1:]

    def __len__(self):
        return self._count

    def name_of(self, index: int) -> str:
        return f"{index:0{len(str(self._count - 1))}}"

    def size_of(self, index: int) -> int:
        return math.prod(self._shape)

    def decode(self, data: bytes, at_least: int | None = None) -> np.ndarray:
        return np.frombuffer(data, np.uint8).reshape(self._shape)

    def describe(self, data: bytes) -> tuple[str, tuple[int, int]]:
        return "array", (self._shape[1], self._shape[0])

    def read_extra(self, name: str) -> None:
        return None


class ArrayListing(_Rows):
    """The pictures of a `.npy` file, or of the array `arr_0` (or the only one of pictures) of an `.npz` file, read where they
    lie. A compressed array is unpacked once, into the user's cache; the log says so.

    The fingerprint is that of `ArrayPictures`: a run that was begun with the array can be continued with its file.

    Args:
        path: The file: uint8 [count, height, width, 3], RGB.

    Raises:
        InputError: If it holds something else, or is damaged.
        GanimeError: If it cannot be read, or there is no room to unpack it.
    """

    def __init__(self, path: str | os.PathLike):
        self._file, self._start, shape, fingerprint, self._others = open_array(path)
        super().__init__(path, shape, fingerprint)

    def describe_left_out(self, brief: bool = True) -> str:
        more = f" and {len(self._others) - NAMED:,} more" * (len(self._others) > NAMED)
        return f"left out the other arrays {', '.join(self._others[:NAMED])}{more}" if self._others else ""

    def read(self, index: int) -> bytes:
        length = math.prod(self._shape)
        return self._file.read(self._start + range(self._count)[index] * length, length)


class PackedListing(_Rows):
    """The pictures of a file made by `data pack`, each verified when it is read.

    Raises:
        InputError: If it is no such file.
    """

    def __init__(self, path: str | os.PathLike):
        self._packed = PackedPictures(path)
        size = self._packed.size
        super().__init__(path, (len(self._packed), size, size, 3), self._packed.fingerprint)

    def read(self, index: int) -> bytes:
        return self._packed.load_batch([index], self._packed.size).tobytes()


def save_array(path: str | os.PathLike, shape: tuple[int, int, int, int], batches: Iterable[np.ndarray]) -> None:
    """Write pictures as `arr_0` of an `.npz` file, whole or not at all, as they come: the form in which programs that score
    pictures exchange them.

    Args:
        path: The file.
        shape: Count, height, width, 3.
        batches: So many pictures in all, uint8 [any, height, width, 3].

    Raises:
        GanimeError: If the disk has no room for them, or they cannot be written.
    """
    path, needed = Path(path), math.prod(shape)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        check_room(path.parent, needed)
        member = zipfile.ZipInfo("arr_0.npy")  # with no time: equal pictures make equal files
        with atomic_write(path) as part, zipfile.ZipFile(part, "w") as made, made.open(member, "w", force_zip64=True) as file:
            npy.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": tuple(map(int, shape))})
            for batch in batches:
                file.write(np.ascontiguousarray(batch).data)
    except OSError as error:
        raise GanimeError(f"{show(path)} cannot be written ({error})") from error
