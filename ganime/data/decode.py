"""From the bytes of a file to an RGB picture, whatever the file claims to be (Pillow and simplejpeg, no TensorFlow)."""

import contextlib
import errno
import io
import os
import re
import stat
import threading

import numpy as np
import simplejpeg
from PIL import Image, ImageOps, UnidentifiedImageError

from ganime.data.names import show
from ganime.errors import GanimeError, InputError
from ganime.files import insist

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif")
JPEG = b"\xff\xd8\xff"
SIGNATURES = (JPEG, b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", b"II*\0", b"MM\0*")

# Does not wait at a named pipe, and takes no terminal for its own.
READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
FIRST_READ = 2**16  # bytes
MAX_BYTES = 2**29  # of a file
MAX_PIXELS = 2**30 // 12  # of a picture, decoded whole: Pillow's bound for decompression bombs, a quarter of a gigabyte in RGB
LARGE = 2**24  # pixels; of larger pictures Pillow decodes one at a time, since it may take 20 bytes for each pixel
MAX_DENSITY = 1000  # pixels for each byte of large pictures; more have only damaged headers, bombs, and a plain color
MIN_SIDE = 8  # pixels; nothing can be seen on less
MAX_SCANS = 100  # of a JPEG, as in libtiff. Programs write a dozen; each takes the time of a picture, and perhaps ten bytes
MAX_REASON = 200  # characters; decoders may quote what a file holds
MARKER = re.compile(rb"\xff[\xc0-\xcf\xd9-\xfe]")  # of a JPEG, save those within a scan

_one_large = threading.Lock()

# A file that is missing, forbidden or no file; all other errors are the disk's or the network's.
FAULTS_OF_THE_FILE = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


class UnreadablePicture(InputError):
    """A file that is not a whole picture of a known format."""


def read_picture(path: str | os.PathLike) -> bytes:
    """The content of a file that looks like a picture.

    Raises:
        UnreadablePicture: If the file is not there, may not be read, is too large or begins like no picture.
        GanimeError: If its folder is gone, or the disk or the network fails for longer than `insist` waits: another picture
            must not silently take its place.
    """
    try:
        return _read(path)
    except OSError:
        return insist(lambda: _read(path), f"{show(path)} cannot be read")


def _read(path):
    # Three system calls for a small file: each one gives other threads a turn, and the turns cost more than the calls.
    try:
        descriptor = os.open(path, READ)
        try:
            data = os.read(descriptor, FIRST_READ)
            if not is_picture(data[:16]):
                raise UnreadablePicture("not a picture" if data else "empty")
            if len(data) < FIRST_READ:
                return data
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise UnreadablePicture("not a file")
            if status.st_size > MAX_BYTES:
                raise UnreadablePicture(f"{status.st_size:,} bytes are more than {MAX_BYTES:,}")
            with open(descriptor, "rb", buffering=0, closefd=False) as rest:
                return data + rest.readall()
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno in FAULTS_OF_THE_FILE:
            _check_folder(os.path.dirname(path) or ".")
            raise UnreadablePicture(error.strerror) from None
        if _is_no_file(path):
            raise UnreadablePicture("not a file") from None
        raise


def _check_folder(folder):
    """See that a file alone is missing, and not all beside it: a drive that is gone leaves no folder, or an empty one."""
    try:
        with os.scandir(folder) as entries:
            reason = "" if any(True for _ in entries) else "nothing is left in it"
    except OSError as error:
        if error.errno not in FAULTS_OF_THE_FILE:
            raise
        reason = error.strerror
    if reason:
        raise GanimeError(f"the folder {show(folder)} is gone: {reason}; when it is there again, the same command goes on")


def _is_no_file(path):
    """Whether there is a socket, a pipe that somebody holds open, or a device: each fails with an error of its own."""
    with contextlib.suppress(OSError):
        return not stat.S_ISREG(os.stat(path).st_mode)
    return False


def is_picture(head: bytes) -> bool:
    """Whether a file that begins with these (16) bytes has one of the `FORMATS`."""
    return head.startswith(SIGNATURES) or head[8:12] == b"WEBP" or head[4:12] in (b"ftypavif", b"ftypavis")


def decode_picture(data: bytes, at_least: int | None = None) -> np.ndarray:
    """Decode the content of a file: the first frame, upright, in RGB.

    Transparency becomes white; grey and CMYK become RGB; 16 bits become 8; the camera's orientation is followed.

    Args:
        data: Content of a JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF file.
        at_least: A large JPEG may be decoded at a fraction of its size, as long as its sides are twice this.

    Returns:
        uint8 [height, width, 3].

    Raises:
        UnreadablePicture: If it cannot be decoded whole, has more than `MAX_PIXELS` pixels or a side of less than `MIN_SIDE`.
        GanimeError: If there is not enough memory.
    """
    try:
        if data.startswith(JPEG) and data.count(b"\xff\xda") > MAX_SCANS and _scans(data) > MAX_SCANS:
            raise UnreadablePicture(f"a JPEG of more than {MAX_SCANS} scans")
        picture = _decode_plain_jpeg(data, at_least) if data.startswith(JPEG) else None
        return _decode_any(data, at_least) if picture is None else picture
    except UnreadablePicture:
        raise
    except UnidentifiedImageError:  # its message has an address in memory, and no more
        raise UnreadablePicture("damaged") from None
    except MemoryError as error:
        raise GanimeError("not enough memory to decode a picture") from error
    except Exception as error:  # decoders raise anything at all on broken files
        reason = (str(error) or type(error).__name__).partition("\n")[0]
        raise UnreadablePicture(f"cannot be decoded: {reason[:MAX_REASON]}") from error


def describe_picture(data: bytes) -> tuple[str, tuple[int, int]]:
    """Format, and width and height in pixels, of a file's content that `decode_picture` took."""
    if data.startswith(JPEG):
        with contextlib.suppress(ValueError):
            height, width, *_ = simplejpeg.decode_jpeg_header(data)
            return "JPEG", (width, height)
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        return image.format, image.size


def fit_square(picture: np.ndarray, size: int) -> np.ndarray:
    """Resize the shorter side to `size` (antialiased) and crop the middle: uint8 [size, size, 3]."""
    if picture.shape[:2] == (size, size):
        return picture
    return np.asarray(ImageOps.fit(Image.fromarray(picture), (size, size), Image.Resampling.LANCZOS))


def load_picture(path: str | os.PathLike, size: int) -> np.ndarray:
    """Read, decode and fit the picture in a file of any name: uint8 [size, size, 3], RGB.

    Raises:
        UnreadablePicture, GanimeError: As `read_picture` and `decode_picture` do.
    """
    return fit_square(decode_picture(read_picture(path), at_least=size), size)


def _decode_plain_jpeg(data, at_least):
    """As Pillow does, which has the same decoder, at a sixth of the time for small ones; None if Pillow should look at it."""
    if b"Exif\0\0" in data or b"Orientation" in data:
        return None
    try:
        height, width, color, _ = simplejpeg.decode_jpeg_header(data)
        if color not in ("YCbCr", "Gray"):
            return None
        _check_size(width, height, data)
        side = 2 * at_least if at_least and min(width, height) > 2 * at_least else 0
        return simplejpeg.decode_jpeg(data, "RGB", min_height=side, min_width=side)
    except UnreadablePicture:
        raise
    except ValueError:  # damaged, but perhaps only a little
        return None


def _decode_any(data, at_least):
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        _check_size(*image.size, data)
        if at_least:
            image.draft("RGB", (2 * at_least, 2 * at_least))
        large = image.width * image.height > LARGE
        if large and image.tile and image.tile[0][0] == "bmp_rle":  # Pillow does these in Python, byte by byte
            raise UnreadablePicture(f"a compressed BMP of {image.width}x{image.height} pixels")
        with _one_large if large else contextlib.nullcontext():
            ImageOps.exif_transpose(image, in_place=True)
            if image.mode in ("F", "I"):
                raise UnreadablePicture("its pixels are numbers of unknown range")
            if image.mode.startswith("I"):
                image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
            if image.has_transparency_data:
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _scans(data):
    """Number of scans of a JPEG, without those of pictures within it or after it."""
    count, place = 0, 2
    while (marker := MARKER.search(data, place)) and marker[0] != b"\xff\xd9":
        count += marker[0] == b"\xff\xda"
        place = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    return count


def _check_size(width, height, data):
    if min(width, height) < MIN_SIDE:
        raise UnreadablePicture(f"{width}x{height} pixels are too few to show a face")
    if width * height > MAX_PIXELS:
        raise UnreadablePicture(f"{width}x{height} pixels are more than {MAX_PIXELS / 1e6:.0f} million")
    if width * height > max(LARGE, MAX_DENSITY * len(data)):
        raise UnreadablePicture(f"{width}x{height} pixels in {len(data):,} bytes cannot show a face")
