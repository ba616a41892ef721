"""The formats of pictures: how each begins, and what opens it (Pillow, pyjpegxl, pillow-heif; no TensorFlow)."""

import contextlib
import importlib
import io
import re
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image

from ganime.data.color import MAX_PROFILE
from ganime.errors import InputError

# For each format its beginning, and nothing that a text may have as well. A file's first 16 bytes decide.
_BEGINNINGS = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "WEBP": rb"RIFF.{4}WEBP",
    "GIF": rb"GIF8[79]a",
    "BMP": rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0",  # the size of its header, in one of eight versions
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "AVIF": rb".{4}ftyp(?:avi[fs]|m[is]f1.{4}(?:.{4}){0,15}?avi[fs])",
    "HEIC": rb".{4}ftyp(?:he[iv][cmsx]|mif1|msf1)",
    "JXL": rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n",
    "JPEG2000": rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n",
    "QOI": rb"qoif.{8}[\3\4][\0\1]",
    "PNM": rb"P[1-6](?:\s+\d{1,5}\s+\d{1,5}(?:\s|\Z)|\s*[\r\n]\s*#)",
}
_BEGINNING = re.compile(b"|".join(b"(?P<%s>%s)" % (name.encode(), start) for name, start in _BEGINNINGS.items()), re.DOTALL)
FORMATS = (*_BEGINNINGS, "TGA")
SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif", ".hif", ".jxl"),
    *(".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".qoi", ".ppm", ".pgm", ".pnm", ".pbm", ".tga"),
)
HEAD = 16  # bytes
MAX_HEADER = 2**16  # bytes of a PNM's header, most of it comments
MAX_TILES, MAX_PARTS = 4096, 2**16  # of a JPEG 2000 file; its decoder takes 10 kB for each tile, without looking for it
MAX_PRECINCTS = 2**17  # of a JPEG 2000 file, for each channel; the decoder takes hundreds of bytes for each
_KEPT = (b"tRNS", b"acTL", b"fcTL", b"fdAT")  # of a PNG, besides the chunks without which it is none
_XMP = b"XML:com.adobe.xmp\0\0\0"  # may say how the camera was held
MAX_XMP = 2**20  # bytes
_COUNTED = ("GIF", "TIFF", "AVIF", "HEIC")  # formats of which Pillow counts the pictures

Opened = tuple[tuple[int, int], Callable[[], Image.Image]]


class UnreadablePicture(InputError):
    """A file that is not a whole picture of a known format."""


def format_of(data: bytes) -> str | None:
    """Which of the `FORMATS` a file's content has, by its beginning; a TGA's says little, so all others come before it."""
    match = _BEGINNING.match(data)
    return match.lastgroup if match else "TGA" if _is_tga(data) else None


def is_picture(head: bytes) -> bool:
    """Whether a file that begins with these (16) bytes has one of the `FORMATS`. A TGA is told by more: see `format_of`."""
    return _BEGINNING.match(head[:HEAD]) is not None


def open_picture(data: bytes, kind: str) -> Opened:
    """Open a file's content, with the decoder of that format and no other.

    Returns:
        Width and height in pixels as the file has them, and what gives the picture, so that nothing large is decoded before its
        size is known.

    Raises:
        UnreadablePicture: If what is needed for that format is not installed, or the content is damaged.
        Exception: What a decoder raises.
    """
    if kind == "JXL":
        return _open_jpeg_xl(data)
    if kind == "PNM":
        return _open_pnm(data)
    profile = None
    if kind == "PNG":
        data, profile = _without_notes(data)
    elif kind == "JPEG2000":
        profile = _check_jpeg2000(data)
    if kind == "HEIC":  # the class itself, so that nothing is registered for all who use Pillow
        image = _import("pillow_heif", "pillow-heif", "HEIC").HeifImageFile(io.BytesIO(data))
    else:
        image = Image.open(io.BytesIO(data), formats=[kind])
    if profile:
        image.info["icc_profile"] = profile
    if kind == "TGA" and not data[17] & 15:  # its fourth channel is no transparency
        return image.size, lambda: image.convert("RGB")
    return image.size, lambda: image


def holds_several(data: bytes, kind: str) -> bool:
    """Whether a file that can be decoded holds more than one picture: an animation's frames, the pages of a TIFF; as far as
    its beginning or an index in it tells, so that nothing is decoded for it."""
    if kind == "PNG":
        return data.find(b"acTL", 0, data.find(b"IDAT")) > 0
    if kind == "WEBP":
        return data[12:16] == b"VP8X" and bool(data[20] & 2)
    with contextlib.suppress(Exception):  # which decoders raise of any kind where there is damage behind the first picture
        return kind in _COUNTED and open_picture(data, kind)[1]().is_animated
    return False


def _import(module, package, kind):
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        raise UnreadablePicture(f"a {kind} picture: pip install {package}") from None


def _is_tga(data):
    """Whether the 18 bytes of a TGA's header make sense, which they hardly ever do in other files, and never in a text."""
    if len(data) <= 18:
        return False
    mapped, kind, width, height, depth, flags = struct.unpack_from("<xBB9xHHBB", data)
    return mapped < 2 and kind in (1, 2, 3, 9, 10, 11) and width * height > 0 and depth in (8, 16, 24, 32) and flags < 64


def _without_notes(data):
    """A PNG without its texts and the like, damaged or huge as they may be, and its color profile, if that is not too large."""
    view, parts, profile, place = memoryview(data), [], None, 8
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        name, content, end = data[place + 4 : place + 8], place + 8, place + 12 + length
        needed = not name[0] & 32  # as its first letter, a capital, says
        whole = needed or zlib.crc32(view[place + 4 : end - 4]).to_bytes(4, "big") == view[end - 4 : end]
        if name == b"iCCP" and whole:
            profile = _unpacked(data[content : end - 4].partition(b"\0")[2][1:])
        turned = name == b"eXIf" or (name == b"iTXt" and data.startswith(_XMP, content) and length < MAX_XMP)
        if needed or name in _KEPT or (turned and whole):
            parts.append(view[place:end])
        place = end
        if name == b"IEND":
            break
    else:
        parts.append(view[place:])
    return b"".join((view[:8], *parts)), profile


def _unpacked(content):
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(content, MAX_PROFILE)
    except zlib.error:
        return None
    return None if unpacker.unconsumed_tail else profile


def _open_jpeg_xl(data):
    """A JPEG XL without its notes: they may be packed, and what they unpack to has no bounds."""
    jxl = _import("pyjpegxl", "pyjpegxl", "JPEG XL")
    if data.startswith(b"\0"):
        data = b"".join(box for name, box in _boxes(data) if name in (b"JXL ", b"ftyp", b"jxlc", b"jxlp", b"jxll"))
    about = jxl.probe(data)

    def load():
        _, pixels = jxl.decode_to_numpy(data, dtype="uint8")
        height, width, channels = pixels.shape
        image = Image.frombytes(("L", "LA", "RGB", "RGBA")[channels - 1], (width, height), np.ascontiguousarray(pixels))
        if about.icc:
            image.info["icc_profile"] = about.icc
        return image

    return (about.width, about.height), load


def _boxes(data, place=0):
    """Name and bytes of each box of an ISO container, from there on."""
    while place + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        if length == 1 and place + 16 <= len(data):
            (length,) = struct.unpack_from(">Q", data, place + 8)
        end = place + length if length else len(data)
        if end < place + 8 or end > len(data):
            raise UnreadablePicture(f"damaged: {name!r} is cut short")
        yield name, data[place:end]
        place = end


def _open_pnm(data):
    """A PBM, PGM or PPM: a header in words, and numbers in binary or in words."""
    head = re.sub(rb"#[^\r\n]*", lambda comment: b" " * len(comment[0]), data[:MAX_HEADER])
    kind = data[1] - ord("0")
    header = re.match(rb"P[1-6]\s+(\d{1,9})\s+(\d{1,9})" + (rb"\s" if kind in (1, 4) else rb"\s+(\d{1,5})\s"), head)
    if not header:
        raise UnreadablePicture("damaged: no whole header")
    width, height, most = (int(number or 1) for number in (*header.groups(), None)[:3])
    shape = (height, width, 3) if kind in (3, 6) else (height, width)
    return (width, height), lambda: Image.fromarray(_pnm_pixels(data[header.end() :], kind, shape, most))


def _pnm_pixels(data, kind, shape, most):
    """uint8 of that shape."""
    count = int(np.prod(shape))
    if not 0 < most < 2**16:
        raise UnreadablePicture("damaged: no such range of numbers")
    if kind == 4:
        row = (shape[1] + 7) // 8
        bits = np.frombuffer(data, np.uint8, shape[0] * row).reshape(shape[0], row)
        return 255 * (1 - np.unpackbits(bits, axis=1)[:, : shape[1]])
    if kind > 4:
        numbers = np.frombuffer(data, np.uint8 if most < 256 else ">u2", count)
    else:
        data = re.sub(rb"#[^\r\n]*", b"", data)
        if data.translate(None, (b"01" if kind == 1 else b"0123456789") + b" \t\n\v\f\r"):
            raise UnreadablePicture("damaged: not only numbers")
        if kind == 1:  # whose digits may stand side by side
            data = np.frombuffer(data.translate(None, b" \t\n\v\f\r"), np.uint8) - ord("0")
            return 255 * (1 - data[:count].reshape(shape))
        numbers = np.fromstring(data, np.int32, count, sep=" ")
    if numbers.max() > most or numbers.min() < 0:
        raise UnreadablePicture("damaged: a number out of range")
    levels = (np.arange(most + 1) * 510 + most) // (2 * most)  # rounded
    return levels.astype(np.uint8)[numbers.reshape(shape)]


def _check_jpeg2000(data):
    """See that the decoder of a JPEG 2000 file takes memory for its pixels only, and find its color profile."""
    profile, stream = None, data
    if data.startswith(b"\0"):
        for name, box in _boxes(data):
            if name == b"jp2h":
                for inner, content in _boxes(box, 8):
                    if inner == b"colr" and content[8:9] == b"\2":
                        profile = content[11:]
            if name == b"jp2c":
                stream = box[8:]
                break
    right, bottom, _, _, tile_width, tile_height, left, top, channels = struct.unpack_from(">8IH", stream, 8)
    tiles = -((left - right) // max(tile_width, 1)) * -((top - bottom) // max(tile_height, 1))
    if channels > 4 or tiles > MAX_TILES:
        raise UnreadablePicture(f"a JPEG 2000 file of {channels} channels and {tiles:,} tiles")
    for sizes in _precinct_sizes(stream):
        precincts = 0
        for halved, size in enumerate(reversed(sizes)):
            precincts += ((right >> halved >> (size & 15)) + 1) * ((bottom >> halved >> (size >> 4)) + 1)
        if precincts > MAX_PRECINCTS:
            raise UnreadablePicture(f"a JPEG 2000 file of {precincts:,} precincts")
    return profile


def _precinct_sizes(stream):
    """For each place in a JPEG 2000 file that gives them: of each resolution the exponents of a precinct's width and height."""
    place, start, part, parts = 2, 0, 0, 0
    while place + 4 <= len(stream) and parts < MAX_PARTS:
        marker, length = struct.unpack_from(">HH", stream, place)
        if marker == 0xFFD9:  # the end
            return
        if marker == 0xFF93:  # data
            if not part:
                return
            place = max(start + part, place + 2)
            continue
        if marker == 0xFF90:  # a part of a tile
            start, parts = place, parts + 1
            (part,) = struct.unpack_from(">I", stream, place + 6)
        elif marker in (0xFF52, 0xFF53):  # how all channels are coded, or one
            style = place + (4 if marker == 0xFF52 else 5)
            if stream[style] & 1:
                yield stream[style + (10 if marker == 0xFF52 else 6) : place + 2 + length]
        place += 2 + length
