import errno
import json
import os

import numpy as np
import pytest
from PIL import Image

from ganime import files
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


@pytest.fixture
def small(tmp_path):
    """Twelve pictures of 8x8 packed; a file whose every byte can be looked at."""
    for i in range(12):
        Image.fromarray(draw_face(i, 8)).save(tmp_path / f"{i}.png")
    return pack(PictureFolder(tmp_path), tmp_path / "small.npy", 8)


def test_flipped_bits_are_found(small, tmp_path):
    whole = small.path.read_bytes()
    for place in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        (tmp_path / "damaged.npy").write_bytes(damaged)
        with pytest.raises(GanimeError, match=r"damaged\.npy (is no whole file|is damaged, or was changed)"):
            PackedPictures(tmp_path / "damaged.npy").load_batch(range(12), 8)


def test_a_picture_that_is_changed_in_use_is_named(small):
    with open(small.path, "r+b") as file:
        file.seek(-small.path.stat().st_size + 128 + 5 * 192 + 7, os.SEEK_END)
        file.write(b"\1\2\3")
    small.load_batch([4, 6, -1], 8)
    remedy = (
        r"picture 5 of .*small\.npy is damaged, or was changed; pack it anew: data pack FOLDER .*small\.npy --size 8 --force"
    )
    with pytest.raises(GanimeError, match=remedy):
        small.load_batch([4, 5], 8)


def earlier_build(whole, **notes):
    """The content of a file of twelve 8x8 pictures from before there were checksums."""
    about = {"name": "faces", "fingerprint": "0" * 64, "size": 8, "unreadable": {}, **notes}
    return whole[: 128 + 12 * 192] + json.dumps(about).encode() + b"\n"


def test_a_file_of_an_earlier_build_is_used_and_said_to_be_unverified(small, tmp_path, caplog):
    expected = small.load_batch(range(12), 8)
    for place in ("old.npy", "renamed.npy"):
        (tmp_path / place).write_bytes(earlier_build(small.path.read_bytes(), name="../../outside\x1b[31m"))
        pictures = PackedPictures(tmp_path / place)
        assert np.array_equal(pictures.load_batch(range(12), 8), expected)
        assert pictures.name == place.removesuffix(".npy")
    assert len(caplog.records) == 2
    assert "not verified; pack it anew for that: data pack FOLDER" in caplog.text and "--force" in caplog.text


@pytest.mark.parametrize(
    "notes",
    [{"unreadable": ["a"]}, {"unreadable": {"a": 1}}, {"unreadable": "a"}, {"fingerprint": 1}, {"fingerprint": "../x"},
     {"fingerprint": "0" * 63}, {"size": 2**60}, {"size": "8"}],
)  # fmt: skip
def test_absurd_notes_are_refused(small, tmp_path, notes):
    (tmp_path / "absurd.npy").write_bytes(earlier_build(small.path.read_bytes(), **notes))
    with pytest.raises(InputError, match="no whole file of packed pictures"):
        PackedPictures(tmp_path / "absurd.npy")


@pytest.mark.parametrize(
    "shape", [(2**60, 8, 8, 3), (2**54, 8, 8, 3), (12, 2**40, 2**40, 3), (2**64, 0, 0, 3), (-1, 8, 8, 3), (12, 8, 3)]
)
def test_absurd_shapes_are_refused(small, tmp_path, shape):
    with open(tmp_path / "absurd.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        file.write(small.path.read_bytes()[128:])
    with pytest.raises(InputError, match="no whole file of packed pictures"):
        PackedPictures(tmp_path / "absurd.npy")


def test_notes_without_end_are_not_read(small, monkeypatch):
    monkeypatch.setattr(packed, "MAX_NOTES", 100)
    with pytest.raises(InputError, match="no whole file of packed pictures"):
        PackedPictures(small.path)


def test_a_file_of_no_pictures_says_so(small, tmp_path):
    with open(tmp_path / "none.npy", "wb") as file:
        np.save(file, np.zeros((0, 8, 8, 3), np.uint8))
        file.write(earlier_build(b""))
    with pytest.raises(InputError, match=r"none\.npy is a packed file of no pictures; make another"):
        PackedPictures(tmp_path / "none.npy")


def test_what_it_says_of_unreadable_files_commands_no_terminal(small, tmp_path):
    notes = {"unreadable": {"\x1b[2J.png": "\x1b]0;title\x07"}}
    (tmp_path / "old.npy").write_bytes(earlier_build(small.path.read_bytes(), **notes))
    assert all(reason.isprintable() for reason in PackedPictures(tmp_path / "old.npy").unreadable.values())
    with pytest.raises(InputError) as error:
        PackedPictures(tmp_path / "old.npy", strict=True)
    assert str(error.value).isprintable()


@pytest.mark.skipif(not hasattr(os, "preadv"), reason="reads otherwise")
def test_a_drive_that_was_away_is_waited_for_and_the_file_opened_again(small, monkeypatch, caplog):
    expected, stale = small.load_batch(range(12), 8), small._file.fileno()
    really_read = os.preadv

    def read(descriptor, *arguments):
        if descriptor == stale:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return really_read(descriptor, *arguments)

    monkeypatch.setattr(os, "preadv", read)
    assert np.array_equal(small.load_batch(range(12), 8), expected)
    assert not caplog.records  # it had no need to wait
    monkeypatch.setattr(files, "PATIENCE", 0)
    stale = small._file.fileno()
    small.path.unlink()
    with pytest.raises(GanimeError, match=r"small\.npy cannot be read .*No such file"):
        small.load_batch([0], 8)


def test_systems_that_cannot_read_at_a_place_give_the_same(small, monkeypatch):
    expected = small.load_batch([11, 0, 5], 8)
    monkeypatch.delattr(os, "preadv", raising=False)
    assert np.array_equal(small.load_batch([11, 0, 5], 8), expected)


def test_a_part_that_is_damaged_is_begun_anew(faces, tmp_path, caplog, monkeypatch):
    pack(PictureFolder(faces), tmp_path / "whole.npy", 32)

    def stop(done, total):
        raise KeyboardInterrupt

    monkeypatch.setattr(packed, "CHUNK", 5 * 3 * 32 * 32)
    for damage in ("", "part", "state"):
        with pytest.raises(KeyboardInterrupt):
            pack(PictureFolder(faces), tmp_path / "faces.npy", 32, stop)
        for path in (tmp_path / "faces.npy.part", tmp_path / "faces.npy.part.json"):
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= damage == {".part": "part", ".json": "state"}[path.suffix]
            path.write_bytes(content)
        caplog.clear()
        done = set()
        pack(PictureFolder(faces), tmp_path / "faces.npy", 32, lambda now, total, done=done: done.add(now))
        assert done == ({5, 10, 12} if damage else {10, 12})
        assert [record.getMessage().endswith("it is begun anew") for record in caplog.records] == [True] * bool(damage)
        assert (tmp_path / "faces.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()
        (tmp_path / "faces.npy").unlink()


def test_a_disk_that_gets_full_is_one_line_and_nothing_is_lost(faces, tmp_path, monkeypatch):
    def fail(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(GanimeError, match=r"faces\.npy cannot be written .*No space left.*the same command goes on"):
            pack(PictureFolder(faces), tmp_path / "faces.npy", 32)
    assert len(pack(PictureFolder(faces), tmp_path / "faces.npy", 32)) == 12


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
from ganime import files
from ganime.data import packed
from ganime.data.folder import PictureFolder
packed.CHUNK = 3 * 32 * 32 * 3
print("begins", flush=True)
packed.pack(PictureFolder(sys.argv[1]), sys.argv[2], 32, lambda *_: time.sleep(0.02))
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
