import errno
import io
import os
import struct

import numpy as np
import pytest
from PIL import Image, ImageOps

from ganime import files
from ganime.data import decode
from ganime.data.decode import UnreadablePicture, decode_picture, load_picture, read_picture
from ganime.data.drawn import draw_face
from ganime.errors import GanimeError
from tests.data.hostile import RED, encoded, unseen_first


@pytest.mark.parametrize(
    "options", [{}, {"subsampling": 0}, {"quality": 30}, {"progressive": True}, {"restart_marker_rows": 1}]
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_jpeg_is_decoded_as_pillow_does(mode, options):
    data = encoded(Image.fromarray(draw_face(3, 75)).convert(mode), "JPEG", **options)
    assert np.array_equal(decode_picture(data), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


def test_a_large_jpeg_is_decoded_at_a_fraction():
    data = encoded(Image.fromarray(draw_face(3, 1024)), "JPEG")
    assert decode_picture(data, at_least=64).shape == (128, 128, 3)
    assert decode_picture(data).shape == (1024, 1024, 3)


def test_pictures_are_fitted(tmp_path):
    wide = np.zeros((50, 150, 3), np.uint8)
    wide[:, 50:100] = (10, 200, 30)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert (load_picture(tmp_path / "wide.png", 32)[:, 4:-4] == (10, 200, 30)).all()  # the middle


@pytest.mark.parametrize("name", ["stripes.png", "stripes.jpg"])
def test_downsizing_is_antialiased(tmp_path, name):
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    Image.fromarray(stripes).save(tmp_path / name)
    assert np.abs(load_picture(tmp_path / name, 64).astype(int) - 127).max() < 40


def test_modes_become_rgb():
    def color(image, kind="PNG", **options):
        return decode_picture(encoded(image, kind, **options))[16, 16].tolist()

    assert color(Image.new("L", (40, 40), 77)) == [77, 77, 77]
    assert color(Image.new("RGBA", (40, 40), (255, 0, 0, 0))) == [255, 255, 255]
    assert color(Image.new("LA", (40, 40), (0, 255))) == [0, 0, 0]
    assert color(Image.new("P", (40, 40), 0), transparency=0) == [255, 255, 255]
    assert color(Image.fromarray(np.full((40, 40), 100 * 257, np.uint16))) == [100, 100, 100]
    assert color(Image.new("CMYK", (40, 40), (0, 255, 255, 0)), "JPEG") == pytest.approx([255, 0, 0], abs=3)


def test_the_orientation_of_the_camera_is_followed():
    image, exif = Image.fromarray(draw_face(5, 48)).crop((0, 0, 48, 40)), Image.Exif()
    exif[0x0112] = 6
    data = encoded(image, "JPEG", exif=exif, quality=95)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert np.array_equal(decode_picture(data), upright) and upright.shape == (48, 40, 3)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_an_animation_gives_its_first_frame(kind):
    frames = [Image.new("RGB", (40, 40), color) for color in ("red", "blue")]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert decode_picture(data)[16, 16].tolist() == pytest.approx([255, 0, 0], abs=3)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_an_animation_gives_its_first_frame_that_shows_anything(kind):
    assert decode_picture(unseen_first(kind))[16, 16].tolist() == pytest.approx(RED, abs=4)


def test_not_all_frames_are_looked_at(monkeypatch):
    monkeypatch.setattr(decode, "MAX_FRAMES", 2)
    assert decode_picture(unseen_first("PNG"))[16, 16].tolist() == [255, 255, 255]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_of_which_the_upper_four_are_not_used_are_refused(kind):
    def encode(highest):
        return encoded(Image.fromarray(np.linspace(0, highest, 1600).astype(np.uint16).reshape(40, 40)), kind)

    with pytest.raises(UnreadablePicture, match=r"nearly black: of 16 bits .* 12 bits"):
        decode_picture(encode(4095))
    assert decode_picture(encode(8191)).max() == 31


def test_12_bits_that_are_said_to_be_12_are_scaled():
    numbers = np.repeat(np.linspace(0, 4095, 20).astype(int), 2)
    row = b"".join((first << 12 | second).to_bytes(3, "big") for first, second in numbers.reshape(-1, 2).tolist())
    tags = {256: 40, 257: 40, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 40, 279: 2400}
    directory = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    data = b"II*\0" + struct.pack("<I", 8 + 2400) + row * 40 + directory + bytes(4)
    assert decode_picture(data)[5, :, 1].tolist() == (numbers // 16).tolist()


def test_a_file_of_many_reads_is_read_whole(tmp_path):
    (tmp_path / "noise.png").write_bytes(encoded(Image.effect_noise((512, 512), 99), "PNG"))
    assert read_picture(tmp_path / "noise.png") == (tmp_path / "noise.png").read_bytes()


@pytest.fixture
def failing(monkeypatch):
    """Makes the next times that a file is opened fail, each with an error."""
    errors, really_open = [], os.open

    def fail_first(path, *arguments, **options):
        if errors:
            raise OSError(errors[0], os.strerror(errors.pop(0)), path)
        return really_open(path, *arguments, **options)

    monkeypatch.setattr(os, "open", fail_first)
    return errors


def test_a_failing_disk_is_not_taken_for_a_broken_picture(tmp_path, monkeypatch, failing):
    monkeypatch.setattr(files, "PATIENCE", 0)
    failing += [errno.EIO] * 2
    with pytest.raises(GanimeError, match=r"any\.png cannot be read .*Input/output error") as error:
        load_picture(tmp_path / "any.png", 32)
    assert not isinstance(error.value, UnreadablePicture)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE])
def test_a_hiccup_is_waited_for(tmp_path, caplog, failing, number):
    Image.fromarray(draw_face(1, 32)).save(tmp_path / "any.png")
    failing += [number] * 2
    assert np.array_equal(load_picture(tmp_path / "any.png", 32), draw_face(1, 32))
    assert not failing and len(caplog.records) == 1
    assert "any.png cannot be read" in caplog.text and "trying again" in caplog.text


@pytest.mark.parametrize("left", ["no folder", "an empty folder", "a file"])
def test_a_folder_that_is_gone_is_not_taken_for_broken_pictures(tmp_path, left):
    folder = tmp_path / "drive"
    if left == "an empty folder":
        folder.mkdir()
    elif left == "a file":
        folder.write_text("no folder")
    with pytest.raises(GanimeError, match=r"the folder .*drive is gone: .*; when it is there again") as error:
        read_picture(folder / "face.png")
    assert not isinstance(error.value, UnreadablePicture)


def test_what_a_decoder_says_is_one_printable_line(monkeypatch):
    def quote(*arguments, **options):
        raise ValueError("tag \x1b]0;title\x07" + "x" * 10_000 + "\nmore")

    monkeypatch.setattr(decode.Image, "open", quote)
    with pytest.raises(UnreadablePicture) as error:
        decode_picture(b"GIF8 and so on")
    assert str(error.value).isprintable() and len(str(error.value)) < 300
