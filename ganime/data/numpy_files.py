"""Where the pixels lie in NumPy's files, whatever these claim to be; nothing in them is ever unpickled (no TensorFlow)."""

import errno
import hashlib
import io
import logging
import math
import os
import shlex
import shutil
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from ganime.data.decode import MAX_PIXELS, MIN_SIDE
from ganime.data.kept import DIGEST, forget, kept_name
from ganime.data.names import show
from ganime.data.packed import DAMAGED
from ganime.data.steady import SteadyFile
from ganime.errors import GanimeError, InputError, one_line
from ganime.files import atomic_write

CHUNK = 2**22  # bytes read at a time
FIRST = "arr_0.npy"  # what NumPy calls an array without a name
SAMPLE = 2**20  # bytes of an array that tell how large its numbers are
MAX_HEADER = 2**14  # bytes before the array of a `.npy`
MAX_DIRECTORY = 2**18  # bytes of the list of a `.npz`' members
FREE, EXPANSION = 2**26, 100  # bytes that any compressed array may have, and times its own size that larger ones may
_TAIL = 2**16 + 98  # bytes of a ZIP's end, where its directory is told of
_NO_ARRAY = (EOFError, MemoryError, *DAMAGED)
_NO_ZIP = (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, *_NO_ARRAY)
_AGAIN = "copy or make it again"

log = logging.getLogger("ganime")


def open_array(path: str | os.PathLike) -> tuple[SteadyFile, int, tuple[int, int, int, int], str, list[str]]:
    """Find the pictures in a `.npy` file, or in the array `arr_0`, else the only one of pictures, of an `.npz` file.

    An array that is compressed is unpacked into the user's cache, once as long as its file stays as it is; the log says so.

    Returns:
        The file that they lie in, the place of the first one, their shape, [count, height, width, 3], the fingerprint that
        `ArrayPictures` has, and what the other arrays of an `.npz` file are.

    Raises:
        InputError: If there is no uint8 array of that shape, or the file is damaged.
        GanimeError: If it cannot be read, or there is no room to unpack it.
    """
    file = SteadyFile(path)
    if file.read(0, min(2, file.size)) == b"PK":
        return _open_member(Path(path), file)
    try:
        start, shape, dtype, fortran = _parse(file.read(0, min(MAX_HEADER, file.size)))
    except _NO_ARRAY as error:
        raise InputError(f"{show(path)} is neither a .npy nor an .npz file, or damaged") from error
    _check(path, None, shape, dtype, fortran, lambda count: file.read(start, min(count, file.size - start)))
    if (more := file.size - start - math.prod(shape)) > 0:
        raise InputError(f"{show(path)} has {more:,} bytes behind its array: a damaged file of `data pack`? Make it again")
    if more < 0:
        raise InputError(f"{show(path)} is cut short: {-more:,} bytes of its array are missing; {_AGAIN}")
    return file, start, shape, _hash(file, start, shape)[0], []


def is_packed(path: str | os.PathLike) -> bool:
    """Whether a file is an array of square pictures with something behind it, as `data pack` makes them."""
    with open(path, "rb") as file:
        try:
            start, shape, dtype, fortran = _parse(file.read(MAX_HEADER))
        except _NO_ARRAY:
            return False
        plain = _is_plain(shape, dtype, fortran) and shape[1] == shape[2]
        return plain and file.seek(0, os.SEEK_END) > start + math.prod(shape)


def start_hash(shape: tuple[int, ...], pixels=b""):
    """The SHA-256 by which an array of pictures is known."""
    digest = hashlib.sha256(f"{shape}".encode())
    digest.update(pixels)
    return digest


def check_room(folder: Path, needed: int) -> None:
    """See that a disk has room for so many bytes.

    Raises:
        GanimeError: If not.
    """
    if (free := shutil.disk_usage(folder).free) < needed:
        raise GanimeError(f"{show(folder)} has {free / 1e6:,.0f} MB of free space; {needed / 1e6:,.0f} are needed")


def _parse(head):
    """Length of a header, and shape, type and order of its array."""
    stream = io.BytesIO(head)  # which gives no more than it has, whatever length the header claims
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise ValueError("another version")
    # The headers of versions 2 and 3 differ only where a name is not in Latin-1, which pixels have none of.
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    if not all(0 <= side < 2**48 for side in shape):
        raise ValueError("impossible sizes")
    return stream.tell(), tuple(map(int, shape)), dtype, fortran


def _is_plain(shape, dtype, fortran):
    return dtype == np.uint8 and len(shape) == 4 and shape[3] == 3 and not fortran


def _check(path, key, shape, dtype, fortran, read):
    """Refuse an array that holds no pictures, or none as they are read here, and give a command that makes them of it.

    Args:
        path: The file.
        key: Of the array in an `.npz` file; None if the file is the array.
        read: Gives its first bytes, so many or fewer.
    """
    name = show(path) if key is None else f"{one_line(key, 60)} of {show(path)}"
    if not _is_plain(shape, dtype, fortran):
        found = f"{_describe(shape, dtype)}{' in Fortran order' * bool(fortran)}"
        remedy = _convert(path, key, shape, dtype, read)
        advice = f": {remedy}" if remedy else ""
        raise InputError(f"{name} holds {found}, and pictures are uint8 [count, height, width, 3], RGB, in C order{advice}")
    height, width = shape[1:3]
    if min(height, width) < MIN_SIDE:
        raise InputError(f"{name}: {width}x{height} pixels are too few to show a face")
    if height * width > MAX_PIXELS:
        raise InputError(f"{name}: {width}x{height} pixels are more than {MAX_PIXELS / 1e6:.0f} million")


def _describe(shape, dtype):
    return f"{one_line(str(dtype), 60)} {list(shape)}" if len(shape) < 9 else f"an array of {len(shape)} axes"


def _convert(path, key, shape, dtype, read):
    """A command that makes pictures of an array, and how it takes the numbers; empty if nothing is known that does."""
    made, channels = "x", (3, 4, 1)
    if len(shape) == 3 and shape[2] in (3, 4):  # a single picture
        made, shape = "x[None]", (1, *shape)
    elif len(shape) == 3:
        made, shape = "x[..., None]", (*shape, 1)
    if len(shape) == 4 and shape[3] not in channels and shape[1] in channels:
        made, shape = f"{made}.transpose(0, 2, 3, 1)", (shape[0], shape[2], shape[3], shape[1])
    if len(shape) != 4 or shape[3] not in channels or dtype.kind not in "fiub":
        return ""
    made = {3: made, 4: f"{made}[..., :3]", 1: f"np.repeat({made}, 3, 3)"}[shape[3]]
    data = read(SAMPLE // dtype.itemsize * dtype.itemsize)
    numbers = np.frombuffer(data, dtype, len(data) // dtype.itemsize)
    least, most = (float(numbers.min()), float(numbers.max())) if numbers.size else (0, 0)
    meant = f"; this takes them for {{}}, since the first ones are from {least:.3g} to {most:.3g}"
    if dtype.kind == "f" and -1.01 < least < 0 and most < 1.01:
        made, meant = f"({made} + 1) * 127.5", meant.format("numbers in [-1, 1]")
    elif dtype.kind == "b":
        made, meant = f"{made} * 255", ""
    elif dtype.kind == "f" and least >= 0 and most < 1.01:
        made, meant = f"({made} * 255)", meant.format("numbers in [0, 1]")
    elif least >= 0 and most < 256:
        meant = meant.format("numbers in [0, 255]") * (dtype != np.uint8)
    elif dtype.kind != "f" and least >= 0 and most < 2**16:
        made, meant = f"({made} // 257)", meant.format("numbers of 16 bits")
    else:
        return f"its first numbers are from {least:.3g} to {most:.3g}; bring them to whole numbers from 0 to 255"
    if dtype.kind == "f":
        made = f"np.rint({made})"
    if dtype.kind in "fi" or dtype.itemsize > 1:
        made = f"{made}.clip(0, 255)"
    array, words = ("np.load(sys.argv[1])", (path,)) if key is None else ("np.load(sys.argv[1])[sys.argv[2]]", (path, key))
    code = f"import sys, numpy as np; x = {array}; np.save('rgb.npy', np.ascontiguousarray({made}, 'uint8'))"
    return f'python -c "{code}" {" ".join(shlex.quote(show(word)) for word in words)} makes rgb.npy of it{meant}'


def _hash(file, start, shape, crc=0):
    """The fingerprint of an array, and the CRC-32 of it and what came before."""
    digest, end = start_hash(shape), start + math.prod(shape)
    for place in range(start, end, CHUNK):
        chunk = file.read(place, min(CHUNK, end - place))
        digest.update(chunk)
        crc = zlib.crc32(chunk, crc)
    return digest.hexdigest(), crc


def _open_member(path, file):
    """As `open_array`, of an `.npz` file."""
    if _directory_size(file) > MAX_DIRECTORY:
        raise InputError(f"{show(path)} has too many members for an .npz file")
    try:
        with zipfile.ZipFile(path) as archive:
            info, (length, shape, dtype, fortran), others = _choose(show(path), archive)
            _check(path, info.filename[:-4], shape, dtype, fortran, lambda count: _first(archive, info, length, count))
            if info.file_size != length + math.prod(shape):
                raise ValueError("another length")
            if info.compress_type != zipfile.ZIP_STORED:
                return *_open_compressed(path, archive, info, length, shape), others
            local = file.read(info.header_offset, 30)
            start = info.header_offset + 30 + int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:], "little")
            if info.compress_size != info.file_size or start + info.file_size > file.size:
                raise ValueError("another length")
            fingerprint, crc = _hash(file, start + length, shape, zlib.crc32(file.read(start, length)))
            if crc != info.CRC:
                raise ValueError("another checksum")
            return file, start + length, shape, fingerprint, others
    except InputError:
        raise
    except _NO_ZIP as error:
        raise InputError(f"{show(path)} is damaged, or no .npz file ({one_line(str(error), 100)}); {_AGAIN}") from error
    except OSError as error:
        if error.errno == errno.EINVAL:  # a place before the file
            raise InputError(f"{show(path)} is damaged; {_AGAIN}") from error
        raise GanimeError(f"{show(path)} cannot be read ({error})") from error


def _first(archive, info, start, count):
    """So many bytes of a member from there on; fewer at its end."""
    with archive.open(info) as file:
        return file.read(start + count)[start:]


def _directory_size(file):
    """How many bytes the list of a ZIP's members has, by whichever of the records at its end a reader may follow."""
    tail = file.read(max(0, file.size - _TAIL), min(_TAIL, file.size))
    sizes = [0]
    for end in (tail.rfind(b"PK\5\6"), len(tail) - 22):
        sizes.append(int.from_bytes(tail[end + 12 : end + 16], "little") if tail[end : end + 4] == b"PK\5\6" else 0)
        large = tail.rfind(b"PK\6\6", 0, max(end, 0))
        sizes.append(int.from_bytes(tail[large + 40 : large + 48], "little") if large >= 0 else 0)
    return max(size for size in sizes if size != 2**32 - 1)  # which says that it is in the other record


def _choose(name, archive):
    """The member that holds the pictures, what its header says, and what the other arrays are."""
    arrays = {}
    for info in archive.infolist():
        if info.filename.endswith(".npy"):
            if info.flag_bits & 1:
                raise InputError(f"{name} is encrypted; save it without a password")
            with archive.open(info) as file:
                arrays[info.filename] = info, _parse(file.read(MAX_HEADER))
    plain = [key for key, found in arrays.items() if _is_plain(*found[1][1:])]
    shown = {key: f"{one_line(key[:-4], 60)} {_describe(*found[1][1:3])}" for key, found in arrays.items()}
    listed = ", ".join([*shown.values()][:5])
    likely = plain or [key for key, found in arrays.items() if len(found[1][1]) in (3, 4)]
    if len(plain) > 1 and FIRST not in plain:
        raise InputError(f"{name} holds several arrays of pictures ({listed}); call the one to take arr_0")
    if not likely and len(arrays) != 1:
        what = "no array of pictures, uint8 [count, height, width, 3]"
        raise InputError(f"{name} holds {what}, but {listed or 'no array at all'}")
    # If it is none of pictures, that is what is said of the largest that may be meant.
    key = FIRST if FIRST in likely else max(likely or arrays, key=lambda key: math.prod(arrays[key][1][1]))
    return *arrays[key], [text for other, text in shown.items() if other != key]


def _open_compressed(path, archive, info, length, shape):
    """An array that was unpacked into the user's cache, where the SHA-256 of it is behind it."""
    again = "np.savez instead of np.savez_compressed makes a file that is read as it is"
    if info.file_size > max(FREE, EXPANSION * info.compress_size):
        raise InputError(f"{show(path)} unpacks to {info.file_size:,} bytes, too many for what it is; {again}")
    status = path.stat()
    kept = kept_name("array", [path], [status.st_size, status.st_mtime_ns, info.filename, info.CRC], ".npy")
    if kept.exists():
        file = SteadyFile(kept)
        if file.size == info.file_size + DIGEST and (fingerprint := _verify(file, length, shape)):
            return file, length, shape, fingerprint
        log.warning("%s is damaged: made anew", show(kept))
    log.warning("%s is compressed: unpacked once to %s, %.0f MB; %s", show(path), show(kept), info.file_size / 1e6, again)
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        forget(kept)
        check_room(kept.parent, info.file_size)
        with atomic_write(kept) as part, open(part, "wb") as made, archive.open(info) as file:
            made.write(file.read(length))
            digest = start_hash(shape)
            while chunk := file.read(CHUNK):
                made.write(chunk)
                digest.update(chunk)
            if made.tell() != info.file_size:
                raise ValueError("another length")
            made.write(f"{digest.hexdigest()}\n".encode())
    except OSError as error:
        raise GanimeError(f"{show(path)} cannot be unpacked to {show(kept)} ({error}); {again}") from error
    return SteadyFile(kept), length, shape, digest.hexdigest()


def _verify(file, start, shape):
    """The fingerprint of an unpacked array; None if it is not as it was written."""
    fingerprint, _ = _hash(file, start, shape)
    return fingerprint if file.read(file.size - DIGEST, DIGEST) == f"{fingerprint}\n".encode() else None
