import io
import zipfile

import pytest
from PIL import Image

from ganime.data.check import Sources, check, save_contact_sheet
from ganime.data.decode import load_picture
from ganime.data.drawn import draw_face
from ganime.data.folder import FolderListing
from ganime.data.formats import holds_several
from ganime.data.sources import open_listing
from tests.killing import snapshot


def test_everything_is_found(faces):
    (faces / "below").mkdir()
    (faces / "below" / "same.png").write_bytes((faces / "face05.png").read_bytes())
    Image.fromarray(draw_face(7, 90)).save(faces / "larger.jpg", quality=80)
    (faces / "empty.png").write_bytes(b"")
    jpeg = (faces / "face01.jpg").read_bytes()
    (faces / "face01.jpg").write_bytes(jpeg[:2] + b"\xff\xee\x00\x07Adobe" + jpeg[2:])  # Pillow refuses this marker
    (faces / "words.jpg").write_text("words")
    before, calls = snapshot(faces), []
    findings = check(FolderListing(faces), report=lambda *numbers: calls.append(numbers))
    assert findings.formats == {"PNG": 4, "JPEG": 4, "WEBP": 2, "GIF": 2, "BMP": 2}
    assert findings.sizes == {(40, 40): 13, (90, 90): 1}
    assert findings.unreadable == {"empty.png": "empty", "words.jpg": "not a picture"}
    assert findings.exact_copies == {"face05.png": "below/same.png"}
    assert findings.near_copies == {"larger.jpg": "face07.webp"}
    assert len(findings.good) == 12
    assert calls[-1] == (16, 16)
    assert snapshot(faces) == before


def test_splits_are_told_from_classes(faces):
    for i, folder in enumerate(("train/a", "train/b", "Test/a", "val")):
        (faces / folder).mkdir(parents=True)
        Image.fromarray(draw_face(30 + i, 40)).save(faces / folder / "one.png")
    findings = check(FolderListing(faces))
    assert (findings.splits, findings.classes) == ({"train": 2, "Test": 1, "val": 1}, {"a": 2, "b": 1})
    (faces / "dataset.json").write_text('{"labels": [["val/one.png", 3]]}')
    findings = check(FolderListing(faces))
    assert (findings.splits.total(), findings.classes) == (4, {"3": 1})


SEVERAL = {"GIF": {}, "TIFF": {}, "WEBP": {"lossless": True}, "PNG": {}, "AVIF": {}}


def test_files_with_several_pictures_are_counted(tmp_path):
    drawn = [Image.fromarray(draw_face(i, 40)) for i in range(3)]
    for kind, options in SEVERAL.items():
        drawn[0].save(tmp_path / f"one.{kind}", kind, **options)
        drawn[1].save(tmp_path / f"two.{kind}", kind, save_all=True, append_images=drawn[2:], **options)
    for kind in ("JPEG", "BMP"):
        drawn[0].save(tmp_path / f"one.{kind}", kind)
    findings = check(FolderListing(tmp_path))
    assert findings.several == dict.fromkeys(SEVERAL, 1)
    assert not holds_several(b"II*\0" + bytes(20), "TIFF")  # damaged, and no reason to stop


def test_pictures_behind_the_first_of_a_heic_are_counted():
    heif = pytest.importorskip("pillow_heif")
    for count in (1, 3):
        file, made = io.BytesIO(), heif.HeifFile()
        for i in range(count):
            made.add_from_pillow(Image.fromarray(draw_face(i, 40)))
        made.save(file)
        assert holds_several(file.getvalue(), "HEIC") == (count > 1)


def test_a_contact_sheet_shows_a_hundred(faces):
    files = [faces / f"face{i % 12:02}.{('png', 'jpg', 'webp', 'gif', 'bmp')[i % 12 % 5]}" for i in range(300)]
    files.insert(0, faces / "missing.png")
    save_contact_sheet(faces / "contact-sheet.png", len(files), lambda i: load_picture(files[i], 64))
    assert Image.open(faces / "contact-sheet.png").size == (662, 662)


def test_copies_are_found_from_one_source_to_another(faces, tmp_path):
    (faces / "a").mkdir()
    (faces / "face05.png").rename(faces / "a" / "five.png")
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.write(faces / "a" / "five.png", "top/five.png")
        archive.write(faces / "face01.jpg", "top/b/one.jpg")
        archive.write(faces / "face01.jpg", "top/b/two.jpg")
    sources = Sources([("my faces/", open_listing(faces)), ("more.zip", open_listing(tmp_path / "more.zip"))])
    findings = check(sources)
    assert findings.exact_copies == {
        "more.zip/five.png": "my faces/a/five.png",
        "more.zip/b/one.jpg": "my faces/face01.jpg",
        "more.zip/b/two.jpg": "my faces/face01.jpg",
    }
    assert findings.classes == {"a": 1, "b": 2}
    assert findings.good == list(range(12)) and sources.load(11, 16).shape == (16, 16, 3)
    twice = check(Sources([("faces", open_listing(faces))] * 2))
    assert len(twice.exact_copies) == len(twice.good) == 12 and not twice.near_copies
