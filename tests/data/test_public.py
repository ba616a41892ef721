import base64
import errno
import hashlib
import io
import json
import os
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from ganime.data.drawn import draw_face
from ganime.data.public import PUBLIC_SETS, download, find
from ganime.errors import GanimeError, InputError

SERVICE = "/v1/datasets.DatasetApiService/"


class Kaggle(ThreadingHTTPServer):
    """Answers on this machine what kagglehub asks of Kaggle: the version, where its archive lies, and the archive.

    A test sets `fault` to (status, headers, body) to have every question answered with that instead, or changes the archive:
    `archive` is what is sent, `promised` how long it is said to be, and `md5` its checksum, if there is one.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.version = 3
        self.serve(b"")
        self.fault = None
        self.asked = []
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def serve(self, archive, promised=None, md5=None):
        self.archive, self.promised, self.md5 = archive, promised or len(archive), md5

    def stop(self):
        self.shutdown()
        self.thread.join()
        self.server_close()


class Answers(BaseHTTPRequestHandler):
    def do_POST(self):
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.note(question)
        if self.server.fault:
            self.answer(*self.server.fault)
        elif self.path == SERVICE + "GetDataset":
            about = {"ref": "{ownerSlug}/{datasetSlug}".format(**question), "currentVersionNumber": self.server.version}
            self.answer(200, {"Content-Type": "application/json"}, json.dumps(about).encode())
        else:
            self.answer(302, {"Location": f"{self.server.url}/archive.zip"})

    def do_GET(self):
        self.note(self.headers["Range"])
        archive, promised = self.server.archive, self.server.promised
        begin = int((self.headers["Range"] or "bytes=0-")[6:-1])
        headers = {"Accept-Ranges": "bytes", "Content-Type": "application/zip", "Content-Length": promised - begin}
        if self.server.md5:
            headers["x-goog-hash"] = f"md5={self.server.md5}"
        self.answer(206 if begin else 200, headers, archive[begin:])

    def note(self, question):
        assert "Authorization" not in self.headers
        self.server.asked.append((self.path.removeprefix(SERVICE), question))

    def answer(self, status, headers, body=b""):
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def kaggle(cache, monkeypatch):
    from kagglesdk import kaggle_env

    server = Kaggle()
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, server.url)
    yield server
    server.stop()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of kagglehub, with nothing of the user's own settings and credentials."""
    for name in [*os.environ]:
        if name.startswith(("KAGGLE", "COLAB", "TBE_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "datasets"


@pytest.fixture
def archive():
    return pack("faces/a.png", "faces/b.png")


def pack(*names, size=32):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for i, name in enumerate(names):
            picture = io.BytesIO()
            Image.fromarray(draw_face(i, size)).save(picture, format="PNG", compress_level=0)
            file.writestr(name, picture.getvalue())
    return packed.getvalue()


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def put(cache, version, marker=True):
    folder = cache / "splcher" / "animefacedataset"
    (folder / "versions" / version).mkdir(parents=True)
    if marker:
        (folder / f"{version}.complete").touch()
    return folder / "versions" / version


def fails(name="anime-faces"):
    """The download must fail; what the user is told about it."""
    with pytest.raises(GanimeError) as caught:
        download(name)
    message = str(caught.value)
    assert not isinstance(caught.value, InputError)
    assert caught.value.__cause__ is not None
    assert len(message.splitlines()) == 1
    assert message.startswith(f"{name} could not be downloaded (")
    assert message.endswith(f"); download it from {PUBLIC_SETS[name].url} yourself and give the folder with --data FOLDER")
    assert find(name) is None
    return message


def test_a_download_is_found_again_without_the_network(kaggle, archive):
    kaggle.serve(archive)
    assert find("anime-faces") is None
    folder = download("anime-faces")
    assert files(folder) == ["faces/a.png", "faces/b.png"]
    with Image.open(folder / "faces" / "b.png") as picture:
        assert np.array_equal(picture, draw_face(1, 32))
    which = {"ownerSlug": "soumikrakshit", "datasetSlug": "anime-faces"}
    assert kaggle.asked == [
        ("GetDataset", which),
        ("DownloadDataset", which | {"datasetVersionNumber": 3}),
        ("/archive.zip", None),
    ]
    assert download("anime-faces") == find("anime-faces") == folder
    assert len(kaggle.asked) == 3
    kaggle.stop()
    assert download("anime-faces") == folder


def test_the_halves_of_selfie2anime_stay_apart(kaggle):
    kaggle.serve(pack("trainA/selfie.png", "trainB/1.png", "testA/selfie.png", "testB/2.png"))
    folder = download("selfie2anime")
    assert [files(folder / half) for half in PUBLIC_SETS["selfie2anime"].subfolders] == [["1.png"], ["2.png"]]


def test_the_newest_complete_version_wins(cache):
    put(cache, "9")
    newest = put(cache, "10")
    put(cache, "11", marker=False)
    (newest.parents[1] / "12.complete").touch()  # marked, but the folder was deleted
    (newest.parents[1] / ".complete").mkdir()  # where kagglehub marks single files
    assert find("animefacedataset") == download("animefacedataset") == newest


def test_the_default_cache_is_that_of_kagglehub(cache, monkeypatch, tmp_path):
    monkeypatch.delenv("KAGGLEHUB_CACHE")
    folder = put(tmp_path / "home" / ".cache" / "kagglehub" / "datasets", "1")
    assert find("animefacedataset") == folder


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ((404, {}), "(404 Client Error)"),
        ((403, {"Content-Type": "application/json"}, b'{"code": 403, "message": "no"}'), "(403 Client Error)"),
        ((500, {}), "(500 Server Error: Internal Server Error for url: "),
        ((200, {"Content-Type": "text/html"}, b"<html>please log in to this hotel</html>"), "(Expecting value"),
        ((200, {"Content-Type": "application/json"}, b"{}"), "(No version provided)"),
    ],
)
def test_a_refusal_is_told_in_one_line(kaggle, fault, reason):
    kaggle.fault = fault
    assert reason in fails()


def test_no_server_is_told_in_one_line(kaggle):
    kaggle.stop()
    assert "no connection to Kaggle" in fails()


@pytest.mark.parametrize(("size", "arrived"), [(32, 0), (800, 1 << 20)])  # kagglehub keeps whole MB
def test_a_broken_connection_is_taken_up_again(kaggle, size, arrived):
    archive = pack("faces/a.png", size=size)
    kaggle.serve(archive[:-500], promised=len(archive))
    assert "Connection broken" in fails()
    kaggle.serve(archive)
    folder = download("anime-faces")
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        assert (folder / "faces" / "a.png").read_bytes() == packed.read("faces/a.png")
    assert kaggle.asked[-1] == ("/archive.zip", f"bytes={arrived}-")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ("shortened", "(Unsupported archive type)"),
        ("damaged", "(Bad CRC-32 for file 'faces/a.png')"),
        ("not an archive", "(Unsupported archive type)"),
        ("checksum", "(DataCorruptionError)"),
    ],
)
def test_a_broken_archive_does_not_stand_in_the_way(kaggle, archive, spoil, reason):
    middle = len(archive) // 4
    broken = {
        "shortened": archive[:middle],
        "damaged": archive[:middle] + b"damage" + archive[middle + 6 :],
        "not an archive": b"x" * len(archive),  # as long as the good one, so that it looks like a finished download
        "checksum": archive,
    }
    kaggle.serve(broken[spoil], md5="AAAAAAAAAAAAAAAAAAAAAA==" if spoil == "checksum" else None)
    assert reason in fails()
    kaggle.serve(archive, md5=base64.b64encode(hashlib.md5(archive).digest()).decode())
    folder = download("anime-faces")
    assert files(folder) == ["faces/a.png", "faces/b.png"]
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        assert (folder / "faces" / "a.png").read_bytes() == packed.read("faces/a.png")


def test_a_full_disk_is_not_taken_for_a_failed_download(kaggle, archive, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    kaggle.serve(archive)
    with monkeypatch.context() as full:
        full.setattr(zipfile.ZipFile, "extractall", fail)
        with pytest.raises(OSError, match="No space left on device"):
            download("anime-faces")
    assert find("anime-faces") is None
    assert files(download("anime-faces")) == ["faces/a.png", "faces/b.png"]


@pytest.mark.parametrize("use", [find, download])
def test_an_unknown_name_lists_the_known(use):
    with pytest.raises(InputError) as caught:
        use("anime\nfaces")
    assert len(str(caught.value).splitlines()) == 1
    assert all(name in str(caught.value) for name in PUBLIC_SETS)


def test_kagglehub_is_asked_for_only_when_needed(cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(GanimeError, match="pip install kagglehub"):
        download("animefacedataset")
    folder = put(cache, "1")
    assert download("animefacedataset") == folder


def test_nothing_heavy_is_imported():
    check = "import sys, ganime.data.public; sys.exit(bool({'kagglehub', 'requests', 'tensorflow'} & {*sys.modules}))"
    subprocess.run([sys.executable, "-c", check], check=True, timeout=60)
