import errno
import os
import random
import re
import shutil
import struct
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganime import files
from ganime.data import zips
from ganime.data.decode import UnreadablePicture
from ganime.data.drawn import draw_face
from ganime.data.encoded import EncodedPictures
from ganime.data.folder import FolderListing, PictureFolder
from ganime.data.names import show
from ganime.data.zips import ZipListing
from ganime.errors import GanimeError, InputError
from tests.data.damage import read_damaged

PICTURE = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR, and nothing looks further than here."
STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED


@pytest.fixture
def folder(faces):
    """A folder of 15 pictures, at two depths, and of much else."""
    (faces / "züge").mkdir()
    Image.fromarray(draw_face(20, 40)).save(faces / "züge" / "face.png")
    Image.fromarray(draw_face(21, 40)).save(faces / "of an old program.tga")
    shutil.copy(faces / "face01.jpg", faces / "no ending")
    shutil.copy(faces / "face01.jpg", faces / ".hidden.jpg")
    shutil.copy(faces / "face01.jpg", faces / "contact-sheet.png")
    (faces / "notes.TXT").write_text("none of them")
    (faces / "nothing").touch()
    (faces / "face02.txt").write_text("a face")
    (faces / "more.zip").write_bytes(b"PK")
    shutil.copy(faces / "face01.jpg", faces / "face01.jpg~")
    return faces


def archive(folder, top="", method=STORED, system=3, separator="/", directories=True, extra=b"", comment=b"", before=b""):
    """Make a zip file of a folder beside it, as one of the programs that make them would."""
    path = folder.with_name("archive.zip")
    path.write_bytes(before)
    with zipfile.ZipFile(path, "a") as file:
        for member in sorted(folder.rglob("*"), reverse=True):
            name = (top + member.relative_to(folder).as_posix()).replace("/", separator)
            if member.is_dir():
                if directories:
                    file.writestr(_info(name + separator, system), b"")
            else:
                info = _info(name, system)
                info.extra = extra
                file.writestr(info, member.read_bytes(), method)
        file.comment = comment
    return path


def _info(name, system=3):
    info = zipfile.ZipInfo(name)
    info.create_system = system
    return info


def zipped(path, members, method=STORED):
    """Make a zip file of these (name, content)."""
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members:
            file.writestr(_info(name), content, method)
    return path


def change(path, *changes):
    """Overwrite bytes of a file: (place, bytes)."""
    with open(path, "r+b") as file:
        for place, data in changes:
            file.seek(place)
            file.write(data)


def directory_of(path):
    """Where the headers of a file's members are in its directory."""
    data = path.read_bytes()
    with zipfile.ZipFile(path) as file:
        place, places = file.start_dir, []
        for _ in file.infolist():
            places.append(place)
            place += 46 + sum(struct.unpack_from("<3H", data, place + 28))
    return places


KINDS = {
    "stored": {},
    "deflated": {"method": DEFLATED},
    "in a folder": {"top": "faces/"},
    "in a folder, which is not listed": {"top": "faces/", "directories": False},
    "in a folder, deflated": {"top": "faces/", "method": DEFLATED},
    "in the current folder": {"top": "./"},
    "in a folder of the current folder": {"top": "./faces/", "directories": False},
    "from Windows": {"system": 0, "separator": "\\"},
    "from Windows, in a folder": {"system": 10, "separator": "\\", "top": "faces/", "method": DEFLATED},
    "with a comment": {"comment": b"PK\5\6 is how the end begins" + bytes(40_000)},
    "behind a program": {"before": b"MZ" + bytes(1000)},
    "with long extra fields": {"extra": struct.pack("<2H", 0x9999, 300) + bytes(300)},
    "with very long extra fields": {"extra": struct.pack("<2H", 0x9999, 9000) + bytes(9000), "method": DEFLATED},
}


def assert_same(listing, folder):
    of_folder = FolderListing(folder)
    assert listing.fingerprint == of_folder.fingerprint
    names = [of_folder.name_of(i) for i in range(15)]
    assert [listing.name_of(i) for i in range(len(listing))] == names
    assert [listing.size_of(i) for i in range(15)] == [of_folder.size_of(i) for i in range(15)]
    assert [listing.label_of(i) for i in range(15)] == [of_folder.label_of(i) for i in range(15)]
    assert (listing.left_out, listing.named) == (of_folder.left_out, of_folder.named)
    expected = PictureFolder(folder).load_batch(range(15), 32)
    assert np.array_equal(EncodedPictures(listing, strict=True).load_batch(range(15), 32), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_is_what_its_folder_is(folder, kind):
    listing = ZipListing(archive(folder, **KINDS[kind]))
    assert (listing.name, str(listing)) == ("archive", f"15 pictures in {listing.path}")
    assert_same(listing, folder)


@pytest.mark.parametrize("before", [b"", b"MZ" + bytes(1000)])
@pytest.mark.parametrize("moved", [False, True])
def test_an_archive_of_the_large_kind_is_what_its_folder_is(folder, monkeypatch, before, moved):
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100)
    path = archive(folder, top="faces/", before=b"" if moved else before, extra=b"\x99\x99\5\0other")
    numbers = rb"(\x01\0(?:\x10\0.{16}|\x18\0.{24}))(\x99\x99\x05\0other)"
    data, count = re.subn(numbers, rb"\2\1", path.read_bytes(), flags=re.DOTALL)  # they need not be the first extra field
    assert count > 10
    assert b"PK\6\6" in data and b"PK\6\7" in data
    # Where something is put before it afterwards, all that it says of places is off by as much.
    path.write_bytes(before + data if moved else data)
    assert_same(ZipListing(path), folder)


def test_what_was_put_before_an_archive_moves_it(folder):
    path = archive(folder)
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    assert_same(ZipListing(path), folder)


def test_what_macos_adds_is_no_part_of_the_folder(folder):
    path = archive(folder, top="faces/")
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("__MACOSX/faces/._face01.jpg", PICTURE)
        file.writestr(".DS_Store", b"")
    listing = ZipListing(path)
    assert listing.fingerprint == FolderListing(folder).fingerprint
    assert (
        listing.left_out["system folder", ".jpg"] == listing.left_out["hidden", ".jpg"] == listing.left_out["hidden", ""] == 1
    )


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a/1.png", "b/1.png"], ["a/1.png", "b/1.png"]),
        (["ab/1.png", "ac/1.png"], ["ab/1.png", "ac/1.png"]),
        (["a/1.png", "1.png"], ["1.png", "a/1.png"]),
        (["a/1.png", "no ending"], ["a/1.png", "no ending"]),
        (["a/b/1.png", "a/b/2.png"], ["b/1.png", "b/2.png"]),
        (["a/1.png"], ["1.png"]),
        (["1.png"], ["1.png"]),
        ([], []),
    ],
)
def test_only_a_folder_around_everything_is_left_off(tmp_path, names, expected):
    listing = ZipListing(zipped(tmp_path / "archive.zip", [(name, PICTURE) for name in names]))
    assert [listing.name_of(i) for i in range(len(listing))] == expected


def test_a_backslash_is_part_of_a_name_but_for_windows(tmp_path):
    path = zipped(tmp_path / "archive.zip", [("a\\1.png", PICTURE), ("b.png", PICTURE)])
    assert ZipListing(path).name_of(0) == "a\\1.png"
    with zipfile.ZipFile(path, "w") as file:  # a program of Windows that writes slashes means backslashes where it has them
        file.writestr(_info("a\\1.png", system=0), PICTURE)
        file.writestr(_info("b/1.png", system=0), PICTURE)
    assert ZipListing(path).name_of(0) == "a\\1.png"


def test_names_are_the_bytes_that_they_are(tmp_path):
    path = zipped(tmp_path / "archive.zip", [("abc.png", PICTURE)])
    path.write_bytes(path.read_bytes().replace(b"abc.png", b"\xff\xfe\xe9.png"))
    listing = ZipListing(path)
    assert (os.fsencode(listing.name_of(0)), listing.read(0)) == (b"\xff\xfe\xe9.png", PICTURE)


@pytest.mark.parametrize("name", ["\u8868\u793a\u9854.png".encode("shift-jis"), "gr\xfc\xdfe.png".encode("cp437")])
def test_names_of_old_programs_are_shown_on_a_line_and_change_nothing_but_themselves(tmp_path, name):
    """In an encoding that nobody can know, with bytes that mean a slash or nothing in others."""
    names = [b"a.png", name, b"z.png"]
    path = zipped(tmp_path / "archive.zip", [(f"{i}".rjust(len(name), "_"), PICTURE) for i in range(3)])
    content = path.read_bytes()
    for i, wanted in enumerate(names):
        content = content.replace(f"{i}".rjust(len(name), "_").encode(), wanted.rjust(len(name), b"_"))
    path.write_bytes(content)
    listing = ZipListing(path)
    shown = [show(listing.name_of(i)) for i in range(3)]
    assert len(listing) == len(set(shown)) == 3 and all(text.isprintable() and text.isascii() for text in shown)
    assert sorted(os.fsencode(listing.name_of(i)) for i in range(3)) == sorted(one.rjust(len(name), b"_") for one in names)
    assert all(listing.read(i) == PICTURE for i in range(3))
    for place in directory_of(path):  # made on Unix, or with the flag that says UTF-8
        change(path, (place + 8, b"\0\x08"))
    again = ZipListing(path)
    assert again.fingerprint == listing.fingerprint


@pytest.mark.parametrize(
    ("members", "passes"),
    [
        (["a/1.png", "b/1.png"], 1),
        (["faces/1.png", "faces/2.png"], 1),
        (["faces/1.png", "faces/2.png", "__MACOSX/faces/._1"], 1),
        (["./1.png", "./2.png"], 1),
        (["faces/1.png", "other/1.png", "faces/2.png"], 2),  # whose ends say that there is a folder around everything
        (["1.png", "2.png", "1.png"], 2),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_directory_is_gone_through_once_but_for_odd_ones(tmp_path, monkeypatch, members, passes):
    path, gone = zipped(tmp_path / "archive.zip", [(name, PICTURE) for name in members]), []
    really = zips.ZipDirectory.__iter__
    monkeypatch.setattr(zips.ZipDirectory, "__iter__", lambda directory: gone.append(1) or really(directory))
    listing = ZipListing(path)
    assert len(gone) == passes
    assert [listing.read(i) for i in range(len(listing))] == [PICTURE] * len(listing)
    assert len(listing) == len({name for name in members if name.endswith(".png")})


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_members_of_one_name_the_last_counts(tmp_path):
    members = [("b.png", PICTURE + b"1"), ("a.png", PICTURE), ("b.png", PICTURE + b"0000"), ("b.png", PICTURE + b"22")]
    listing = ZipListing(zipped(tmp_path / "archive.zip", members))
    assert [listing.read(i) for i in range(len(listing))] == [PICTURE, PICTURE + b"22"]
    assert listing.left_out == {("replaced", ".png"): 2}


def test_names_that_climb_or_hide_something_are_left_out(tmp_path):
    names = ["../up.png", "a/../../up.png", "a/./b.png", "b.png\0.txt", "/etc/c.png", "C:/d.png", "e\n.png"]
    path = zipped(tmp_path / "archive.zip", [(name.replace("\0", "|"), PICTURE) for name in names])
    path.write_bytes(path.read_bytes().replace(b"|", b"\0"))
    listing = ZipListing(path)
    assert [listing.name_of(i) for i in range(len(listing))] == ["/etc/c.png", "C:/d.png", "e\n.png"]
    assert listing.left_out == {("elsewhere", ".png"): 3, ("no picture", ".txt"): 1}
    assert sorted(tmp_path.iterdir()) == [path]


def test_another_file_of_the_archive_can_be_read(folder, tmp_path, monkeypatch):
    for kind in ("stored", "in a folder, deflated", "from Windows, in a folder"):
        listing = ZipListing(archive(folder, **KINDS[kind]))
        assert listing.read_extra("notes.TXT") == b"none of them"
        assert listing.read_extra("züge/face.png") == (folder / "züge" / "face.png").read_bytes()
        assert listing.read_extra("notes") is None
        with monkeypatch.context() as patch:
            patch.setattr(zips, "MAX_EXTRA", 5)
            assert listing.read_extra("notes.TXT") == b"none o"


def test_a_damaged_file_beside_the_pictures_is_an_error(tmp_path):
    path = zipped(tmp_path / "archive.zip", [("1.png", PICTURE), ("dataset.json", b"{}")])
    change(path, (path.read_bytes().index(b"{}"), b"[]"))
    with pytest.raises(InputError, match=r"dataset\.json in .*archive\.zip: damaged") as error:
        ZipListing(path).read_extra("dataset.json")
    assert not isinstance(error.value, UnreadablePicture)


REFUSED = {
    "empty": (lambda path: path.write_bytes(b""), r"no whole zip file: its directory is missing.*anew"),
    "another format": (lambda path: path.write_bytes(bytes(100)), "no whole zip file"),
    "cut short": (lambda path: path.write_bytes(path.read_bytes()[:-30]), "no whole zip file.*cut short"),
    "without its beginning": (lambda path: path.write_bytes(path.read_bytes()[400:]), "no whole zip file"),
    "encrypted": (lambda path: change(path, (directory_of(path)[1] + 8, b"\1")), "encrypted; unpack it with its password"),
    "another disk": (lambda path: change(path, (-18 + path.stat().st_size, b"\1")), "one of several parts.*zip -s 0"),
    "a member on another disk": (lambda path: change(path, (directory_of(path)[1] + 34, b"\1")), "one of several parts"),
    "fewer members than it says": (
        lambda path: change(path, (-14 + path.stat().st_size, struct.pack("<2H", 9, 9))),
        "its directory has 4 members, not 9",
    ),
    "a directory of something else": (
        lambda path: change(path, (directory_of(path)[1], b"PK\3\4")),
        "its directory is damaged",
    ),
    "a name that leads out of the directory": (
        lambda path: change(path, (directory_of(path)[3] + 28, struct.pack("<H", 100))),
        "its directory is damaged",
    ),
    "a directory that breaks off": (
        lambda path: change(path, (directory_of(path)[2] + 32, struct.pack("<H", 46 + 5 - 9))),
        "its directory breaks off",
    ),
    "a member outside": (
        lambda path: change(path, (directory_of(path)[1] + 42, struct.pack("<I", 2**31))),
        "a member lies outside",
    ),
    "a member longer than the file": (
        lambda path: change(path, (directory_of(path)[1] + 20, struct.pack("<I", 2**31))),
        "a member lies outside",
    ),
    "members that overlap": (
        lambda path: change(path, (directory_of(path)[1] + 42, struct.pack("<I", 10))),
        "its members overlap",
    ),
    "one member twice": (
        lambda path: change(path, (directory_of(path)[1] + 42, struct.pack("<I", 0))),
        "its members overlap",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_use_at_all_is_refused_at_once(tmp_path, kind):
    path = zipped(tmp_path / "archive.zip", [(f"{i}.png", PICTURE + bytes(100)) for i in range(4)])
    assert len(ZipListing(path)) == 4
    ruin, reason = REFUSED[kind]
    ruin(path)
    with pytest.raises(InputError, match=reason) as error:
        ZipListing(path)
    assert "archive.zip" in str(error.value)


def test_what_cannot_be_looked_into_is_a_picture_by_its_name_alone(tmp_path):
    content = PICTURE + random.Random(0).randbytes(200)
    path = zipped(tmp_path / "archive.zip", [("0.png", content), ("unnamed", content)])
    in_header(8, "<H", 12)(path)
    in_directory(10, "<H", 12)(path)
    assert len(ZipListing(path)) == 1
    path = zipped(tmp_path / "archive.zip", [("0.png", content), ("unnamed", content)], DEFLATED)
    assert len(ZipListing(path)) == 2
    in_header(37, "B", 255)(path)  # the first byte of its content: a kind of block that there is not
    listing = ZipListing(path)
    assert (len(listing), listing.left_out) == (1, {("no picture", ""): 1})


@pytest.mark.parametrize(("method", "name"), [(zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "lzma")])
def test_other_methods_are_refused_if_all_pictures_have_them(tmp_path, method, name):
    path = zipped(tmp_path / "archive.zip", [("1.png", PICTURE), ("2.png", PICTURE)], method)
    with pytest.raises(InputError, match=rf"archive\.zip are compressed with {name}.*\(zip -0\)"):
        ZipListing(path)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("3.png", PICTURE)
        file.writestr("unnamed", PICTURE, method)
    listing = ZipListing(path)
    assert (len(listing), listing.read(2)) == (3, PICTURE)
    with pytest.raises(UnreadablePicture, match=f"compressed with {name}"):
        listing.read(0)


def in_directory(offset, form, value):
    return lambda path: change(path, (directory_of(path)[1] + offset, struct.pack(form, value)))


def in_header(offset, form, value):
    def ruin(path):
        (start,) = struct.unpack_from("<I", path.read_bytes(), directory_of(path)[1] + 42)
        change(path, (start + offset, struct.pack(form, value)))

    return ruin


UNREADABLE = {
    "a changed byte": (in_header(60, "B", 0), "damaged"),
    "another checksum": (in_directory(16, "<I", 1), "damaged: its checksum"),
    "a smaller size": (in_directory(24, "<I", 100), "damaged: its size"),
    "a larger size": (in_directory(24, "<I", 2**20), "damaged: its size"),
    "a size of half a gigabyte": (in_directory(24, "<I", 2**29), "536,870,912 bytes out of"),
    "a size of four gigabytes": (in_directory(24, "<I", 2**32 - 1), "4,294,967,295 bytes are more than"),
    "a shorter content": (in_directory(20, "<I", 40), "damaged"),
    "another method here": (in_header(8, "<H", 12), "its two headers disagree"),
    "another method there": (in_directory(10, "<H", 12), "compressed with bzip2"),
    "a method that nobody knows": (in_directory(10, "<H", 4711), "compressed with method 255"),
    "another name here": (in_header(30, "B", ord("7")), "its two headers disagree"),
    "another name there": (in_directory(46, "B", ord("2")), "its two headers disagree"),
    "a longer name here": (in_header(26, "<H", 40), "its two headers disagree"),
    "encrypted here": (in_header(6, "<H", 1), "its two headers disagree"),
    "no header": (in_header(0, "<I", 0), "its two headers disagree"),
    "a header elsewhere": (
        lambda path: [in_directory(20, "<I", 1)(path), in_directory(42, "<I", 350)(path)],
        "its two headers disagree",
    ),
    "an extra field that leads elsewhere": (in_header(28, "<H", 300), "damaged|cut short"),
    "an extra field that leads out of the file": (in_header(28, "<H", 60_000), "cut short"),
}


@pytest.mark.parametrize("method", [STORED, DEFLATED])
@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_is_wrong_with_one_picture_stays_with_it(tmp_path, kind, method):
    content = [PICTURE + random.Random(i).randbytes(200) for i in range(4)]
    path = zipped(tmp_path / "archive.zip", [(f"{i}.png", content[i]) for i in (0, 1, 3)], method)
    ruin, reason = UNREADABLE[kind]
    ruin(path)
    listing = ZipListing(path)
    with pytest.raises(UnreadablePicture, match=reason):
        listing.read(1)
    assert (listing.read(0), listing.read(2)) == (content[0], content[3])


def test_what_is_no_picture_is_said(tmp_path):
    listing = ZipListing(zipped(tmp_path / "archive.zip", [("1.png", PICTURE), ("2.png", b"a letter"), ("3.png", b"")]))
    with pytest.raises(UnreadablePicture, match="not a picture"):
        listing.read(1)
    with pytest.raises(UnreadablePicture, match="empty"):
        listing.read(2)


def test_what_would_fill_the_memory_is_not_unpacked(tmp_path, monkeypatch):
    path = zipped(tmp_path / "archive.zip", [("1.png", PICTURE + bytes(2**24)), ("2.png", PICTURE)], DEFLATED)
    listing = ZipListing(path)
    with pytest.raises(UnreadablePicture, match=r"16,777,270 bytes out of .* are more than a picture gives"):
        listing.read(0)
    assert listing.read(1) == PICTURE
    change(path, (directory_of(path)[0] + 24, struct.pack("<I", 1000)))
    asked = []
    monkeypatch.setattr(zips, "_inflate", lambda data, most, really=zips._inflate: asked.append(most) or really(data, most))
    with pytest.raises(UnreadablePicture, match="damaged: its size"):
        ZipListing(path).read(0)
    assert asked == [1001]


@pytest.fixture
def small(tmp_path):
    """The listing of an archive of 12 pictures, half of them deflated, that was made a while ago."""
    path = tmp_path / "small.zip"
    with zipfile.ZipFile(path, "w") as file:
        for i in range(12):
            file.writestr(_info(f"{i:02}.png"), PICTURE + random.Random(i).randbytes(99), (STORED, DEFLATED)[i % 2])
    os.utime(path, (1e9, 1e9))
    return ZipListing(path)


def test_a_file_that_is_cut_short_in_use_is_an_error_and_no_crash(small):
    os.truncate(small.path, 900)
    assert small.read(0).startswith(PICTURE)
    for index in (5, 11):
        with pytest.raises(GanimeError, match="was cut short or changed while in use") as error:
            small.read(index)
        assert not isinstance(error.value, InputError)


@pytest.mark.parametrize("length", [1, 500])
def test_a_file_that_changes_in_use_is_an_error_and_its_pictures_are_none(small, length):
    place = small.path.read_bytes().index(PICTURE)
    change(small.path, (place, bytes(length)))
    with pytest.raises(GanimeError, match="was cut short or changed while in use") as error:
        small.read(0)
    assert not isinstance(error.value, InputError)
    assert small.read(11).startswith(PICTURE)


@pytest.mark.skipif(not hasattr(os, "pread"), reason="reads otherwise")
def test_a_drive_that_was_away_is_waited_for_and_the_file_opened_again(small, monkeypatch, caplog):
    expected, stale = [small.read(i) for i in range(12)], small._file.fileno()
    really_read = os.pread

    def read(descriptor, *arguments):
        if descriptor == stale:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return really_read(descriptor, *arguments)

    monkeypatch.setattr(os, "pread", read)
    assert [small.read(i) for i in range(12)] == expected
    assert not caplog.records  # it had no need to wait
    monkeypatch.setattr(files, "PATIENCE", 0)
    stale = small._file.fileno()
    os.utime(small.path)
    with pytest.raises(GanimeError, match="was cut short or changed while in use"):
        small.read(0)
    small.path.unlink()
    with pytest.raises(GanimeError, match=r"small\.zip cannot be read .*No such file"):
        small.read(0)


def test_many_may_read_at_once_also_where_systems_cannot_read_at_a_place(small, monkeypatch):
    expected = [small.read(i) for i in range(12)]
    for _ in range(2):
        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(small.read, [*range(12)] * 40)) == expected * 40
        monkeypatch.delattr(os, "pread", raising=False)


@pytest.mark.skipif(not hasattr(os, "pread"), reason="reads otherwise")
def test_reads_that_come_in_parts_are_put_together(small, monkeypatch):
    expected, really_read = [small.read(i) for i in range(12)], os.pread
    monkeypatch.setattr(os, "pread", lambda descriptor, count, place: really_read(descriptor, min(count, 7), place))
    assert [ZipListing(small.path).read(i) for i in range(12)] == expected


def test_a_directory_is_read_in_pieces(small, monkeypatch):
    monkeypatch.setattr("ganime.data.zip_directory.PIECE", 100)
    monkeypatch.setattr("ganime.data.zip_directory.LONGEST", 10)
    again = ZipListing(small.path)
    assert (again.fingerprint, len(again)) == (small.fingerprint, 12)


def test_an_old_program_may_count_members_modulo_65536(tmp_path):
    path = many(tmp_path / "archive.zip", 70_000)
    assert len(ZipListing(path)) == 70_000


def many(path, count):
    """Make a zip file of so many tiny pictures, with an end that counts to 65,535 only."""
    crc, places = zlib.crc32(PICTURE), 0
    members, directory = [], []
    for i in range(count):
        name = b"face%07d.png" % i
        header = struct.pack("<5HI2I2H", 10, 0, 0, 0, 33, crc, len(PICTURE), len(PICTURE), len(name), 0)
        members.append(b"PK\3\4" + header + name + PICTURE)
        directory.append(b"PK\1\2\x14\3" + header + struct.pack("<3H2I", 0, 0, 0, 0, places) + name)
        places += len(members[-1])
    directory = b"".join(directory)
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count % 65536, count % 65536, len(directory), places, 0)
    path.write_bytes(b"".join(members) + directory + end)
    return path


def test_whatever_is_damaged_there_is_no_crash_and_no_wrong_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 300)
    contents, path = {f"a/{i}.png": PICTURE + bytes([i]) for i in range(4)}, tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as file:
        for i, (name, content) in enumerate({**contents, "a/unnamed": PICTURE, "a/notes.txt": b"x"}.items()):
            file.writestr(_info(name), content, (STORED, DEFLATED)[i % 2])
    outcomes = read_damaged(path, path.read_bytes(), range(1, 50), ZipListing, 300, (*contents.values(), PICTURE))
    assert outcomes.keys() == {"refused", "read", "unreadable"}
    assert [entry.name for entry in Path(tmp_path).iterdir()] == ["archive.zip"]
