import io
import struct
import sys
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from ganime.data import formats
from ganime.data.color import MAX_PROFILE
from ganime.data.decode import UnreadablePicture, decode_picture, describe_picture, read_picture
from ganime.data.drawn import draw_face
from ganime.data.formats import FORMATS, SUFFIXES, format_of, is_picture
from tests.data.hostile import RED, WRITTEN, chunk, encoded, face, patched, png

FACE = draw_face(1, 40)


@pytest.mark.parametrize("kind", WRITTEN)
def test_every_format_is_known_by_its_beginning(kind):
    data = encoded(face(), kind)
    expected = "PNM" if kind == "PPM" else kind
    assert format_of(data) == expected and expected in FORMATS
    assert is_picture(data[:16]) == (kind != "TGA")
    assert describe_picture(data) == (expected, (40, 40))


@pytest.mark.parametrize(
    "head, kind",
    [
        (b"\0\0\0\x18ftypheic", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1miafavif", "AVIF"),
        (b"\0\0\0\x18ftypmsf1", "HEIC"),
        (b"\xff\n\x89\6\0\x15\x88\2\0", "JXL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n\0\0\0\x14", "JXL"),
        (b"P4\n# by hand\n8 8", "PNM"),
        (b"P5 640 480 255 ", "PNM"),
        (b"P6\n12345 12345\n2", "PNM"),
        (b"II+\0\x08\0\0\0", "TIFF"),
        (b"BM", None),
        (b"BMW and other car makers", None),
        (b"BM\n==\n\nA heading and so on", None),
        (b"P6 is a kind of picture", None),
        (b"P1 #hashtag, and more words", None),
        (b"P7\nWIDTH 8\n", None),
        (b"Pf\n8 8\n-1.0\n", None),
        (b"qoif is how it begins", None),
        (b"GIF8 has nine frames", None),
        (b"a line, WEBP", None),
        (b"RIFF\x24\0\0\0WAVEfmt ", None),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", None),
        (b"8BPS\0\1", None),
        (b"", None),
        (bytes(100), None),
        (b"\0\0\0\x18ftypmp42", None),
    ],
)
def test_a_text_is_no_picture_whatever_it_begins_with(head, kind):
    assert format_of(head) == kind
    assert is_picture(head[:16]) == (kind is not None)


@pytest.mark.parametrize("kind", ["EPS", "PDF", "ICO", "PCX", "SGI", "DDS", "IM", "ICNS"])
def test_no_other_decoder_is_reached(kind, monkeypatch, tmp_path):
    data = encoded(face("RGB"), kind)
    monkeypatch.setattr(formats.Image, "open", None)
    with pytest.raises(UnreadablePicture, match=r"^not a picture$"):
        decode_picture(data)
    (tmp_path / "named.tga").write_bytes(data)
    with pytest.raises(UnreadablePicture, match=r"^not a picture$"):
        read_picture(tmp_path / "named.tga")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "TIFF", "TGA"])
def test_a_damaged_file_is_opened_as_what_it_begins_like_only(kind, monkeypatch):
    tried, really_open = [], Image.open

    def watch(file, **options):
        tried.append(options["formats"])
        return really_open(file, **options)

    monkeypatch.setattr(formats.Image, "open", watch)
    with pytest.raises(UnreadablePicture):
        decode_picture(encoded(face(), kind)[:60])
    assert tried == [[kind]]


def test_endings_are_lower_case_and_different():
    assert len(set(SUFFIXES)) == len(SUFFIXES) and all(ending == ending.lower() and ending[0] == "." for ending in SUFFIXES)
    assert {".jxl", ".heic", ".heif", ".hif", ".qoi", ".ppm", ".pgm", ".pnm", ".pbm", ".tga", ".jp2", ".j2k"} < set(SUFFIXES)


@pytest.mark.parametrize(
    "module, data, reason",
    [
        ("pillow_heif", b"\0\0\0\x18ftypheic" + bytes(99), "a HEIC picture: pip install pillow-heif"),
        ("pyjpegxl", b"\xff\n" + bytes(99), "a JPEG XL picture: pip install pyjpegxl"),
    ],
)
def test_what_is_not_installed_is_said(module, data, reason, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UnreadablePicture) as error:
        decode_picture(data)
    assert str(error.value) == reason


@pytest.fixture(scope="module")
def heif():
    return pytest.importorskip("pillow_heif")


def heic(heif, image, **options):
    file = io.BytesIO()
    heif.from_pillow(image).save(file, quality=-1, chroma=444, **options)
    return file.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_heic(heif, mode):
    data = heic(heif, face(mode))
    assert np.abs(decode_picture(data).astype(int) - np.asarray(face(mode).convert("RGB"))).max() <= 3
    assert describe_picture(data) == ("HEIC", (40, 40))
    assert "HEIF" not in Image.OPEN  # nothing is registered for others


def test_heic_of_10_bits_with_transparency(heif):
    pixels = np.zeros((40, 40, 4), np.uint16)
    pixels[:, :20] = (65535, 0, 0, 65535)
    file = io.BytesIO()
    heif.from_bytes("RGBA;16", (40, 40), pixels.tobytes()).save(file, quality=-1, chroma=444)
    picture = decode_picture(file.getvalue())
    assert picture[0, 0].tolist() == pytest.approx([255, 0, 0], abs=4) and picture[0, -1].tolist() == [255, 255, 255]


@pytest.mark.parametrize("held", range(1, 9))
def test_heic_is_turned_once(heif, held):
    """A camera writes twice how it was held: into the container, which holds, and into the Exif, which is of no account."""
    image, exif = Image.fromarray(draw_face(5, 48)).crop((0, 0, 48, 40)), Image.Exif()
    exif[0x0112] = image.getexif()[0x0112] = held
    turned = ImageOps.exif_transpose(image)
    file = io.BytesIO()
    context = heif.misc.CtxEncode(heif.constants.HeifCompressionFormat.HEVC, quality=-1, chroma=444)
    context.add_image(image.size, "RGB", image.tobytes(), image_orientation=held, exif=exif.tobytes(), primary=True)
    context.save(file)
    picture = decode_picture(file.getvalue())
    assert picture.shape[:2] == turned.size[::-1]
    assert np.abs(picture.astype(int) - np.asarray(turned)).max() <= 3


@pytest.fixture(scope="module")
def jxl():
    return pytest.importorskip("pyjpegxl")


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA"])
def test_jpeg_xl(jxl, mode):
    pixels = np.array(face(mode))
    if mode in ("RGBA", "LA"):
        pixels[..., -1] = 0
    data = jxl.encode_from_numpy(pixels, lossless=True)
    expected = np.full((40, 40, 3), 255) if mode in ("RGBA", "LA") else np.asarray(face(mode).convert("RGB"))
    assert np.array_equal(decode_picture(data), expected)
    assert describe_picture(data) == ("JXL", (40, 40))
    assert "JXL" not in Image.OPEN


def test_jpeg_xl_of_16_bits(jxl):
    data = jxl.encode_from_numpy(FACE.astype(np.uint16) * 257, lossless=True)
    assert np.array_equal(decode_picture(data), FACE)


def test_jpeg_xl_is_turned_as_its_codestream_says_and_not_by_its_exif(jxl):
    wide, exif = FACE[:24], Image.Exif()
    exif[0x0112] = 6
    assert np.array_equal(decode_picture(jxl.encode_from_numpy(wide, lossless=True, exif=exif.tobytes())), wide)


def test_notes_in_a_jpeg_xl_are_not_unpacked(jxl):
    data = jxl.encode_from_numpy(FACE, lossless=True)
    note = b"\0\0\0\x10brobExifnote"
    boxes = b"\0\0\0\x0cJXL \r\n\x87\n", b"\0\0\0\x14ftypjxl \0\0\0\0jxl ", note, b"\0\0\0\0jxlc" + data
    assert np.array_equal(decode_picture(b"".join(boxes)), FACE)


@pytest.mark.parametrize(
    "header, content, expected",
    [
        (b"P1\n# words\n8 8\n", b"0 1" * 8 + b"01" * 24, None),
        (b"P2 8 8 100\n", b" ".join(b"%d" % (i % 101) for i in range(64)), [(510 * i + 100) // 200 for i in range(64)]),
        (b"P2 8 8 65535\n", b"257\n" * 32 + b"# no number\n" + b"65535 " * 32, [1] * 32 + [255] * 32),
        (b"P4 8 8\n", bytes([0b00001111] * 8), [255, 255, 255, 255, 0, 0, 0, 0] * 8),
        (b"P5\t8\t8\t255\n", bytes(range(64)), list(range(64))),
        (b"P5 8 8 4095\n", struct.pack(">64H", *[4095] * 32, *[2048] * 32), [255] * 32 + [128] * 32),
    ],
)
def test_portable_pictures(header, content, expected):
    grey = decode_picture(header + content)
    if expected is None:
        assert grey.shape == (8, 8, 3) and set(grey.ravel().tolist()) == {0, 255}
    else:
        assert grey[..., 0].ravel().tolist() == expected


@pytest.mark.parametrize("maximum, kind", [(255, 6), (255, 3), (100, 6), (65535, 6), (65535, 3)])
def test_portable_color(maximum, kind):
    numbers = (FACE.astype(int) * maximum + 127) // 255
    header = b"P%d\n40 40\n# between\n%d\n" % (kind, maximum)
    content = b" ".join(b"%d" % number for number in numbers.ravel())
    if kind == 6:
        content = numbers.astype(np.uint8 if maximum < 256 else ">u2").tobytes()
    expected = (510 * numbers + maximum) // (2 * maximum)
    assert np.array_equal(decode_picture(header + content), expected)


@pytest.mark.parametrize(
    "data",
    [
        b"P5 8 8 255\n" + bytes(63),
        b"P2 8 8 255\n" + b"1 " * 63,
        b"P2 8 8 255\n" + b"256 " * 64,
        b"P2 8 8 255\n" + b"-1 " * 64,
        b"P2 8 8 255\n" + b"99999999999999999999 " * 64,
        b"P1 8 8\n" + b"2" * 64,
        b"P5 8 8 0\n" + bytes(64),
        b"P5 8 8 65536\n" + bytes(128),
        b"P5 8 8 " + b"9" * 5000,
    ],
)
def test_damaged_portable_pictures_are_refused(data):
    with pytest.raises(UnreadablePicture, match=r"damaged|cannot be decoded"):
        decode_picture(data)


def test_megabytes_of_text_do_no_harm_to_a_png():
    expected = decode_picture(png(48, 40))
    bomb = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**20), 9))
    texts = [
        (chunk(b"tEXt", b"workflow\0" + b"x" * 2**21),),
        (bomb,) * 70,
        (chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(bytes(2**22), 9)),),
        (chunk(b"pHYs", b""), chunk(b"gAMA", b""), chunk(b"tIME", b"x")),
        (patched(chunk(b"tEXt", b"a\0b"), 11, ">I", 0),),
    ]
    for chunks in texts:
        data = png(48, 40, *chunks)
        assert np.array_equal(decode_picture(data), expected)
        assert describe_picture(data) == ("PNG", (48, 40))
        end = data.index(b"IEND") - 4
        after = data[:end].replace(b"".join(chunks), b"") + b"".join(chunks) + data[end:]
        assert np.array_equal(decode_picture(after), expected)


def test_texts_and_profiles_of_a_png_are_not_unpacked_beyond_bounds():
    bombs = (
        chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**26), 9)),
        chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(2**26), 9)),
    )
    data = png(48, 40, *bombs)
    tracemalloc.start()
    decode_picture(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * MAX_PROFILE


def test_what_a_png_says_of_its_pixels_is_kept():
    exif = Image.Exif()
    exif[0x0112] = 6
    image = face("P").crop((0, 0, 40, 30))
    assert decode_picture(encoded(image, "PNG", exif=exif)).shape == (40, 30, 3)
    xmp = chunk(b"iTXt", b'XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta tiff:Orientation="6"/>')
    assert decode_picture(png(48, 40, xmp)).shape == (48, 40, 3)
    assert decode_picture(encoded(image, "PNG", transparency=image.getpixel((0, 0))))[0, 0].tolist() == [255, 255, 255]


def test_a_jpeg_2000_file_of_tiny_precincts_is_refused():
    data = encoded(face().resize((256, 256)), "JPEG2000", no_jp2=True, precinct_size=(64, 64))
    assert decode_picture(data).shape == (256, 256, 3)
    place = data.index(b"\xff\x52") + 14
    with pytest.raises(UnreadablePicture, match="precincts"):
        decode_picture(patched(patched(data, place, "6B", *[0] * 6), 8, ">II", 2000, 2000))


@pytest.mark.parametrize("tiles", [None, (16, 16)])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_jpeg_2000(mode, tiles):
    data = encoded(Image.new("RGB", (80, 60), RED).convert(mode), "JPEG2000", tile_size=tiles)
    expected = Image.new("RGB", (80, 60), RED).convert(mode).convert("RGB")
    assert np.array_equal(decode_picture(data), np.asarray(expected))


def test_12_bits_in_a_jpeg_2000_file_are_scaled():
    deep = np.linspace(0, 65535, 1600).astype(np.uint16).reshape(40, 40)
    assert np.abs(decode_picture(encoded(Image.fromarray(deep), "JPEG2000"))[..., 0].astype(int) - deep // 257).max() <= 1


def test_a_tiff_whose_planes_of_16_bits_pillow_takes_for_8_is_passed_over():
    """Made with the tags that such a file has: a plane for each color, uncompressed."""
    side = 16
    planes = b"".join(struct.pack(f"<{side * side}H", *[20000 * i] * side * side) for i in range(3))
    tags = [(256, 4, 1, side), (257, 4, 1, side), (258, 3, 3, 0), (259, 3, 1, 1), (262, 3, 1, 2), (273, 4, 3, 0)]
    tags += [(277, 3, 1, 3), (278, 4, 1, side), (279, 4, 3, 0), (284, 3, 1, 2)]
    start, size = 8 + 2 + 12 * len(tags) + 4, 2 * side * side
    lists = {258: struct.pack("<3H", 16, 16, 16), 273: struct.pack("<3I", *(start + 30 + i * size for i in range(3)))}
    lists[279] = struct.pack("<3I", size, size, size)
    places = {258: start, 273: start + 6, 279: start + 18}
    entries = b"".join(struct.pack("<HHII", tag, kind, count, places.get(tag, value)) for tag, kind, count, value in tags)
    data = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + b"".join(lists.values()) + planes
    with pytest.raises(UnreadablePicture, match="colors are in planes of 16 bits; save it anew"):
        decode_picture(data)
