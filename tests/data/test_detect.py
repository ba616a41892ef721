import hashlib
import os
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ganime.data import detect
from ganime.data.decode import load_picture
from ganime.data.detect import FaceDetector
from ganime.data.folder import FolderListing
from ganime.data.prepare import prepare
from ganime.errors import GanimeError, InputError
from tests.conftest import DATASETS
from tests.data.test_prepare import index

CASCADE = DATASETS / "lbpcascade_animeface.xml"
PORTRAITS = DATASETS / "portraits256"
STAND_IN = os.path.join(cv2.data.haarcascades, "haarcascade_frontalface_default.xml")


@pytest.mark.skipif(not PORTRAITS.exists(), reason="needs pictures that are not part of the project")
def test_faces_in_pages_are_found(tmp_path):
    (tmp_path / "pages").mkdir()
    places = np.random.default_rng(0)
    for page, files in enumerate(np.array_split(sorted(PORTRAITS.iterdir())[:24], 4)):
        canvas = Image.new("RGB", (960, 640), tuple(places.integers(0, 256, 3).tolist()))
        for i, file in enumerate(files):
            side = int(places.integers(200, 300))
            canvas.paste(Image.fromarray(load_picture(file, side)), (i % 3 * 320, i // 3 * 320))
        canvas.save(tmp_path / "pages" / f"page{page}.png")
    result = prepare(FolderListing(tmp_path / "pages"), tmp_path / "target", FaceDetector(CASCADE))
    kept = [row for row in index(tmp_path / "target") if row["file"]]
    middles = {(row["source"], *((int(row[left]) + int(row["side"]) // 2) // 320 for left in "xy")) for row in kept}
    assert len(middles) >= 23
    assert result["kept"] <= 25


@pytest.mark.skipif(not PORTRAITS.exists(), reason="needs pictures that are not part of the project")
def test_a_face_is_found_at_any_size_of_the_picture():
    page = np.full((1500, 5000, 3), 200, np.uint8)
    page[200:1200, 3000:4000] = load_picture(min(PORTRAITS.iterdir()), 1000)
    ((left, top, side),) = FaceDetector(CASCADE).find(page, min_box=100)
    assert 2900 < left < 3400 and 100 < top < 700 and 500 < side < 1100


def test_a_picture_too_thin_for_a_face_has_none():
    assert FaceDetector(STAND_IN).find(np.zeros((10, 100_000, 3), np.uint8)) == []


def test_what_is_no_cascade_is_refused(tmp_path):
    (tmp_path / "words.xml").write_text("<words/>")
    for path in (tmp_path / "words.xml", tmp_path / "missing.xml"):
        with pytest.raises(InputError, match=r"is no cascade"):
            FaceDetector(path)
    assert FaceDetector(STAND_IN).find(np.zeros((50, 50, 3), np.uint8)) == []


def test_a_damaged_copy_of_the_known_cascade_is_refused(tmp_path):
    """OpenCV would take it: it is a cascade still, of other numbers."""
    content = Path(STAND_IN).read_bytes()
    (tmp_path / "own.xml").write_bytes(content)
    (tmp_path / detect.CASCADE).write_bytes(content)
    FaceDetector(tmp_path / "own.xml")
    with pytest.raises(InputError, match=r"lbpcascade_animeface\.xml is damaged: its SHA-256 .*; get it anew from https"):
        FaceDetector(tmp_path / detect.CASCADE)


@pytest.mark.skipif(os.sep != "/", reason="named pipes")
def test_a_pipe_is_no_cascade_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.xml")
    with pytest.raises(InputError, match=r"pipe\.xml is no cascade"):
        FaceDetector(tmp_path / "pipe.xml")


@pytest.mark.parametrize("module", [None, object()])  # not installed, and version 5
def test_without_opencv_4_it_says_how_to_get_it(monkeypatch, module):
    monkeypatch.setitem(sys.modules, "cv2", module)
    with pytest.raises(GanimeError, match="pip install 'opencv-python-headless<5'"):
        FaceDetector(STAND_IN)


def test_the_cascade_is_fetched_once_and_its_hash_checked(tmp_path, monkeypatch):
    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    served, content = tmp_path / "served", Path(STAND_IN).read_bytes()
    served.mkdir()
    (served / "cascade.xml").write_bytes(content[:-1000])
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=served))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(detect, "URL", f"http://127.0.0.1:{server.server_port}/cascade.xml")
    monkeypatch.setattr(detect, "SHA256", hashlib.sha256(content).hexdigest())
    try:
        with pytest.raises(GanimeError, match="give its path with --cascade"):
            FaceDetector()
        (served / "cascade.xml").write_bytes(content)
        FaceDetector()
    finally:
        server.shutdown()
        server.server_close()
    FaceDetector()
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "another home"))
    with pytest.raises(GanimeError, match="give its path with --cascade"):
        FaceDetector()
