from PIL import Image

from ganime.data.check import check
from ganime.data.drawn import draw_face
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
    findings = check(faces, report=lambda *numbers: calls.append(numbers))
    assert findings.formats == {"PNG": 4, "JPEG": 4, "WEBP": 2, "GIF": 2, "BMP": 2}
    assert findings.sizes == {(40, 40): 13, (90, 90): 1}
    assert findings.unreadable == {"empty.png": "empty", "words.jpg": "not a picture"}
    assert findings.exact_copies == {"face05.png": "below/same.png"}
    assert findings.near_copies == {"larger.jpg": "face07.webp"}
    assert len(findings.good) == 12
    assert calls[-1] == (16, 16)
    assert snapshot(faces) == before
