import io
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageCms

from ganime.data import color, decode
from ganime.data.color import changes_colors, jpeg_profile, to_srgb
from ganime.data.decode import decode_picture
from ganime.data.drawn import draw_face
from tests.data.hostile import encoded, patched

FACE = Image.fromarray(draw_face(1, 40))
PRIMARIES = {"r": (0.4360, 0.2225, 0.0139), "g": (0.3851, 0.7169, 0.0971), "b": (0.1431, 0.0606, 0.7141)}  # of sRGB, in D50
SWAPPED = {"r": PRIMARIES["g"], "g": PRIMARIES["r"], "b": PRIMARIES["b"]}
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def fixed(*numbers):
    """Numbers as a profile has them."""
    return b"".join(struct.pack(">i", round(2**16 * number)) for number in numbers)


def profile(space, tags, connection=b"XYZ "):
    """An ICC profile of version 2 with those tags."""
    place, table, content = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, tag in tags.items():
        table += name + struct.pack(">II", place + len(content), len(tag))
        content += tag + bytes(-len(tag) % 4)
    head = struct.pack(">I4xI4s4s4s", place + len(content), 2 << 24 | 1 << 20, b"mntr", space, connection)
    return (head + bytes(12) + b"acsp" + bytes(28) + fixed(0.9642, 1, 0.8249)).ljust(128, b"\0") + table + content


def curve(gamma):
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(256 * gamma))


def point(*numbers):
    return b"XYZ \0\0\0\0" + fixed(*numbers)


def rgb_profile(primaries, gamma):
    tags = {name.encode() + b"XYZ": point(*where) for name, where in primaries.items()}
    tags |= {name.encode() + b"TRC": curve(gamma) for name in "rgb"}
    return profile(b"RGB ", {b"wtpt": point(0.9642, 1, 0.8249), **tags})


def ink_profile():
    """Four inks on white paper, by a table of their 16 corners in L*a*b*."""
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    corners = np.array([[(1 - c) * (1 - k), (1 - m) * (1 - k), (1 - y) * (1 - k)] for c, m, y, k in np.ndindex(2, 2, 2, 2)])
    lab = np.asarray(to_lab.apply(Image.fromarray((255 * corners[None] ** 0.8).astype(np.uint8))))
    lab = lab.reshape(-1, 3) ^ np.array([0, 128, 128], np.uint8)  # Pillow's a and b are signed
    straight = bytes(range(256))
    table = b"mft1\0\0\0\0\4\3\2\0" + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1) + straight * 4 + lab.tobytes() + straight * 3
    return profile(b"CMYK", {b"wtpt": point(0.9642, 1, 0.8249), b"A2B0": table}, b"Lab ")


RED_AND_GREEN_SWAPPED = rgb_profile(SWAPPED, 2.2)
GREY = profile(b"GRAY", {b"wtpt": point(0.9642, 1, 0.8249), b"kTRC": curve(1.0)})
INKS = ink_profile()


def expected(image, content):
    """What ImageCms makes of a picture."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(content))
    return np.asarray(ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")).astype(int)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG", "AVIF"])
@pytest.mark.parametrize(
    "mode, content", [("RGB", RED_AND_GREEN_SWAPPED), ("L", GREY), ("CMYK", INKS)], ids=["color", "grey", "inks"]
)
def test_a_profile_is_followed(kind, mode, content):
    if (mode == "CMYK" and kind not in ("TIFF", "JPEG")) or (mode == "L" and kind in ("WEBP", "AVIF")):
        pytest.skip("there are no such files")
    data = encoded(FACE.convert(mode), kind, icc_profile=content, **({"lossless": True} if kind == "WEBP" else {}))
    with Image.open(io.BytesIO(data)) as image:
        assert image.info["icc_profile"] == content
        plain = np.asarray(image.convert("RGB")).astype(int)
        right = expected(image, content)
    assert np.abs(right - plain).max() > 20
    assert np.array_equal(decode_picture(data), right)


def test_red_and_green_change_places():
    picture = decode_picture(encoded(Image.new("RGB", (40, 40), (255, 0, 0)), "PNG", icc_profile=RED_AND_GREEN_SWAPPED))
    assert picture[0, 0].tolist() == pytest.approx([0, 255, 0], abs=2)


def test_the_profile_of_a_jpeg_2000_file_is_followed():
    data = encoded(FACE, "JPEG2000")
    place = data.index(b"colr") - 4
    box = struct.pack(">I4s3B", 11 + len(RED_AND_GREEN_SWAPPED), b"colr", 2, 0, 0) + RED_AND_GREEN_SWAPPED
    head = data.index(b"jp2h") - 4
    longer = struct.unpack_from(">I", data, head)[0] + len(box) - 15
    data = patched(data[:place] + box + data[place + 15 :], head, ">I", longer)
    assert np.array_equal(decode_picture(data), expected(FACE, RED_AND_GREEN_SWAPPED))


def test_a_profile_leaves_transparency_as_it_is():
    image = FACE.copy()
    image.putalpha(Image.linear_gradient("L").resize((40, 40)))
    right = Image.fromarray(expected(FACE, RED_AND_GREEN_SWAPPED).astype(np.uint8))
    right.putalpha(image.getchannel("A"))
    right = Image.alpha_composite(Image.new("RGBA", (40, 40), "white"), right).convert("RGB")
    assert np.array_equal(decode_picture(encoded(image, "PNG", icc_profile=RED_AND_GREEN_SWAPPED)), np.asarray(right))


@pytest.mark.parametrize("mode", ["P", "LA"])
def test_a_profile_of_a_palette_or_of_grey_with_transparency_is_followed(mode):
    content = GREY if mode == "LA" else RED_AND_GREEN_SWAPPED
    image = FACE.convert(mode)
    plain = image.convert("L" if mode == "LA" else "RGB")
    assert np.array_equal(decode_picture(encoded(image, "PNG", icc_profile=content)), expected(plain, content))


def test_srgb_is_left_alone_and_stays_on_the_fast_path(monkeypatch):
    assert not changes_colors(SRGB) and changes_colors(rgb_profile(PRIMARIES, 1.8))
    data = encoded(FACE, "JPEG", icc_profile=SRGB)
    monkeypatch.setattr(decode, "_decode_any", None)
    assert np.array_equal(decode_picture(data), decode_picture(encoded(FACE, "JPEG")))


def test_a_verdict_is_found_once(monkeypatch):
    changes_colors(SRGB)
    monkeypatch.setattr(color, "_changes_colors", None)
    assert not changes_colors(bytes(bytearray(SRGB)))


def test_verdicts_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(color, "_decided", {})
    monkeypatch.setattr(color, "MAX_DECIDED", 3)
    for number in range(10):
        changes_colors(b"%d" % number)
        assert len(color._decided) <= 3


def test_a_jpeg_profile_of_several_parts_is_put_together():
    long = RED_AND_GREEN_SWAPPED + bytes(100_000)
    data = encoded(FACE, "JPEG", icc_profile=long)
    assert data.count(b"ICC_PROFILE\0") == 2 and jpeg_profile(data) == long
    assert jpeg_profile(data.replace(b"ICC_PROFILE\0\2", b"ICC_PROFILX\0\2")) == b""
    assert jpeg_profile(b"\xff\xd8\xff\xe2\0\0") == jpeg_profile(b"\xff\xd8\xff") == b""


BROKEN = {
    "no profile": b"just some words" * 20,
    "cut short": RED_AND_GREEN_SWAPPED[:300],
    "without tags": patched(RED_AND_GREEN_SWAPPED, 128, ">I", 0),
    "of a million tags": patched(RED_AND_GREEN_SWAPPED, 128, ">I", 10**6),
    "for another kind of picture": GREY,
    "of inks": INKS,
    "too large": RED_AND_GREEN_SWAPPED + bytes(color.MAX_PROFILE),
    "with a table that is not there": patched(INKS, INKS.index(b"mft1") + 10, "B", 200),
    "with chains of operations": profile(b"RGB ", {b"A2B0": b"mpet" + bytes(100)}),
    "of an unknown space": patched(RED_AND_GREEN_SWAPPED, 16, "4s", b"7CLR"),
}


@pytest.mark.parametrize("what", BROKEN)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_broken_profile_is_ignored(kind, what):
    data = encoded(FACE, kind, icc_profile=BROKEN[what])
    assert np.array_equal(decode_picture(data), np.asarray(Image.open(io.BytesIO(encoded(FACE, kind))).convert("RGB")))


@pytest.mark.parametrize(
    "what", ["with a table that is not there", "with chains of operations", "too large", "of a million tags"]
)
def test_little_cms_is_not_asked_about_what_could_keep_it_busy(what, monkeypatch):
    monkeypatch.setattr(color, "_build", None)
    assert not color._changes_colors(BROKEN[what])


def test_a_large_profile_of_a_png_is_followed():
    content = RED_AND_GREEN_SWAPPED + bytes(2**21)
    assert np.array_equal(decode_picture(encoded(FACE, "PNG", icc_profile=content)), expected(FACE, RED_AND_GREEN_SWAPPED))


def test_ink_of_an_adobe_jpeg_without_a_profile():
    white, black = (Image.new("CMYK", (40, 40), ink) for ink in ((0, 0, 0, 0), (0, 0, 0, 255)))
    data = encoded(white, "JPEG")
    assert b"Adobe" in data
    assert decode_picture(data).min() > 250 and decode_picture(encoded(black, "JPEG")).max() < 5


def test_threads_do_not_disturb_each_other():
    images = [Image.fromarray(draw_face(seed, 64)) for seed in range(8)]
    right = [expected(image, RED_AND_GREEN_SWAPPED) for image in images]
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda i: np.asarray(to_srgb(images[i % 8], RED_AND_GREEN_SWAPPED)), range(400))
        assert all(np.array_equal(picture, right[i % 8]) for i, picture in enumerate(found))
