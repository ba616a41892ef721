"""Color profiles: what a picture's numbers mean, brought to sRGB (Pillow's ImageCms, no TensorFlow)."""

import functools
import hashlib
import io
import math
import struct
import threading

import numpy as np
from PIL import Image, ImageCms

MAX_PROFILE = 2**22  # bytes; those of presses have two million, and all others a few thousand
TOLERANCE = 2  # of 255: a profile that moves no color by more is sRGB, as a hundred programs write it
MAX_DECIDED = 1000  # profiles whose verdict is remembered
KEPT = 8  # transforms for each thread
MAX_TAGS = 100  # of a profile; they have a dozen

_JPEG_PART = b"ICC_PROFILE\0"
_MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}  # Pillow's for the color space in a profile's header
_BASES = {"RGBA": "RGB", "RGBX": "RGB", "P": "RGB", "PA": "RGB", "YCbCr": "RGB", "LA": "L"}
_decided: dict[bytes, bool] = {}
_local = threading.local()


def changes_colors(profile: bytes) -> bool:
    """Whether a profile is sound and says something else than sRGB.

    The verdict is remembered, so that of a thousand pictures with one profile all but the first cost a hash.
    """
    key = hashlib.sha256(profile).digest()
    if key not in _decided:
        if len(_decided) >= MAX_DECIDED:
            _decided.clear()
        _decided[key] = _changes_colors(profile)
    return _decided[key]


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The picture in sRGB, with its transparency; itself if nothing is to be done.

    The perceptual intent is what browsers use: a press' colors are fitted into a screen's without clipping. For a profile of
    primaries and curves alone all intents are one. A profile that is broken, larger than `MAX_PROFILE` or one for other
    pictures (of inks for RGB, say) is ignored, as viewers do.

    Args:
        image: Of 8 bits per channel.
        profile: The ICC profile that came with it.
    """
    base = _BASES.get(image.mode, image.mode)
    if not profile or _MODES.get(profile[16:20]) != base or not changes_colors(profile):
        return image
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    result = _transform(profile).apply(image.convert(base))
    if alpha:
        result.putalpha(alpha)
    return result


def jpeg_profile(data: bytes) -> bytes:
    """The profile in a JPEG's header, whose parts follow each other; empty if it is not whole."""
    parts, place = [], data.find(_JPEG_PART) - 4
    while data.startswith(b"\xff\xe2", place) and data.startswith(_JPEG_PART, place + 4):
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        parts.append(data[place + 16 : end])  # its number, how many there are, content
        place = max(end, place + 16)
    return b"".join(part[2:] for part in sorted(parts)) if parts and parts[0][1:2] == bytes([len(parts) % 256]) else b""


def _changes_colors(profile):
    if not _is_sound(profile):
        return False
    mode = _MODES[profile[16:20]]
    try:
        transform = _transform(profile)
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError):
        return False
    if mode == "CMYK":
        return True
    levels = np.arange(0, 256, 17, dtype=np.uint8)
    colors = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(64, 64, 3)
    probe = Image.fromarray(colors) if mode == "RGB" else Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    moved = np.asarray(transform.apply(probe), np.int16) - np.asarray(probe.convert("RGB"), np.int16)
    return int(np.abs(moved).max()) > TOLERANCE


def _transform(profile):
    """From that profile to sRGB; each thread has its own, since nobody promises that one may be shared."""
    if not hasattr(_local, "build"):
        _local.build = functools.lru_cache(KEPT)(_build)
    return _local.build(profile)


def _build(profile):
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    target = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    return ImageCms.ImageCmsTransform(source, target, _MODES[profile[16:20]], "RGB", ImageCms.Intent.PERCEPTUAL)


def _is_sound(profile):
    """Whether nothing in a profile makes Little CMS take much memory or time before it finds it broken: it believes the sizes
    of tables before it reads them, and chains of operations (`mpet`) may name one operation without end."""
    if not 132 < len(profile) <= MAX_PROFILE or profile[16:20] not in _MODES or b"mpet" in profile:
        return False
    (count,) = struct.unpack_from(">I", profile, 128)
    if count > MAX_TAGS or len(profile) < 132 + 12 * count:
        return False
    tags = {struct.unpack_from(">II", profile, 136 + 12 * i) for i in range(count)}
    return all(place + size <= len(profile) and _fits(profile[place : place + size]) for place, size in tags)


def _fits(tag):
    """Whether the table of colors in a profile's tag is as large as it says."""
    if tag[:4] in (b"mft1", b"mft2") and len(tag) > 10:
        inputs, outputs, points = tag[8:11]
        return inputs <= 4 and outputs <= 4 and points**inputs * outputs <= len(tag)
    if tag[:4] in (b"mAB ", b"mBA ") and len(tag) > 32:
        (place,) = struct.unpack_from(">I", tag, 24)
        return not place or (tag[8] <= 4 and tag[9] <= 4 and math.prod(tag[place : place + tag[8]]) * tag[9] <= len(tag))
    return True
