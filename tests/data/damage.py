"""Ways to damage files, and good files of every format to damage."""

import functools
import importlib.util
import io
import random
import struct
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ganime.data.decode import JPEG, MIN_SIDE, UnreadablePicture, decode_picture, describe_picture, fit_square
from ganime.data.listing import Listing
from ganime.errors import InputError
from tests.data.hostile import bmp_of_runs, chunk, encoded, face, png

CHANGES = ("flip", "delete", "insert", "repeat", "number", "cut", "splice")
NUMBERS = (0, 1, 2, 7, 127, 128, 255, 256, 9000, 2**15 - 1, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


def with_valid_checksums(data: bytes) -> bytes:
    """A PNG with the checksums that its chunks should have: with wrong ones, damage is found before it does any."""
    place, parts = 8, [data[:8]]
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        parts.append(chunk(data[place + 4 : place + 8], data[place + 8 : place + 8 + length]))
        place += 12 + length
    return b"".join(parts)


def damaged(data: bytes, changes: list[tuple[str, int, int, int]], other: bytes = b"") -> bytes:
    """The content of a file after some changes.

    Args:
        data: Content of a file.
        changes: For each what to do, where, over how many bytes, and a number.
        other: Content of a file that may be spliced in.
    """
    for change, place, length, number in changes:
        place %= len(data) + 1
        before, there, after = data[:place], data[place : place + length], data[place + length :]
        if change == "flip":
            data = before + bytes(value ^ 1 << number % 8 for value in there[:1]) + there[1:] + after
        elif change == "delete":
            data = before + after
        elif change == "insert":
            data = before + random.Random(number).randbytes(length) + there + after
        elif change == "repeat":
            data = before + there * (number % 8) + after
        elif change == "number":
            width, order = ((1, "big"), (2, "big"), (2, "little"), (4, "big"), (4, "little"))[number % 5]
            value = NUMBERS[number // 5 % len(NUMBERS)] % 256**width
            data = before + value.to_bytes(width, order) + data[place + width :]
        elif change == "cut":
            data = before or data
        elif change == "splice":
            data = before + other[number % (len(other) + 1) :]
    return data


def examine(data: bytes) -> str:
    """The reason why a file's content is passed over; empty if it is taken. Raises if it is neither as it should be."""
    try:
        picture = decode_picture(data)
    except UnreadablePicture as error:
        reason = str(error)
        assert reason.strip() and reason.isprintable(), reason
        return reason
    assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3
    assert min(picture.shape[:2]) >= MIN_SIDE
    assert fit_square(picture, 64).shape == (64, 64, 3)
    if data.startswith(JPEG):
        assert fit_square(decode_picture(data, at_least=64), 64).shape == (64, 64, 3)
    kind, size = describe_picture(data)
    assert kind and min(size) >= MIN_SIDE
    return ""


def read_damaged(
    path: Path,
    whole: bytes,
    lengths: Sequence[int],
    opened: Callable[[Path], Listing],
    tries: int = 200,
    contents: Collection[bytes] | None = None,
) -> Counter:
    """How often an archive was "refused", and its pictures "read" or "unreadable", when it was damaged in so many ways.

    Args:
        path: Where to write the damaged ones.
        whole: The archive's content.
        lengths: Over how many bytes a change may go.
        opened: Opens one; anything but an `InputError` that can be shown fails the test.
        tries: In how many ways.
        contents: What its pictures may be then; without it only their length counts.
    """
    outcomes = Counter()
    for seed in range(tries):
        draw = random.Random(seed)
        changes = [
            (draw.choice(CHANGES), draw.randrange(len(whole)), draw.choice(lengths), draw.randrange(2**16))
            for _ in range(draw.randint(1, 3))
        ]
        path.write_bytes(damaged(whole, changes, whole))
        try:
            listing = opened(path)
        except InputError as error:
            assert not isinstance(error, UnreadablePicture) and str(error).isprintable()
            outcomes["refused"] += 1
            continue
        for index in range(len(listing)):
            try:
                content = listing.read(index)
                assert len(content) == listing.size_of(index) if contents is None else content in contents
                outcomes["read"] += 1
            except UnreadablePicture:
                outcomes["unreadable"] += 1
    return outcomes


@functools.cache
def samples() -> dict[str, list[bytes]]:
    """Small files of each format that between them pass through most of its decoder."""
    plain, exif = face(), Image.Exif()
    exif[0x0112] = 5
    frames = {"save_all": True, "append_images": [face("L").convert("RGB")]}
    modes = {
        "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
        "BMP": ("1", "L", "P", "RGB", "RGBA"),
        "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "F"),
        "GIF": ("L", "P"),
        "WEBP": ("RGB", "RGBA"),
        "AVIF": ("RGB", "RGBA"),
        "JPEG": ("L", "RGB", "CMYK"),
    }
    found = {kind: [encoded(face(mode), kind) for mode in modes[kind]] for kind in modes}
    found["JPEG"] += [encoded(plain, "JPEG", progressive=True, exif=exif), encoded(plain, "JPEG", restart_marker_rows=1)]
    found["JPEG"] += [encoded(plain, "MPO", **frames)]
    found["PNG"] += [encoded(plain, "PNG", exif=exif, **frames), encoded(face("P"), "PNG", transparency=0), png(40, 40)]
    found["GIF"] += [encoded(plain, "GIF", transparency=0, **frames)]
    found["WEBP"] += [encoded(plain, "WEBP", lossless=True, exif=exif), encoded(plain, "WEBP", **frames)]
    found["AVIF"] += [encoded(plain, "AVIF", exif=exif), encoded(plain, "AVIF", **frames)]
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "lzma", "zstd"):
        found["TIFF"] += [encoded(plain, "TIFF", compression=compression)]
    found["TIFF"] += [encoded(face("1"), "TIFF", compression=kind) for kind in ("group3", "group4")]
    found["BMP"] += [bmp_of_runs(40, 40, b"".join(bytes((20, 5 * i, 0, 4, i, 1, 2, 3, 16, 200, 0, 0)) for i in range(40)))]
    return {**found, **_more_samples()}


def _more_samples():
    deep = Image.fromarray(np.linspace(0, 65535, 1600).astype(np.uint16).reshape(40, 40))
    words = b"P%d\n# words\n40 40\n255\n%s"
    numbers = b" ".join(b"%d" % number for number in np.asarray(face()).ravel())
    found = {
        "QOI": [encoded(face(mode), "QOI") for mode in ("RGB", "RGBA")],
        "PNM": [encoded(face(mode), "PPM") for mode in ("1", "L", "RGB")] + [words % (3, numbers), words % (2, numbers)],
        "TGA": [encoded(face(mode), "TGA", rle=rle) for mode in ("L", "LA", "P", "RGB", "RGBA") for rle in (False, True)],
        "JPEG2000": [encoded(face(mode), "JPEG2000") for mode in ("L", "LA", "RGB", "RGBA")] + [encoded(deep, "JPEG2000")],
    }
    found["PNM"] += [encoded(deep, "PPM"), b"P1 40 40\n" + b"01" * 800]
    found["JPEG2000"] += [
        encoded(face(), "JPEG2000", no_jp2=True, irreversible=True, tile_size=(16, 16), precinct_size=(32, 32))
    ]
    if importlib.util.find_spec("pyjpegxl"):
        import pyjpegxl

        found["JXL"] = [
            pyjpegxl.encode_from_numpy(np.asarray(face(mode)), lossless=lossless, **options)
            for mode in ("L", "LA", "RGB", "RGBA")
            for lossless in (False, True)
            for options in ({}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"})
        ]
    if importlib.util.find_spec("pillow_heif"):
        found["HEIC"] = _heic_samples()
    return found


def _heic_samples():
    import pillow_heif

    found, exif = [], Image.Exif()
    exif[0x0112] = 6
    for mode in ("L", "RGB", "RGBA"):
        for options in ({}, {"quality": -1, "chroma": 444}, {"exif": exif.tobytes()}, {"tile_size": 64}):
            image, file = pillow_heif.from_pillow(face(mode).resize((144, 144))), io.BytesIO()
            try:
                image.save(file, **options)
            except ValueError:  # no tiles with transparency
                continue
            found.append(file.getvalue())
    return found
