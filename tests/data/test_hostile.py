import csv
import errno
import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganime.data.check import check
from ganime.data.decode import UnreadablePicture, decode_picture, load_picture, read_picture
from ganime.data.drawn import draw_face
from ganime.data.folder import FolderListing, PictureFolder
from ganime.data.names import show
from ganime.data.packed import pack
from ganime.data.prepare import prepare
from tests.conftest import ROOT
from tests.data.damage import examine
from tests.data.hostile import HOSTILE, encoded

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL", "ignore::PIL.Image.DecompressionBombWarning")


GOOD = 4
LISTED = {file.name for file in HOSTILE.values() if file.listed}
REASONS = {file.name: file.reason for file in HOSTILE.values() if file.reason}


def make(file, folder):
    try:
        return file.make(folder)
    except (OSError, UnicodeError) as error:
        pytest.skip(f"this system has no such files: {error}")


@pytest.fixture(autouse=True)
def forbid(monkeypatch):
    """Forbid files of that name to everybody, the superuser too."""
    really_open = os.open

    def checked_open(path, *arguments, **options):
        if os.path.basename(os.fsdecode(path)) == "forbidden.png":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return really_open(path, *arguments, **options)

    monkeypatch.setattr(os, "open", checked_open)


@pytest.fixture
def everything(tmp_path):
    """A folder of all hostile files and a few good ones."""
    folder = tmp_path / "source"
    folder.mkdir()
    for i in range(GOOD):
        Image.fromarray(draw_face(i, 80)).save(folder / f"good{i}.png")
    for file in HOSTILE.values():
        make(file, folder)
    return folder


def state(folder):
    """Everything in a folder: kind, time, and content of files."""

    def describe(path):
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() and not path.is_symlink() else ""
        return path.lstat().st_mode, path.lstat().st_mtime_ns, content

    return {path: describe(path) for path in sorted(folder.rglob("*"))}


def assert_named(unreadable):
    assert unreadable.keys() == REASONS.keys()
    for name, reason in unreadable.items():
        assert re.search(REASONS[name], reason), (name, reason)
        assert reason.isprintable()


@pytest.mark.parametrize("what", [what for what, file in HOSTILE.items() if file.listed])
def test_every_file_gets_what_the_table_says(tmp_path, what):
    file = HOSTILE[what]
    path = make(file, tmp_path)
    if file.reason:
        for attempt in (lambda: decode_picture(read_picture(path)), lambda: load_picture(path, 64)):
            with pytest.raises(UnreadablePicture, match=file.reason):
                attempt()
    else:
        picture = decode_picture(read_picture(path))
        assert picture.shape == (*file.shape, 3)
        assert picture[0, 0].tolist() == pytest.approx(file.color, abs=4)
        assert load_picture(path, 64).shape == (64, 64, 3)


def test_a_folder_of_them_all_is_loaded_and_its_unreadable_files_are_named(everything, caplog):
    before = state(everything)
    pictures = PictureFolder(everything)
    assert {os.fspath(pictures.path(i).relative_to(everything)) for i in range(len(pictures))} == LISTED | {
        f"good{i}.png" for i in range(GOOD)
    }
    loaded = pictures.load_batch(range(len(pictures)), 32)
    assert loaded.shape == (GOOD + len(LISTED), 32, 32, 3)
    assert_named(pictures.unreadable)
    if os.sep == "/":
        for name in ("pipe.jpg", "link-to-a-pipe.png", "device.png"):
            assert f"{name}: not a file" in caplog.text
    assert all(record.getMessage().isprintable() for record in caplog.records)
    assert state(everything) == before


def test_strict_names_the_first_of_them(everything):
    first = min(REASONS, key=os.fsencode)
    with pytest.raises(UnreadablePicture, match=re.escape(f"{show(first)} in ")) as error:
        PictureFolder(everything, strict=True)
    assert re.search(REASONS[first], str(error.value))


def test_check_names_them(everything):
    before = state(everything)
    listing = FolderListing(everything)
    findings = check(listing)
    assert_named(findings.unreadable)
    handled = LISTED - REASONS.keys() | {f"good{i}.png" for i in range(GOOD)}
    good = map(listing.name_of, findings.good)
    assert {*good, *findings.exact_copies, *findings.near_copies} == handled
    assert state(everything) == before


def test_prepare_names_them_and_writes_nowhere_else(everything, tmp_path):
    before = state(everything)
    target = tmp_path / "target"
    counts = prepare(FolderListing(everything, without=target), target, None)
    with open(tmp_path / "target" / "index.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    original = {show(name): name for name in LISTED}
    assert_named({original[row["source"]]: row["detail"] for row in rows if row["dropped"] == "unreadable"})
    assert len(rows) == counts["pictures"] == len(LISTED) + GOOD
    assert counts["kept"] >= GOOD
    assert state(everything) == before
    assert {path.name for path in tmp_path.iterdir()} == {"source", "target"}
    written = {path.name: path.read_bytes() for path in (tmp_path / "target").iterdir()}
    assert prepare(FolderListing(everything, without=target), target, None) == counts  # every name is known again
    assert {path.name: path.read_bytes() for path in (tmp_path / "target").iterdir()} == written


def test_pack_names_them(everything, tmp_path):
    before = state(everything)
    packed = pack(PictureFolder(everything), tmp_path / "packed.npy", 32)
    assert len(packed) == GOOD + len(LISTED)
    assert_named(packed.unreadable)
    assert state(everything) == before


def test_an_epoch_of_batches_of_them_all_is_whole(everything):
    from ganime.data.pipeline import make_dataset

    pictures = PictureFolder(everything)
    steps = -(-len(pictures) // 8)
    batches = list(make_dataset(pictures, 32, 8, last_step=steps).as_numpy_iterator())
    assert {batch.shape for batch in batches} == {(8, 32, 32, 3)} and len(batches) == steps
    assert_named(pictures.unreadable)


@pytest.mark.slow
def test_fit_trains_on_a_folder_of_them_all(everything, tmp_path, tiny):
    from ganime.run import Run
    from ganime.training.fit import fit

    pictures = PictureFolder(everything)
    steps = -(-len(pictures) // tiny.batch_size)
    assert fit(Run(tmp_path / "runs" / "hostile"), tiny, pictures, steps).step.numpy() == steps
    assert_named(pictures.unreadable)


PEAK = """
import sys
from pathlib import Path
from ganime.data.decode import UnreadablePicture, decode_picture

def peak():
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))

assert "tensorflow" not in sys.modules
files = [path.read_bytes() for path in Path(sys.argv[1]).iterdir()]
before = peak()
for data in files:
    try:
        decode_picture(data, at_least=64)
    except UnreadablePicture:
        pass
    else:
        sys.exit("a bomb was taken for a picture")
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are looked up in /proc")
def test_bombs_take_no_memory(tmp_path):
    bombs = [file for file in HOSTILE.values() if file.reason and re.search("large|exceeds|bytes|scans|BMP", file.reason)]
    assert len(bombs) >= 10
    for file in bombs:
        file.make(tmp_path)
    command = [sys.executable, "-W", "ignore", "-c", PEAK, tmp_path]
    grown = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert int(grown.stdout) < 100e6


def test_large_pictures_are_decoded_one_at_a_time(monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    from ganime.data import decode

    within, most = [], []
    transpose = decode.ImageOps.exif_transpose

    def watch(*arguments, **options):
        within.append(1)
        most.append(len(within))
        transpose(*arguments, **options)
        within.pop()

    monkeypatch.setattr(decode, "LARGE", 10**6)
    monkeypatch.setattr(decode.ImageOps, "exif_transpose", watch)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(decode_picture, [encoded(Image.effect_noise((1200, 1000), 99), "PNG")] * 8))
    assert len(most) == 8 and max(most) == 1


def test_a_jpeg_with_an_archive_after_it_is_taken():
    noise = np.random.default_rng(0).bytes(2**23)
    assert noise.count(b"\xff\xda") > 100
    assert not examine(encoded(Image.fromarray(draw_face(1)), "JPEG", progressive=True) + noise)
