from PIL import Image

from ganime.data.check import check, save_contact_sheet
from ganime.data.decode import load_picture
from ganime.data.drawn import draw_face
from ganime.data.folder import FolderListing
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
