import json

import numpy as np
import pytest
from PIL import Image

from ganime.data import packed
from ganime.data.drawn import draw_face
from ganime.data.folder import PictureFolder
from ganime.data.packed import PackedPictures, pack
from ganime.data.pipeline import make_dataset
from ganime.errors import GanimeError, InputError
from tests.killing import kill_until_done, snapshot


def test_the_file_holds_the_folder(faces, tmp_path):
    (faces / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    folder = PictureFolder(faces)
    done = []
    pictures = pack(folder, tmp_path / "faces.npy", 32, lambda *numbers: done.append(numbers))
    assert done[-1] == (13, 13)
    assert (len(pictures), pictures.name, pictures.fingerprint) == (13, folder.name, folder.fingerprint)
    assert pictures.unreadable.keys() == {"broken.jpg"}
    assert np.array_equal(pictures.load_batch(range(13), 32), folder.load_batch(range(13), 32))
    assert np.array_equal(np.load(tmp_path / "faces.npy", mmap_mode="r"), folder.load_batch(range(13), 32))
    assert {path.name for path in tmp_path.iterdir()} == {"faces", "faces.npy", ".faces.npy.lock"}


def test_batches_are_the_folders(faces, tmp_path):
    folder = PictureFolder(faces)
    settings = {"image_size": 32, "batch_size": 5, "first_step": 3, "last_step": 9, "seed": 4, "flips": True}
    of_folder = list(make_dataset(folder, **settings).as_numpy_iterator())
    of_file = list(make_dataset(pack(folder, tmp_path / "faces.npy", 32), **settings).as_numpy_iterator())
    assert np.array_equal(of_folder, of_file)


def test_another_size_is_refused(faces, tmp_path):
    pictures = pack(PictureFolder(faces), tmp_path / "faces.npy", 32)
    with pytest.raises(InputError, match="pack them again with --size 64"):
        pictures.load_batch([0], 64)


def test_nothing_is_overwritten(faces, tmp_path):
    target = tmp_path / "faces.npy"
    pack(PictureFolder(faces), target, 32)
    whole = target.read_bytes()
    pack(PictureFolder(faces), target, 32)  # done already
    with pytest.raises(InputError, match="give another name, or --force"):
        pack(PictureFolder(faces), target, 16)
    assert target.read_bytes() == whole
    target.write_text("a letter")
    with pytest.raises(InputError, match=r"faces\.npy is there already"):
        pack(PictureFolder(faces), target, 32)
    assert target.read_text() == "a letter"
    pack(PictureFolder(faces), target, 32, force=True)
    assert target.read_bytes() == whole


@pytest.mark.parametrize("damage", ["empty", "short", "without its end", "another array", "a picture"])
def test_damaged_files_are_refused(faces, tmp_path, damage):
    target = tmp_path / "faces.npy"
    pack(PictureFolder(faces), target, 32)
    whole = target.read_bytes()
    if damage == "another array":
        np.save(target, np.zeros((2, 32, 32, 3), np.float32))
    elif damage == "a picture":
        Image.fromarray(draw_face(1)).save(target, format="PNG")
    else:
        target.write_bytes({"empty": b"", "short": whole[:5000], "without its end": whole[: 128 + 12 * 32 * 32 * 3]}[damage])
    with pytest.raises(InputError, match="no whole file of packed pictures"):
        PackedPictures(target)


def test_a_file_that_is_cut_short_in_use_is_an_error_and_no_crash(faces, tmp_path):
    pictures = pack(PictureFolder(faces), tmp_path / "faces.npy", 32)
    with open(tmp_path / "faces.npy", "r+b") as file:
        file.truncate(1000)
    with pytest.raises(GanimeError, match="cut short while in use"):
        pictures.load_batch([11], 32)


def test_a_part_that_does_not_fit_its_notes_is_begun_anew(faces, tmp_path):
    folder = PictureFolder(faces)
    pack(folder, tmp_path / "whole.npy", 32)
    part, state = tmp_path / "faces.npy.part", tmp_path / "faces.npy.part.json"
    about = {"fingerprint": folder.fingerprint, "size": 32}
    for notes in (json.dumps({"about": about, "done": 9, "unreadable": {}}), '{"about', "[]"):
        part.write_bytes(bytes(1000))
        state.write_text(notes)
        pack(folder, tmp_path / "faces.npy", 32)
        assert (tmp_path / "faces.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()
        (tmp_path / "faces.npy").unlink()
    with pytest.raises(InputError, match="is a folder"):
        pack(folder, tmp_path, 32)


def test_strict_refuses_what_was_unreadable(faces, tmp_path):
    (faces / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    pack(PictureFolder(faces), tmp_path / "faces.npy", 32)
    with pytest.raises(InputError, match=r"broken\.jpg"):
        PackedPictures(tmp_path / "faces.npy", strict=True)


def test_a_full_disk_is_seen_before(faces, tmp_path, monkeypatch):
    monkeypatch.setattr(packed.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    with pytest.raises(GanimeError, match="MB of free space"):
        pack(PictureFolder(faces), tmp_path / "faces.npy", 32)


SLOWLY = """
import sys, time
from ganime.data import packed
from ganime.data.folder import PictureFolder
packed.CHUNK = 3 * 32 * 32 * 3
packed.pack(PictureFolder(sys.argv[1]), sys.argv[2], 32, lambda *_: time.sleep(0.06))
"""


def test_killed_at_any_moment_it_ends_with_the_same_bytes(faces, tmp_path):
    for i in range(100):
        Image.fromarray(draw_face(i, 40)).save(faces / f"more{i}.png")
    (faces / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    (tmp_path / "killed").mkdir()
    kills = kill_until_done(SLOWLY, [faces, tmp_path / "killed" / "faces.npy"])
    pack(PictureFolder(faces), tmp_path / "whole" / "faces.npy", 32)
    assert kills >= 3
    assert snapshot(tmp_path / "killed") == snapshot(tmp_path / "whole")
