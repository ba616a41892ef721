import zipfile

from PIL import Image

from ganime.data.check import Sources, check, save_contact_sheet
from ganime.data.decode import load_picture
from ganime.data.drawn import draw_face
from ganime.data.folder import FolderListing
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
