import hashlib
import ntpath
import os
import shutil
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from ganime.data import folder
from ganime.data.decode import UnreadablePicture
from ganime.data.drawn import draw_face
from ganime.data.folder import PictureFolder
from ganime.data.names import show
from ganime.errors import InputError


def names(pictures):
    return [pictures.path(i).name for i in range(len(pictures))]


def test_all_formats_are_found_by_content(faces):
    (faces / "below").mkdir()
    Image.fromarray(draw_face(99, 40)).save(faces / "below" / "named-wrongly.txt", format="PNG")
    (faces / "notes.csv").write_text("a,b\n")
    (faces / ".hidden.png").write_bytes(b"x")
    (faces / "contact-sheet.png").write_bytes(b"x")
    pictures = PictureFolder(faces)
    assert len(pictures) == 13
    originals = {seed: draw_face(seed, 40).astype(int) for seed in (*range(12), 99)}
    for i, name in enumerate(names(pictures)):
        distances = {seed: np.abs(pictures.load(i, 40) - original).mean() for seed, original in originals.items()}
        assert min(distances, key=distances.get) == (99 if "wrongly" in name else int(name[4:6]))
    assert not pictures.unreadable


def test_the_fingerprint_follows_the_files(faces):
    before = PictureFolder(faces).fingerprint
    assert PictureFolder(faces).fingerprint == before
    shutil.move(faces / "face00.png", faces / "renamed.png")
    assert PictureFolder(faces).fingerprint != before


def test_the_fingerprint_is_the_same_on_all_systems(faces, monkeypatch):
    """Windows' paths and rules for them, on the files of this system."""
    for place in ("a.b", "a", "a/deep"):  # in the order of bytes "a.b/" comes before "a/"
        (faces / place).mkdir()
        shutil.copy(faces / "face00.png", faces / place)
    sizes = {path.relative_to(faces).as_posix(): path.stat().st_size for path in faces.rglob("face*.*")}
    entries = sorted(f"{name}\0{size}\0".encode() for name, size in sizes.items())
    here, picture = PictureFolder(faces), (faces / "face00.png").read_bytes()
    assert here.fingerprint == hashlib.sha256(b"".join(entries)).hexdigest()

    def translated(function):
        return lambda path: function(path.replace(b"\\", b"/"))

    names = {"sep": "\\", "path": ntpath, "stat": translated(os.stat), "scandir": translated(os.scandir)}
    same = {name: getattr(os, name) for name in ("fsencode", "fsdecode", "fspath")}
    monkeypatch.setattr(folder, "os", SimpleNamespace(**names, **same))
    monkeypatch.setattr(folder, "read_picture", lambda path: picture)
    there = PictureFolder(faces)
    assert there.fingerprint == here.fingerprint
    assert [there.path(i) for i in range(len(there))] == [here.path(i) for i in range(len(here))]


def test_broken_files_are_named_and_passed_over(faces, caplog):
    whole = (faces / "face00.png").read_bytes()
    (faces / "face00.png").write_bytes(whole[: len(whole) // 2])
    (faces / "empty.png").write_bytes(b"")
    (faces / "words.jpg").write_text("not a picture")
    pictures = PictureFolder(faces)
    loaded = pictures.load_batch(range(14), 32)
    assert loaded.shape == (14, 32, 32, 3)
    assert pictures.unreadable.keys() == {"face00.png", "empty.png", "words.jpg"}
    assert pictures.unreadable["empty.png"] == "empty"
    assert np.array_equal(loaded, pictures.load_batch(range(14), 32))
    for name in pictures.unreadable:
        assert name in caplog.text


def test_a_block_of_broken_files_is_spread_over_the_others(tmp_path):
    for i in range(40):
        Image.new("L", (8, 8), 5 * i).save(tmp_path / f"{i:02}.png")
    for i in range(10, 30):
        (tmp_path / f"{i:02}.png").write_bytes(b"")
    pictures = PictureFolder(tmp_path)
    counts = Counter(pictures.load_batch(range(40), 8)[:, 0, 0, 0].tolist())
    assert len(counts) == 20 and max(counts.values()) <= 4


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n and no more"])
def test_strict_stops_at_the_first(faces, content):
    (faces / "broken.png").write_bytes(content)
    with pytest.raises(UnreadablePicture, match=r"broken\.png"):
        PictureFolder(faces, strict=True)


def test_nothing_usable_says_what_was_looked_at(tmp_path):
    with pytest.raises(InputError, match="looked at 0 pictures"):
        PictureFolder(tmp_path)
    (tmp_path / "words.jpg").write_text("x")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(InputError, match=r"looked at 2 pictures.*broken\.png"):
        PictureFolder(tmp_path)
    with pytest.raises(InputError, match="not a folder"):
        PictureFolder(tmp_path / "nowhere")


def test_no_picture_that_can_be_used_any_more_is_an_error(faces):
    pictures = PictureFolder(faces)
    for path in faces.iterdir():
        path.write_bytes(b"")
    with pytest.raises(InputError, match="no usable picture is left in"):
        pictures.load(3, 32)


def test_links_in_a_circle_are_walked_once(faces):
    os.symlink(faces, faces / "again")
    assert len(PictureFolder(faces)) == 12


def test_only_the_subfolders_asked_for(faces):
    for half in ("trainA", "trainB", "testB"):
        (faces / half / "deep").mkdir(parents=True)
        Image.fromarray(draw_face(1, 40)).save(faces / half / "deep" / "face.png")
    pictures = PictureFolder(faces, subfolders=("trainB", "testB"))
    assert [pictures.path(i).relative_to(faces).parts[0] for i in range(len(pictures))] == ["testB", "trainB"]


@pytest.mark.parametrize("name", ["two\nlines.png", "ünïcode ✿.png", os.fsdecode(b"\xff\xfe.png"), "-dash.png", "tab\t.png"])
def test_any_name_is_loaded_and_shown_on_one_line(tmp_path, name):
    Image.fromarray(draw_face(1, 40)).save(tmp_path / name)
    pictures = PictureFolder(tmp_path)
    assert pictures.load(0, 40).shape == (40, 40, 3)
    assert show(name).isprintable()


def test_a_link_to_a_drive_that_is_away_is_named(faces, caplog):
    (faces / "more").symlink_to(faces / "drive" / "more")
    pictures = PictureFolder(faces)
    assert len(pictures) == 12 and pictures.listing.left_out["broken link", ""] == 1
    assert "more: a broken link" in caplog.text
