"""From the bytes of a file to an RGB picture, whatever the file claims to be (Pillow and simplejpeg, no TensorFlow)."""

import contextlib
import errno
import os
import re
import stat
import threading

import numpy as np
import simplejpeg
from PIL import Image, ImageOps, UnidentifiedImageError

from ganime.data.color import changes_colors, jpeg_profile, to_srgb
from ganime.data.formats import SUFFIXES, UnreadablePicture, format_of, is_picture, open_picture
from ganime.data.names import show
from ganime.errors import GanimeError
from ganime.files import insist

__all__ = [
    "FAULTS_OF_THE_FILE",
    "MAX_BYTES",
    "MAX_PIXELS",
    "MIN_SIDE",
    "SUFFIXES",
    "UnreadablePicture",
    "decode_picture",
    "describe_picture",
    "fit_square",
    "format_of",
    "is_picture",
    "load_picture",
    "read_picture",
]

JPEG = b"\xff\xd8\xff"

# Does not wait at a named pipe, and takes no terminal for its own.
READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
FIRST_READ = 2**16  # bytes
MAX_BYTES = 2**29  # of a file
MAX_PIXELS = 2**30 // 12  # of a picture, decoded whole: Pillow's bound for decompression bombs, a quarter of a gigabyte in RGB
LARGE = 2**24  # pixels; of larger pictures Pillow decodes one at a time, since it may take 20 bytes for each pixel
MAX_DENSITY = 1000  # pixels for each byte of large pictures; more have only damaged headers, bombs, and a plain color
MIN_SIDE = 8  # pixels; nothing can be seen on less
BITS, PLANAR = 258, 284  # numbers of a TIFF's tags
MAX_SCANS = 100  # of a JPEG, as in libtiff. Programs write a dozen; each takes the time of a picture, and perhaps ten bytes
MAX_REASON = 200  # characters; decoders may quote what a file holds
MAX_FRAMES = 20  # of an animation that are looked at for one that is not all transparent
MARKER = re.compile(rb"\xff[\xc0-\xcf\xd9-\xfe]")  # of a JPEG, save those within a scan

ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")
NUMBERS = {"F": "floating-point", "I": "32-bit integer"}  # Pillow's modes

_one_large = threading.Lock()

# A file that is missing, forbidden or no file; all other errors are the disk's or the network's.
FAULTS_OF_THE_FILE = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)


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
            if not format_of(data):
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


def decode_picture(data: bytes, at_least: int | None = None) -> np.ndarray:
    """Decode the content of a file: the first frame on which anything is seen, upright, in sRGB.

    Transparency becomes white; grey, CMYK and other color profiles become sRGB; 16 bits become 8; the camera's orientation is
    followed.

    Args:
        data: Content of a file of one of the formats in `ganime.data.formats`.
        at_least: A large JPEG may be decoded at a fraction of its size, as long as its sides are twice this.

    Returns:
        uint8 [height, width, 3].

    Raises:
        UnreadablePicture: If it cannot be decoded whole, has more than `MAX_PIXELS` pixels or a side of less than `MIN_SIDE`,
            or needs a package that is not installed.
        GanimeError: If there is not enough memory.
    """
    try:
        picture = _decode_plain_jpeg(data, at_least) if data.startswith(JPEG) else None
        return _decode_any(data, at_least) if picture is None else picture
    except UnreadablePicture:
        raise
    except UnidentifiedImageError:  # its message has an address in memory, and no more
        raise UnreadablePicture("damaged, or of a rare kind") from None
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
    kind = format_of(data)
    return kind, open_picture(data, kind)[0]


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
    # One byte is counted sooner than two, and small files have few of it.
    if data.count(b"\xda") > MAX_SCANS and data.count(b"\xff\xda") > MAX_SCANS and _scans(data) > MAX_SCANS:
        raise UnreadablePicture(f"a JPEG of more than {MAX_SCANS} scans")
    if b"Exif\0\0" in data or b"Orientation" in data:
        return None
    if b"ICC_PROFILE\0" in data and changes_colors(jpeg_profile(data)):
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
    kind = format_of(data)
    if not kind:
        raise UnreadablePicture("not a picture")
    (width, height), load = open_picture(data, kind)
    _check_size(width, height, data)
    large = width * height > LARGE
    with _one_large if large else contextlib.nullcontext():
        image = load()
        tiles = getattr(image, "tile", ())
        if large and tiles and tiles[0][0] in ("bmp_rle", "qoi"):  # done in Python, byte by byte
            raise UnreadablePicture(f"a compressed {kind} of {width}x{height} pixels")
        if kind == "TIFF" and tiles and tiles[0][0] == "raw" and image.tag_v2.get(PLANAR) == 2 and max(image.tag_v2[BITS]) > 8:
            # Pillow 13.0 takes them for 8 bits: findings/pillow_tiff_in_planes_of_16_bits.sh.
            raise UnreadablePicture("its colors are in planes of 16 bits; save it anew, as PNG say")
        if kind == "JPEG" and at_least:
            image.draft("RGB", (2 * at_least, 2 * at_least))
        profile, bits = image.info.get("icc_profile"), _bits(image.mode, tiles)
        if kind in ANIMATED and image.is_animated:
            _seek_visible(image)
        ImageOps.exif_transpose(image, in_place=True)
        image = to_srgb(_in_8_bits(image, bits), profile)
        if image.has_transparency_data:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _seek_visible(image):
    """Go to the first frame on which anything is to be seen; to the first of all if there is none among the first few."""
    most = min(MAX_FRAMES, 1 + MAX_PIXELS // (image.width * image.height))
    for frame in range(most):
        try:
            image.seek(frame)
        except EOFError:
            break
        if not image.has_transparency_data or image.convert("RGBA").getchannel("A").getextrema()[1]:
            return
    image.seek(0)


def _bits(mode, tiles):
    """How many bits per channel a picture has in its file, 8 if not more than that; of colors, Pillow drops the lower ones."""
    raw = str([tile[3] for tile in tiles])
    return 12 if "I;12" in raw else 16 if mode.startswith("I;16") or ";16" in raw else 8


def _in_8_bits(image, bits):
    if image.mode in NUMBERS:
        raise UnreadablePicture(f"{NUMBERS[image.mode]} pixels, whose range is not known")
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image) // (257 if bits == 16 else 16)).astype(np.uint8))
    if bits == 16 and np.asarray(image if image.mode == "L" else image.convert("RGB")).max() < 16:
        raise UnreadablePicture("nearly black: of 16 bits the upper four are not used; if it has 12 bits, multiply them by 16")
    return image


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
