import errno
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from ganime.data.drawn import draw_face
from ganime.data.folder import PictureFolder, UnreadablePicture, load_picture
from ganime.errors import InputError


def test_all_formats_are_found_by_content(faces):
    (faces / "below").mkdir()
    Image.fromarray(draw_face(99, 40)).save(faces / "below" / "named-wrongly.txt", format="PNG")
    (faces / "notes.csv").write_text("a,b\n")
    (faces / ".hidden.png").write_bytes(b"x")
    pictures = PictureFolder(faces)
    assert len(pictures) == 13
    assert not pictures.unreadable
    originals = {seed: draw_face(seed, 40).astype(int) for seed in (*range(12), 99)}
    for i, path in enumerate(pictures.paths):
        distances = {seed: np.abs(pictures.load(i, 40) - original).mean() for seed, original in originals.items()}
        assert min(distances, key=distances.get) == (99 if "wrongly" in path else int(path[4:6]))


def test_the_fingerprint_follows_the_files(faces):
    before = PictureFolder(faces).fingerprint
    assert PictureFolder(faces).fingerprint == before
    shutil.move(faces / "face00.png", faces / "renamed.png")
    assert PictureFolder(faces).fingerprint != before


def test_broken_files_are_named_and_passed_over(faces, caplog):
    whole = (faces / "face00.png").read_bytes()
    (faces / "face00.png").write_bytes(whole[: len(whole) // 2])
    (faces / "empty.png").write_bytes(b"")
    (faces / "words.jpg").write_text("not a picture")
    pictures = PictureFolder(faces)
    assert set(pictures.unreadable) >= {"empty.png", "words.jpg"}
    index = pictures.paths.index("face00.png")
    assert np.array_equal(pictures.load(index, 32), pictures.load(index + 1, 32))
    assert set(pictures.unreadable) == {"empty.png", "words.jpg", "face00.png"}
    for name in pictures.unreadable:
        assert name in caplog.text


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n and no more"])
def test_strict_stops_at_the_first(faces, content):
    (faces / "broken.png").write_bytes(content)
    with pytest.raises(UnreadablePicture, match=r"broken\.png"):
        PictureFolder(faces, strict=True)


def test_nothing_usable_says_what_was_looked_at(tmp_path):
    (tmp_path / "words.jpg").write_text("x")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(InputError, match="looked at 2 files"):
        PictureFolder(tmp_path)
    with pytest.raises(InputError, match="not a folder"):
        PictureFolder(tmp_path / "nowhere")


def test_pictures_are_fitted(tmp_path):
    wide = np.zeros((50, 150, 3), np.uint8)
    wide[:, 50:100] = (10, 200, 30)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert (load_picture(tmp_path / "wide.png", 32)[:, 4:-4] == (10, 200, 30)).all()  # the middle


def test_downsizing_is_antialiased(tmp_path):
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    Image.fromarray(stripes).save(tmp_path / "stripes.png")
    assert np.abs(load_picture(tmp_path / "stripes.png", 64).astype(int) - 127).max() < 40


def test_modes_become_rgb(tmp_path):
    def load(image, **options):
        image.save(tmp_path / "picture.png", **options)
        return load_picture(tmp_path / "picture.png", 32)[16, 16].tolist()

    assert load(Image.new("L", (40, 40), 77)) == [77, 77, 77]
    assert load(Image.new("RGBA", (40, 40), (255, 0, 0, 0))) == [255, 255, 255]
    assert load(Image.new("LA", (40, 40), (0, 255))) == [0, 0, 0]
    assert load(Image.new("P", (40, 40), 0), transparency=0) == [255, 255, 255]
    assert load(Image.fromarray(np.full((40, 40), 100 * 257, np.uint16))) == [100, 100, 100]
    Image.new("CMYK", (40, 40), (0, 255, 255, 0)).save(tmp_path / "picture.jpg")
    assert load_picture(tmp_path / "picture.jpg", 32)[16, 16].tolist() == pytest.approx([255, 0, 0], abs=3)


def test_an_animation_gives_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (40, 40), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "two.gif", save_all=True, append_images=frames[1:])
    assert load_picture(tmp_path / "two.gif", 32)[16, 16].tolist() == [255, 0, 0]


def test_a_failing_disk_is_not_taken_for_a_broken_picture(faces, monkeypatch):
    pictures = PictureFolder(faces)

    def fail(*args, **kwargs):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("PIL.Image.open", fail)
    with pytest.raises(OSError, match="Input/output error"):
        pictures.load(0, 32)
    assert not pictures.unreadable


def test_links_in_a_circle_are_walked_once(faces):
    os.symlink(faces, faces / "again")
    assert len(PictureFolder(faces)) == 12
