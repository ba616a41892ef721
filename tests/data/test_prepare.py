import csv
import errno
import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from ganime.data.drawn import draw_face
from ganime.data.folder import FolderListing, PictureFolder
from ganime.data.prepare import Settings, prepare, sharpness
from ganime.data.sources import open_listing
from ganime.errors import GanimeError, InputError
from tests.killing import kill_until_done, snapshot


class Found:
    """Stands in for the detector where its finds must be known."""

    sha256 = "of no cascade"

    def find(self, picture, min_box):
        return [(0, 0, 20), (91, 41, 20), (180, 80, 20)]


def index(folder):
    with open(folder / "index.csv", newline="") as file:
        return list(csv.DictReader(file))


def fates(folder):
    return {row["source"]: row["dropped"] for row in index(folder)}


@pytest.fixture
def source(tmp_path):
    """Faces, with copies and what is no use among them."""
    folder = tmp_path / "source"
    (folder / "below").mkdir(parents=True)
    for i in range(12):
        Image.fromarray(draw_face(i, 80)).save(folder / f"face{i:02}.png")
    face = Image.fromarray(draw_face(3, 80))
    (folder / "below" / "same.png").write_bytes((folder / "face03.png").read_bytes())
    face.save(folder / "encoded.jpg", quality=60)
    face.resize((70, 70)).save(folder / "resized.webp")
    Image.fromarray(draw_face(20, 40)).save(folder / "small.png")
    Image.fromarray(draw_face(21, 80)).filter(ImageFilter.GaussianBlur(3)).save(folder / "blurred.png")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_what_becomes_of_each(source, tmp_path):
    before, target = snapshot(source), tmp_path / "target"
    counts = {"unreadable": 1, "exact copy": 1, "no face": 0, "too small": 1, "blurred": 1, "near copy": 2}
    assert prepare(FolderListing(source), target, None) == {"pictures": 18, "kept": 12, **counts}
    assert fates(target) == {
        **{f"face{i:02}.png": "" for i in range(12)},
        "below/same.png": "exact copy",
        "face03.png": "",
        "encoded.jpg": "near copy",
        "resized.webp": "near copy",
        "small.png": "too small",
        "blurred.png": "blurred",
        "broken.png": "unreadable",
    } | ({"below/same.png": "", "face03.png": "exact copy"} if fates(target)["face03.png"] else {})
    assert snapshot(source) == before
    pictures = PictureFolder(target)
    assert len(pictures) == 12 and not pictures.unreadable
    kept = [row for row in index(target) if row["file"]]
    for row in kept:
        assert (row["x"], row["y"], row["side"], row["width"]) == ("0", "0", "80", "80")
        assert Image.open(target / row["file"]).size == (64, 64)
    assert {path.name for path in target.iterdir()} == {
        *(row["file"] for row in kept), "index.csv", "prepare.json", "contact-sheet.png", ".lock"
    }  # fmt: skip


def test_the_largest_of_several_copies_is_kept(tmp_path):
    (tmp_path / "source").mkdir()
    for side in (64, 200, 100):
        Image.fromarray(draw_face(1, 400)).resize((side, side)).save(tmp_path / "source" / f"{side}.png")
    prepare(FolderListing(tmp_path / "source"), tmp_path / "target", None)
    assert fates(tmp_path / "target") == {"64.png": "near copy", "200.png": "", "100.png": "near copy"}


def test_crops_have_a_margin_and_stay_inside(tmp_path):
    page = np.random.default_rng(0).integers(0, 200, (100, 200, 3), np.uint8)
    (tmp_path / "source").mkdir()
    Image.fromarray(page).save(tmp_path / "source" / "page.png")
    prepare(FolderListing(tmp_path / "source"), tmp_path / "target", Found(), Settings(size=16, margin=0.25, min_sharpness=0))
    boxes = sorted((int(row["x"]), int(row["y"]), int(row["side"])) for row in index(tmp_path / "target"))
    assert boxes == [(0, 0, 30), (86, 36, 30), (170, 70, 30)]


def test_jpegs_can_be_written(source, tmp_path):
    prepare(FolderListing(source), tmp_path / "target", None, Settings(size=32, encoding="jpg"))
    files = [row["file"] for row in index(tmp_path / "target") if row["file"]]
    assert files and all(Image.open(tmp_path / "target" / file).format == "JPEG" for file in files)


def test_added_pictures_are_taken_in_and_copies_still_known(source, tmp_path):
    prepare(FolderListing(source), tmp_path / "target", None)
    before = snapshot(tmp_path / "target")
    Image.fromarray(draw_face(30, 80)).save(source / "new.png")
    Image.fromarray(draw_face(5, 80)).save(source / "late-copy.jpg", quality=70)
    result = prepare(FolderListing(source), tmp_path / "target", None)
    assert result["kept"] == 13
    assert fates(tmp_path / "target")["late-copy.jpg"] == "near copy"
    after = snapshot(tmp_path / "target")
    assert all(after[name] == before[name] for name in before if name.endswith("-0.png"))


def test_nothing_is_overwritten(source, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "diary.txt").write_text("dear diary")
    with pytest.raises(InputError, match="not empty"):
        prepare(FolderListing(source), tmp_path / "full", None)
    for target in (source, source / "below" / "target", tmp_path):
        with pytest.raises(InputError, match="within each other"):
            prepare(FolderListing(source), target, None)
    prepare(FolderListing(source), tmp_path / "target", None)
    with pytest.raises(InputError, match=r"size \(was 64, is 32\)"):
        prepare(FolderListing(source), tmp_path / "target", None, Settings(size=32))


@pytest.mark.skipif(os.sep != "/", reason="names of bytes")
def test_sources_of_any_name_are_told_apart(tmp_path):
    (tmp_path / "source").mkdir()
    for i, name in enumerate([b"a\nb.png", rb"a\nb.png", b"\xff.png", rb"\xff.png", b'quote",.png', b"../x.png"[3:]]):
        Image.fromarray(draw_face(i, 64)).save(os.fsencode(tmp_path / "source") + b"/" + name)
    assert prepare(FolderListing(tmp_path / "source"), tmp_path / "target", None)["kept"] == 6
    assert len(fates(tmp_path / "target")) == 6
    assert prepare(FolderListing(tmp_path / "source"), tmp_path / "target", None)["kept"] == 6


def test_a_face_that_gives_way_to_a_better_copy_is_removed(source, tmp_path):
    """The last picture before a kill is taken anew; a better copy of it may have been added."""
    target = tmp_path / "target"
    prepare(FolderListing(source), target, None)
    last = [row for row in index(target) if row["file"]][-1]
    lines = (target / "index.csv").read_bytes().splitlines(keepends=True)
    end = next(i for i, line in enumerate(lines) if last["file"].encode() in line)
    (target / "index.csv").write_bytes(b"".join(lines[: end + 1]))
    about = json.loads((target / "prepare.json").read_text())
    del about["result"]
    (target / "prepare.json").write_text(json.dumps(about))
    Image.open(source / last["source"]).convert("RGB").resize((200, 200)).save(source / "better.png")
    result = prepare(FolderListing(source), target, None)
    assert fates(target)[last["source"]] == "near copy"
    assert len(PictureFolder(target)) == result["kept"] == 12


def test_deleted_faces_stay_away(source, tmp_path):
    target = tmp_path / "target"
    prepare(FolderListing(source), target, None)
    for row in index(target):
        (target / (row["file"] or "none")).unlink(missing_ok=True)
    prepare(FolderListing(source), target, None)
    assert not list(target.glob("*-0.png"))


@pytest.mark.parametrize("name", ["index.csv", "prepare.json"])
@pytest.mark.parametrize("content", [b"\xff\xfe", b"[1, 2]\n[1]\n", b'{"a', b"a;b\nc;d\n"])
def test_damaged_notes_are_told(source, tmp_path, name, content):
    prepare(FolderListing(source), tmp_path / "target", None)
    (tmp_path / "target" / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{name} is damaged"):
        prepare(FolderListing(source), tmp_path / "target", None)


@pytest.mark.parametrize("column", ["source", "sharpness", "file", "dropped", "sha256", "hash"])
def test_a_flipped_bit_in_the_index_is_told_and_no_face_is_lost(source, tmp_path, column):
    prepare(FolderListing(source), tmp_path / "target", None)
    path = tmp_path / "target" / "index.csv"
    values = [row[column].encode() for row in index(path.parent)]
    content = path.read_bytes()
    place = content.index(next(value for value in values if value), content.index(b"\n"))
    path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    before = snapshot(path.parent)
    with pytest.raises(InputError, match=r"index\.csv is damaged; delete"):
        prepare(FolderListing(source), tmp_path / "target", None)
    assert snapshot(path.parent) == before


def test_an_index_of_an_earlier_build_is_taken_up(source, tmp_path, caplog):
    summary = prepare(FolderListing(source), tmp_path / "target", None)
    path = tmp_path / "target" / "index.csv"
    old = "".join(f"{line.rpartition(',')[0]}\n" for line in path.read_text().splitlines())
    path.write_text(old)
    Image.fromarray(draw_face(33, 80)).save(source / "new.png")
    assert prepare(FolderListing(source), tmp_path / "target", None)["kept"] == summary["kept"] + 1
    assert path.read_text().startswith(old) and len(index(path.parent)) == 19
    assert "index.csv is of an earlier build, and its lines are not verified" in caplog.text
    path.write_text(old.replace("-0.png", "-0.jpg", 1))
    before = snapshot(path.parent)
    with pytest.raises(InputError, match=r"index\.csv is damaged"):
        prepare(FolderListing(source), tmp_path / "target", None)
    assert snapshot(path.parent) == before


def test_a_disk_that_gets_full_is_one_line_and_nothing_is_lost(source, tmp_path, monkeypatch):
    really_write, written = Path.write_bytes, []

    def fail_later(path, content):
        written.append(path)
        if len(written) == 4:
            really_write(path, content[:100])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return really_write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fail_later)
        with pytest.raises(GanimeError, match=r"full cannot be written .*No space left.*the same command goes on"):
            prepare(FolderListing(source), tmp_path / "full", None)
    prepare(FolderListing(source), tmp_path / "full", None)
    prepare(FolderListing(source), tmp_path / "whole", None)
    assert snapshot(tmp_path / "full") == snapshot(tmp_path / "whole")


def test_a_source_that_vanishes_ends_it(source, tmp_path):
    def vanish(done, total):
        if source.exists():
            source.rename(tmp_path / "elsewhere")

    for i in range(100):
        (source / f"copy{i}.png").write_bytes((source / "face03.png").read_bytes())
    with pytest.raises(GanimeError, match=r"the folder .* is gone"):
        prepare(FolderListing(source), tmp_path / "target", None, report=vanish)
    assert "unreadable" not in fates(tmp_path / "target").values()


def test_another_cascade_is_refused(source, tmp_path):
    prepare(FolderListing(source), tmp_path / "target", Found(), Settings(size=16))
    with pytest.raises(InputError, match="cascade"):
        prepare(FolderListing(source), tmp_path / "target", None, Settings(size=16))
    prepare(FolderListing(source), tmp_path / "target", Found(), Settings(size=16, min_size=16))  # the same in words


def test_a_folder_without_pictures_is_refused(tmp_path):
    (tmp_path / "source").mkdir()
    with pytest.raises(InputError, match="no pictures"):
        prepare(FolderListing(tmp_path / "source"), tmp_path / "target", None)
    assert not (tmp_path / "target").exists()


def test_sharpness_falls_with_blur_and_not_with_contrast():
    face = Image.fromarray(draw_face(2))
    values = [sharpness(np.asarray(face.filter(ImageFilter.GaussianBlur(radius)))) for radius in (0, 0.5, 1, 2)]
    assert values == sorted(values, reverse=True)
    assert sharpness(draw_face(2) // 2) == pytest.approx(values[0], rel=0.05)
    assert sharpness(np.zeros((64, 64, 3), np.uint8)) == 0


SLOWLY = """
import sys, time
from pathlib import Path
from ganime.data.prepare import prepare
from ganime.data.sources import open_listing
print("begins", flush=True)
prepare(open_listing(sys.argv[1]), Path(sys.argv[2]), None, report=lambda *_: time.sleep(0.02))
"""


@pytest.mark.parametrize("kind, most", [("folder", 6), ("zip", 3)])
def test_killed_at_any_moment_it_ends_with_the_same_bytes(source, tmp_path, kind, most):
    for i in range(40, 70):
        file = io.BytesIO()
        Image.fromarray(draw_face(i % 60, 80)).save(file, "PNG")
        (source / f"more{i}.png").write_bytes(file.getvalue())
    if kind == "zip":
        source = shutil.make_archive(tmp_path / "source", "zip", source)
    kills = kill_until_done(SLOWLY, [source, tmp_path / "killed"], most)
    prepare(open_listing(source), tmp_path / "whole", None)
    assert kills >= most // 2
    assert snapshot(tmp_path / "killed") == snapshot(tmp_path / "whole")


def test_a_zip_of_a_folder_gives_the_same_faces(source, tmp_path):
    archive = shutil.make_archive(tmp_path / "source", "zip", tmp_path, "source")
    for name, listing in (("folder", open_listing(source)), ("zip", open_listing(archive))):
        prepare(listing, tmp_path / name, None)
        (tmp_path / name / "prepare.json").unlink()  # which names the source
    assert snapshot(tmp_path / "folder") == snapshot(tmp_path / "zip")


def test_a_file_is_no_folder_to_write_to(source, tmp_path):
    archive = Path(shutil.make_archive(tmp_path / "faces", "zip", source))
    before = archive.read_bytes()
    for target, words in ((archive, "within each other"), (archive / "below", "within each other"), (tmp_path, "not empty")):
        with pytest.raises(InputError, match=words):
            prepare(open_listing(archive), target, None)
    assert archive.read_bytes() == before
    prepare(open_listing(archive), tmp_path / "target", None)
