"""Files that nobody would want among their pictures, and what each of them gets."""

import io
import os
import struct
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ganime.data.drawn import draw_face

RED, BLUE, GREY, WHITE = (200, 30, 60), (20, 40, 220), (90, 90, 90), (255, 255, 255)
WRITTEN = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "QOI", "PPM", "TGA", "JPEG2000")  # by Pillow
LOSSLESS = {"WEBP": {"lossless": True}, "AVIF": {"quality": 100, "subsampling": "4:4:4"}}
TOO_LARGE = r"pixels are more than 89 million|exceeds limit of \d+ pixels"


@dataclass
class Hostile:
    """A file and what it gets.

    Attributes:
        name: Its name; of bytes that need not be UTF-8, as Python has them (`os.fsdecode`).
        content: The file's bytes, or what makes something else of that path.
        reason: Pattern of the reason for which it is passed over; None if it is taken.
        color: Of its first pixel, if it is taken.
        shape: Its height and width, if it is taken.
        listed: Whether it counts as a picture at all.
    """

    name: str
    content: bytes | Callable[[Path], None]
    reason: str | None = None
    color: tuple[int, int, int] = RED
    shape: tuple[int, int] = (40, 48)
    listed: bool = True

    def make(self, folder: Path) -> Path:
        """Put it there."""
        path = folder / self.name
        path.parent.mkdir(exist_ok=True)
        if callable(self.content):
            self.content(path)
        else:
            path.write_bytes(self.content)
        return path


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    """The content of a file with that picture."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def patched(data: bytes, place: int, kind: str, *values: int) -> bytes:
    """The bytes with numbers written over them (`struct`)."""
    new = struct.pack(kind, *values)
    return data[:place] + new + data[place + len(new) :]


def png(width: int, height: int, *chunks: bytes) -> bytes:
    """A black PNG of one bit per pixel."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = compressed_zeros(((width + 7) // 8 + 1) * height)
    content = (chunk(b"IHDR", header), *chunks, chunk(b"IDAT", rows), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(content)


def compressed_zeros(count: int) -> bytes:
    """So many zeros as zlib has them: a block that is repeated, so that a huge number costs little."""
    block = zlib.compressobj(9, wbits=-15)
    repeated = block.compress(bytes(2**16)) + block.flush(zlib.Z_FULL_FLUSH)
    rest = zlib.compressobj(9, wbits=-15)
    last = rest.compress(bytes(count % 2**16)) + rest.flush()
    checksum = struct.pack(">HH", count % 65_521, 1)  # Adler's
    return b"\x78\xda" + count // 2**16 * repeated + last + checksum


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def tiff_with(data: bytes, tag: int, value: int) -> bytes:
    """A little-endian TIFF in which a tag of its first directory has another value."""
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    places = [start + 2 + 12 * i for i in range(count)]
    place = next(place for place in places if struct.unpack_from("<H", data, place) == (tag,))
    return patched(data, place + 2, "<HII", 4, 1, value)


def bmp_of_runs(width: int, height: int, runs: bytes) -> bytes:
    """A BMP that is compressed by run lengths."""
    start = 14 + 40 + 1024
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(runs), 0, 0, 256, 0)
    colors = b"".join(bytes((i, i, i, 0)) for i in range(256))
    return b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + header + colors + runs


def face(mode="RGB"):
    """A small drawn face."""
    return Image.fromarray(draw_face(1, 40)).convert(mode)


def _plain(mode="RGB", color=RED):
    return Image.new("RGB", (48, 40), color).convert(mode)


def _halves():
    image = Image.new("RGB", (40, 48), RED)
    image.paste(BLUE, (0, 24, 40, 48))
    return image


def _animation(kind):
    frames = [_plain(color=BLUE)]
    return encoded(_plain(), kind, save_all=True, append_images=frames, duration=100, **LOSSLESS.get(kind, {}))


def _jpeg_of_size(width, height):
    data = encoded(_plain(), "JPEG")
    return patched(data, data.index(b"\xff\xc0") + 5, ">HH", height, width)


def _turned():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its right side
    return encoded(_halves().transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=95)


def _numbers(kind, value):
    return Image.fromarray(np.full((40, 48), value, kind))


def _deep_rgb(value):
    rows = (b"\0" + struct.pack(">HHH", *value) * 48) * 40
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 48, 40, 16, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def _scans(count):
    """A progressive JPEG with its last scan repeated: a few bytes each, and each takes the time of the whole picture."""
    data = encoded(Image.new("L", (48, 40)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + data[-2:]


def _link_to(target):
    return lambda path: os.symlink(target, path)


def unseen_first(kind):
    """An animation of which nothing is seen at first."""
    unseen = Image.new("RGBA", (48, 40))
    frames = [unseen, _plain("RGBA")]
    return encoded(unseen, kind, save_all=True, append_images=frames, duration=100, disposal=2, **LOSSLESS.get(kind, {}))


def _jpeg2000(place, kind, *values):
    """A JPEG 2000 file with other numbers at that place of what describes its pixels, tiles and channels."""
    return patched(encoded(face(), "JPEG2000", no_jp2=True), place, kind, *values)


TRUNCATED = {kind: encoded(face(), kind) for kind in WRITTEN}

HOSTILE = {
    "empty": Hostile("empty.png", b"", "^empty$"),
    "text": Hostile("text.jpg", b"just some words", "not a picture"),
    "web page": Hostile("page.png", b"<!DOCTYPE html>\n<title>404 Not Found</title>", "not a picture"),
    "zeros": Hostile("zeros.webp", bytes(100_000), "not a picture"),
    **{
        f"{kind} cut short": Hostile(f"cut.{kind.lower()}", data[: 3 * len(data) // 4], "cannot be decoded|damaged")
        for kind, data in TRUNCATED.items()
    },
    "signature of a PNG": Hostile("signature.png", b"\x89PNG\r\n\x1a\n", "cannot be decoded|damaged"),
    "PNG bomb": Hostile("bomb.png", png(30_000, 30_000), TOO_LARGE),
    "PNG just too large": Hostile("large.png", png(9460, 9460), TOO_LARGE),
    "PNG of nothing": Hostile("nothing.png", png(9000, 9000), "bytes cannot show a face"),
    "PNG with a text bomb": Hostile(
        "text-bomb.png", png(48, 40, chunk(b"zTXt", b"a\0\0" + compressed_zeros(2**26))), color=(0, 0, 0)
    ),
    "PNG with a damaged text": Hostile("text.png", png(48, 40, b"\0\0\0\1tEXta1234"), color=(0, 0, 0)),
    "PNG with a profile bomb": Hostile(
        "profile-bomb.png", png(48, 40, chunk(b"iCCP", b"a\0\0" + compressed_zeros(2**26))), color=(0, 0, 0)
    ),
    "JPEG that claims to be huge": Hostile("huge.jpg", _jpeg_of_size(65_500, 65_500), TOO_LARGE),
    "JPEG of a thousand scans": Hostile("scans.jpg", _scans(1000), "more than 100 scans"),
    "GIF with a huge screen": Hostile("huge.gif", patched(encoded(face(), "GIF"), 6, "<HH", 65_535, 65_535), TOO_LARGE),
    "BMP that claims to be huge": Hostile(
        "huge.bmp", patched(encoded(face(), "BMP"), 18, "<ii", 2**31 - 1, 2**31 - 1), TOO_LARGE
    ),
    "BMP without a row": Hostile("flat.bmp", patched(encoded(face(), "BMP"), 22, "<i", 0), "too few|cannot be decoded|damaged"),
    "compressed BMP of long rows": Hostile("rows.bmp", bmp_of_runs(2**23, 8, b"\1\1\0\0" * 20_000), "compressed BMP"),
    "TIFF with a damaged height": Hostile(
        "height.tif", tiff_with(encoded(face(), "TIFF"), 257, 2**21 + 40), "cannot show a face"
    ),
    "WebP with a damaged height": Hostile("height.webp", patched(_animation("WEBP"), 28, "<H", 2**12), "cannot show a face"),
    "TIFF that claims to be huge": Hostile(
        "huge.tif", tiff_with(tiff_with(encoded(face(), "TIFF"), 256, 2**31 - 1), 257, 2**31 - 1), TOO_LARGE
    ),
    "WebP that claims to be huge": Hostile(
        "huge.webp", patched(encoded(_plain(), "WEBP", lossless=True), 21, "<I", 2**28 - 1), "cannot be decoded|damaged"
    ),
    "QOI that claims to be huge": Hostile("huge.qoi", patched(encoded(face(), "QOI"), 4, ">II", 2**31, 2**31), TOO_LARGE),
    "QOI of many pixels": Hostile(
        "many.qoi", patched(encoded(face(), "QOI"), 4, ">II", 4100, 4100) + bytes(2**15), "compressed QOI"
    ),
    "PPM that claims to be huge": Hostile("huge.ppm", b"P6\n99999 99999\n255\n" + bytes(100), TOO_LARGE),
    "PPM of comments": Hostile(
        "comments.ppm", b"P6\n#" + b" " * 2**17 + b"\n48 40\n255\n" + bytes(48 * 40 * 3), "no whole header"
    ),
    "TGA that claims to be huge": Hostile("huge.tga", patched(encoded(face(), "TGA"), 12, "<HH", 65_535, 65_535), TOO_LARGE),
    "JPEG 2000 that claims to be huge": Hostile("huge.j2k", _jpeg2000(8, ">II", 2**30, 2**30), TOO_LARGE + "|tiles"),
    "JPEG 2000 of many tiles": Hostile("tiles.j2k", _jpeg2000(8, ">6I", 4000, 4000, 0, 0, 8, 8), "250,000 tiles"),
    "JPEG 2000 of many channels": Hostile(
        "channels.j2k", _jpeg2000(40, ">H", 16_384), "16384 channels|cannot be decoded|damaged"
    ),
    "HEIC": Hostile(
        "photo.heic", b"\0\0\0\x18ftypheic" + bytes(100), "^a HEIC picture: pip install pillow-heif|damaged|cannot be"
    ),
    "JPEG XL": Hostile("photo.jxl", b"\xff\n" + b"\xff" * 100, "^a JPEG XL picture: pip install pyjpegxl|damaged|cannot be"),
    "1x1": Hostile("dot.png", png(1, 1), "1x1 pixels are too few"),
    "1x20000": Hostile("line.png", png(1, 20_000), "1x20000 pixels are too few"),
    "20000x9": Hostile("ribbon.png", png(20_000, 9), color=(0, 0, 0), shape=(9, 20_000)),
    "JPEG named .png": Hostile("a-jpeg.png", encoded(_plain(), "JPEG", quality=95)),
    "PNG without an ending": Hostile("a-png", encoded(_plain(), "PNG")),
    "PNG named .txt": Hostile("a-png.txt", encoded(_plain(), "PNG")),
    "text named .txt": Hostile("words.txt", b"just some words", listed=False),
    "text that begins like a bitmap": Hostile("BM.txt", b"BMW and other makers of cars", listed=False),
    "text that begins like a PPM": Hostile("P6.txt", b"P6 is a kind of picture", listed=False),
    "text that begins like a GIF": Hostile("GIF8.gif", b"GIF8 has nine frames", "not a picture"),
    "TGA without an ending": Hostile("a-tga", encoded(_plain(), "TGA"), listed=False),
    "grey PNG of 16 bits": Hostile("grey16.png", encoded(_numbers(np.uint16, 90 * 257), "PNG"), color=GREY),
    "color PNG of 16 bits": Hostile("color16.png", _deep_rgb([257 * value for value in RED])),
    "TIFF of floating-point numbers": Hostile("float.tif", encoded(_numbers(np.float32, 0.5), "TIFF"), "floating-point pixels"),
    "TIFF of 32-bit integers": Hostile("integer.tif", encoded(_numbers(np.int32, 200), "TIFF"), "32-bit integer pixels"),
    "12 bits in a grey PNG of 16": Hostile("grey12.png", encoded(_numbers(np.uint16, 4095), "PNG"), "nearly black"),
    "12 bits in a color PNG of 16": Hostile("color12.png", _deep_rgb((4095, 2000, 100)), "nearly black"),
    "CMYK JPEG": Hostile("cmyk.jpg", encoded(_plain("CMYK"), "JPEG", quality=95)),
    "CMYK TIFF": Hostile("cmyk.tif", encoded(_plain("CMYK"), "TIFF")),
    "grey JPEG": Hostile("grey.jpg", encoded(_plain("L", GREY), "JPEG", quality=95), color=GREY),
    "progressive JPEG": Hostile("progressive.jpg", encoded(_plain(), "JPEG", quality=95, progressive=True)),
    "JPEG of a turned camera": Hostile("turned.jpg", _turned(), shape=(48, 40)),
    "JPEG with a damaged Exif": Hostile("exif.jpg", encoded(_plain(), "JPEG", quality=95, exif=b"Exif\0\0damaged")),
    "JPEG with something after it": Hostile("trailing.jpg", encoded(_plain(), "JPEG", quality=95) + b"<script>" * 1000),
    "palette with transparency": Hostile("palette.png", encoded(Image.new("P", (48, 40)), "PNG", transparency=0), color=WHITE),
    "grey with transparency": Hostile("la.png", encoded(Image.new("LA", (48, 40), (90, 0)), "PNG"), color=WHITE),
    "color with transparency": Hostile("rgba.png", encoded(Image.new("RGBA", (48, 40), (*BLUE, 0)), "PNG"), color=WHITE),
    "animated GIF": Hostile("animated.gif", _animation("GIF")),
    "animated WebP": Hostile("animated.webp", _animation("WEBP")),
    "animated PNG": Hostile("animated.png", _animation("PNG")),
    **{
        f"{kind} of which nothing is seen at first": Hostile(f"unseen.{kind.lower()}", unseen_first(kind))
        for kind in ("GIF", "PNG", "WEBP")
    },
    "all transparent GIF": Hostile("empty.gif", encoded(Image.new("P", (48, 40)), "GIF", transparency=0), color=WHITE),
    "QOI": Hostile("a.qoi", encoded(_plain(), "QOI")),
    "PPM": Hostile("a.ppm", encoded(_plain(), "PPM")),
    "PPM named .jpg": Hostile("a-ppm.jpg", b"P3\n# words\n48 40 255\n" + b"200 30 60\n" * 48 * 40),
    "TGA": Hostile("a.tga", encoded(_plain(), "TGA", rle=True)),
    "TGA named .png": Hostile("a-tga.png", encoded(_plain(), "TGA")),
    "TGA with a fourth channel of zeros": Hostile(
        "zeros.tga", patched(encoded(Image.new("RGBA", (48, 40), (*RED, 0)), "TGA"), 17, "B", 0)
    ),
    "JP2": Hostile("a.jp2", encoded(_plain(), "JPEG2000")),
    "J2K": Hostile("a.j2k", encoded(_plain(), "JPEG2000", no_jp2=True, irreversible=True)),
    "broken link": Hostile("broken-link.png", _link_to("nowhere"), "No such file"),
    "link to itself": Hostile("itself.png", _link_to("itself.png"), "symbolic links"),
    "folders in a circle": Hostile("circle", _link_to("."), listed=False),
    "link to all files": Hostile("up.png", _link_to(".."), listed=False),
    "folder named .png": Hostile("folder.png/inside.png", encoded(_plain(color=BLUE), "PNG"), color=BLUE),
    "forbidden": Hostile("forbidden.png", encoded(_plain(), "PNG"), "Permission denied"),
    "name of a control character": Hostile("\x80.png", encoded(_plain(), "PNG")),
    "name with a dash": Hostile("--strict.png", encoded(_plain(), "PNG")),
    "name with spaces": Hostile(" a  face .png", encoded(_plain(), "PNG")),
    "name with an emoji": Hostile("\N{GRINNING FACE}.png", encoded(_plain(), "PNG")),
    "name of 250 characters": Hostile("x" * 246 + ".png", encoded(_plain(), "PNG")),
}
if os.sep == "/":
    HOSTILE |= {
        "pipe": Hostile("pipe.jpg", os.mkfifo, listed=False),
        "pipe without an ending": Hostile("pipe", os.mkfifo, listed=False),
        "link to a pipe": Hostile("link-to-a-pipe.png", _link_to("pipe"), listed=False),
        "link to a device": Hostile("device.png", _link_to("/dev/zero"), listed=False),
        "name of two lines": Hostile("two\nlines.png", encoded(_plain(), "PNG")),
        "broken and a name of two lines": Hostile("two\r\nbroken lines.png", b"\x89PNG\r\n\x1a\n", "cannot be decoded|damaged"),
        "name that looks like an escape": Hostile("\\x80.png", encoded(_plain(), "PNG")),
        "name of a formula": Hostile("=1+1,\"'.png", encoded(_plain(), "PNG")),
    }
if sys.platform == "linux":
    HOSTILE |= {
        "name that is no UTF-8": Hostile(os.fsdecode(b"\xff\xfe.png"), encoded(_plain(), "PNG")),
        "broken and a name that is no UTF-8": Hostile(os.fsdecode(b"\x80.png"), b"", "^empty$"),
    }
