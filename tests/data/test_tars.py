import gzip
import io
import json
import os
import random
import shutil
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganime.data import tar_index, tars
from ganime.data.decode import UnreadablePicture, load_picture
from ganime.data.drawn import draw_face
from ganime.data.encoded import EncodedPictures
from ganime.data.folder import FolderListing, PictureFolder
from ganime.data.sources import open_pictures
from ganime.data.steady import SteadyFile
from ganime.data.tar_headers import DIRECTORY, HARD_LINK, REGULAR, SPECIAL, SYMBOLIC_LINK, walk
from ganime.data.tars import TarListing
from ganime.errors import GanimeError, InputError
from tests.data.damage import read_damaged

PICTURE = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR, and nothing looks further than here."
FORMATS = {"ustar": tarfile.USTAR_FORMAT, "GNU": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "ganime"


@pytest.fixture
def folder(faces):
    """A folder of 16 pictures, at two depths, and of much else."""
    (faces / "züge").mkdir()
    Image.fromarray(draw_face(20, 40)).save(faces / "züge" / "face.png")
    for name in ("no ending", ".hidden.jpg", "contact-sheet.png", "12.5_face.jpg", "12.7_face.jpg"):
        shutil.copy(faces / "face01.jpg", faces / name)
    (faces / "notes.TXT").write_text("none of them")
    (faces / "face02.txt").write_text("a caption")
    (faces / "nothing").touch()
    return faces


def archive(folder, count=1, top="", directories=True, kind="GNU"):
    """Make tars of a folder beside it, its files in turns in each."""
    paths = [folder.with_name(f"archive-{i}.tar") for i in range(count)]
    files = [tarfile.open(path, "w", format=FORMATS[kind]) for path in paths]  # noqa: SIM115
    for i, member in enumerate(sorted(folder.rglob("*"), reverse=True)):
        if directories or not member.is_dir():
            files[i % count].add(member, top + str(member.relative_to(folder)), recursive=False)
    for file in files:
        file.close()
    return paths


def tarred(path, members, kind="GNU"):
    """Make a tar of these (name, content) or (name, type, link's target)."""
    with tarfile.open(path, "w", format=FORMATS[kind]) as file:
        for name, content, *target in members:
            info = tarfile.TarInfo(name)
            if target:
                info.type, info.linkname = content, target[0]
                file.addfile(info)
            else:
                info.size = len(content)
                file.addfile(info, io.BytesIO(content))
    return path


def listed(*paths):
    return TarListing(paths, paths[0])


def names_of(listing):
    return [listing.name_of(i) for i in range(len(listing))]


def assert_same(listing, folder):
    of_folder = FolderListing(folder)
    assert listing.fingerprint == of_folder.fingerprint
    assert names_of(listing) == names_of(of_folder)
    count = len(listing)
    assert [listing.size_of(i) for i in range(count)] == [of_folder.size_of(i) for i in range(count)]
    assert [listing.label_of(i) for i in range(count)] == [of_folder.label_of(i) for i in range(count)]
    assert listing.left_out == of_folder.left_out
    expected = PictureFolder(folder).load_batch(range(count), 32)
    assert np.array_equal(EncodedPictures(listing, strict=True).load_batch(range(count), 32), expected)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"top": "faces/"},
        {"top": "./"},
        {"top": "./faces/", "directories": False},
        {"count": 3},
        {"count": 3, "top": "faces/"},
    ],
)
def test_tars_are_what_their_folder_is(folder, kind, how):
    paths = archive(folder, kind=kind, **how)
    listing = TarListing(paths, paths[0])
    assert len(listing) == 16 and {"12.5_face.jpg", "12.7_face.jpg"} <= {*names_of(listing)}
    assert_same(listing, folder)


@pytest.mark.parametrize(("kind", "depth"), [("ustar", 2), ("GNU", 20), ("pax", 20)])
def test_long_names_are_whole(folder, kind, depth):
    deep = folder.joinpath(*["a folder with a rather long name"] * depth)
    deep.mkdir(parents=True)
    shutil.copy(folder / "face01.jpg", deep / f"{'x' * 90}.jpg")
    shutil.copy(folder / "face01.jpg", deep / f"{'ü' * 40}.jpg")
    assert_same(listed(*archive(folder, kind=kind)), folder)


def test_a_source_says_what_it_is(folder, tmp_path):
    paths = archive(folder, 3)
    (tmp_path / "v1.5").mkdir()
    for place, name in ((paths[0], "archive-0"), (tmp_path / "arch*[0-9].tar", "arch0-9"), (tmp_path / "v1.5", "v1.5")):
        assert TarListing(paths, place).name == name
    assert TarListing(paths, tmp_path / "*.tar").name == tmp_path.name
    assert str(TarListing(paths, tmp_path)) == f"16 pictures in 3 tar files at {tmp_path}"
    assert str(listed(paths[0])).endswith(f"pictures in {paths[0]}")


@pytest.mark.parametrize("kind", FORMATS)
def test_members_are_those_that_the_standard_library_finds(tmp_path, kind):
    draw = random.Random(kind)
    types = {tarfile.REGTYPE: REGULAR, tarfile.AREGTYPE: REGULAR, tarfile.CONTTYPE: REGULAR, tarfile.LNKTYPE: HARD_LINK}
    types |= {tarfile.SYMTYPE: SYMBOLIC_LINK, tarfile.DIRTYPE: DIRECTORY, tarfile.FIFOTYPE: SPECIAL, tarfile.CHRTYPE: SPECIAL}
    with tarfile.open(tmp_path / "a.tar", "w", format=FORMATS[kind]) as file:
        for _ in range(300):
            parts = ["".join(draw.choices("abcé. 字\n", k=draw.randint(1, 30))) for _ in range(draw.randint(1, 3))]
            longer = draw.choice([0, 0, 0, 50, 300]) if kind != "ustar" else 0
            info = tarfile.TarInfo("/".join(parts) + "x" * longer)
            info.type, info.linkname = (
                draw.choice([*types, *[tarfile.REGTYPE] * 8]),
                "x" * draw.choice([1, 99, *[150][:longer]]),
            )
            info.mtime = draw.choice([0, 1e9]) if kind == "ustar" else draw.choice([0, 1e9 + 0.5, -5, 2**40])
            info.uid = 0 if kind == "ustar" else draw.choice([0, 10**9])
            info.size = draw.choice([0, 1, 511, 512, 513, 5000]) if types[info.type] == REGULAR else 0
            file.addfile(info, io.BytesIO(draw.randbytes(info.size)))
    found = [*walk(SteadyFile(tmp_path / "a.tar"))]
    with tarfile.open(tmp_path / "a.tar") as file:
        expected = file.getmembers()
        for member, info in zip(found, expected, strict=True):
            name = member.name.rstrip(b"/") if info.isdir() else member.name
            assert (member.kind, name, member.size) == (types[info.type], os.fsencode(info.name), info.size)
            assert member.place == info.offset_data
            if member.kind == HARD_LINK:
                assert member.more == os.fsencode(info.linkname)
            elif member.kind == REGULAR:
                assert member.more == file.extractfile(info).read(16)


def test_sizes_may_be_numbers_of_any_kind(tmp_path):
    path = tarred(tmp_path / "a.tar", [("a.png", PICTURE), ("b.png", PICTURE)])
    change_header(path, 0, (124, b"\x80" + len(PICTURE).to_bytes(11, "big")))
    change_header(path, 1024, (124, b"        %3o " % len(PICTURE)), signed=True)
    assert [listed(path).read(i) for i in range(2)] == [PICTURE] * 2
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as file:
        info = tarfile.TarInfo("a.png")
        info.size, info.pax_headers = (
            len(PICTURE),
            {"size": str(len(PICTURE)), "path": "c.png", "comment": "ü=\n17 path=d.png\n"},
        )
        file.addfile(info, io.BytesIO(PICTURE))
    change_header(path, 1024, (124, b"00000000000\0"))
    assert (listed(path).read(0), names_of(listed(path))) == (PICTURE, ["c.png"])


def change_header(path, start, *changes, signed=False):
    """Overwrite bytes of a header: (place within it, bytes); and give it the checksum that it should have."""
    data = bytearray(path.read_bytes())
    for place, new in (*changes, (148, b" " * 8)):
        data[start + place : start + place + len(new)] = new
    if signed:
        data[start + 265] = 200
    header = data[start : start + 512]
    total = sum(header) - 256 * sum(byte > 127 for byte in header) if signed else sum(header)
    data[start + 148 : start + 156] = b"%06o\0 " % total
    path.write_bytes(data)


def test_only_a_folder_around_everything_is_left_off(tmp_path):
    for i, (shards, expected) in enumerate(
        [
            ([["a/1.png", "b/1.png"]], ["a/1.png", "b/1.png"]),
            ([["ab/1.png", "ac/1.png"]], ["ab/1.png", "ac/1.png"]),
            ([["a/1.png", "no ending"]], ["a/1.png", "no ending"]),
            ([["a/b/1.png", "a/b/2.png"]], ["b/1.png", "b/2.png"]),
            ([["a/1.png"], ["a/2.png"]], ["1.png", "2.png"]),
            ([["a/1.png"], ["b/2.png"]], ["a/1.png", "b/2.png"]),
            ([["/a/1.png"], [".//a//2.png", "._DS", ".Trash/1.png"]], ["1.png", "2.png"]),
            ([["a/1.png"], []], ["a/1.png"]),
        ]
    ):
        paths = [tarred(tmp_path / f"{i}-{j}.tar", [(name, PICTURE) for name in names]) for j, names in enumerate(shards)]
        assert names_of(TarListing(paths, tmp_path)) == expected
    path = tarred(tmp_path / "a.tar", [("./", tarfile.DIRTYPE, ""), ("./a", tarfile.DIRTYPE, ""), ("./a/1.png", PICTURE)])
    assert names_of(listed(path)) == ["a/1.png"]


def test_of_two_members_of_one_name_in_a_tar_the_last_counts(tmp_path):
    members = [("b.png", PICTURE + b"1"), ("a.png", PICTURE), ("./b.png", PICTURE + b"0000"), ("b.png", PICTURE + b"22")]
    first, second = tarred(tmp_path / "1.tar", members), tarred(tmp_path / "2.tar", [("b.png", PICTURE + b"33")])
    listing = listed(first, second)
    assert [listing.read(i) for i in range(3)] == [PICTURE, PICTURE + b"22", PICTURE + b"33"]
    assert listing.left_out == {("replaced", ".png"): 2}


def test_a_hard_link_is_the_picture_that_it_stands_for(tmp_path):
    members = [
        ("t/a.png", PICTURE),
        ("t/b.png", tarfile.LNKTYPE, "t/a.png"),
        ("t/unnamed", tarfile.LNKTYPE, "./t/a.png"),
        ("t/c.png", tarfile.LNKTYPE, "t/d.png"),  # which comes only later
        ("t/d.png", PICTURE + b"4"),
        ("t/e.png", tarfile.LNKTYPE, "/etc/passwd"),
        ("t/f.txt", tarfile.LNKTYPE, "t/g.txt"),
        ("t/a.png", tarfile.LNKTYPE, "t/a.png"),
    ]
    listing = listed(tarred(tmp_path / "1.tar", members))
    assert {name: listing.read(i) for i, name in enumerate(names_of(listing))} == {
        "a.png": PICTURE,
        "b.png": PICTURE,
        "d.png": PICTURE + b"4",
        "unnamed": PICTURE,
    }
    assert listing.left_out == {("link", ".png"): 2, ("link", ".txt"): 1, ("replaced", ".png"): 1}


def test_what_is_no_regular_file_is_left_out(tmp_path):
    path = tarred(
        tmp_path / "a.tar",
        [
            ("a.png", PICTURE),
            ("s.png", tarfile.SYMTYPE, "a.png"),
            ("p.png", tarfile.FIFOTYPE, ""),
            ("d.png", tarfile.BLKTYPE, ""),
        ],
    )
    assert listed(path).left_out == {("link", ".png"): 1, ("no regular file", ".png"): 2}
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as file:
        for name, kind, notes in (
            ("old.png", tarfile.GNUTYPE_SPARSE, {}),
            ("new.png", tarfile.REGTYPE, {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9"}),
            ("volume.png", b"M", {}),
            ("a.png", tarfile.REGTYPE, {}),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.pax_headers, info.size = kind, notes, len(PICTURE)
            file.addfile(info, io.BytesIO(PICTURE))
    assert (names_of(listed(path)), listed(path).left_out) == (["a.png"], {("no regular file", ".png"): 3})


def test_names_are_bytes_and_lead_nowhere(tmp_path):
    names = [os.fsdecode(b"\xff\xfe\xe9.png"), "../up.png", "a/../../up.png", "a/./b.png", "/etc/c.png", "C:/d.png", "e\n.png"]
    for kind in ("GNU", "pax"):
        listing = listed(tarred(tmp_path / "a.tar", [(name, PICTURE) for name in names], kind))
        assert names_of(listing) == ["C:/d.png", "e\n.png", "etc/c.png", names[0]]
        assert listing.left_out == {("elsewhere", ".png"): 3}
    assert sorted(tmp_path.iterdir()) == [tmp_path / "a.tar"]


def test_a_file_beside_the_pictures_can_be_read(folder, monkeypatch):
    (folder / "dataset.json").write_text(json.dumps({"labels": [["face02.webp", 7]]}))
    paths = archive(folder, 2, "faces/")
    listing = TarListing(paths, paths[0])
    assert listing.read_extra("notes.TXT") == b"none of them"
    assert listing.read_extra("züge/face.png") == (folder / "züge" / "face.png").read_bytes()
    assert listing.read_extra("notes") is None and listing.read_extra("züge") is None
    assert_same(listing, folder)
    assert listing.label_of(names_of(listing).index("face02.webp")) == "7"
    monkeypatch.setattr(tars, "MAX_EXTRA", 3)
    assert listing.read_extra("notes.TXT") == b"none"


def test_archives_within_are_named(tmp_path):
    path = tarred(tmp_path / "a.tar", [("a.png", PICTURE), *((f"{i:02}.zip", b"PK") for i in range(20))])
    assert "20 archives (00.zip, 01.zip, 02.zip, ...) not looked into" in listed(path).describe_left_out()


def test_what_is_no_picture_is_said(tmp_path, monkeypatch):
    listing = listed(tarred(tmp_path / "a.tar", [("1.png", PICTURE), ("2.png", b"a letter"), ("3.png", b"")]))
    for index, reason in ((1, "not a picture"), (2, "empty")):
        with pytest.raises(UnreadablePicture, match=reason):
            listing.read(index)
    monkeypatch.setattr(tars, "MAX_BYTES", 10)
    with pytest.raises(UnreadablePicture, match="54 bytes are more than 10"):
        listing.read(0)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (gzip.compress(b"x", mtime=0), r"gzip: .* gunzip -k .* tar -xf"),
        (b"BZh91AY", "bzip2: .* bunzip2 -k"),
        (b"\xfd7zXZ\0\0\4", "xz: .* unxz -k"),
        (b"\x28\xb5\x2f\xfd\0", "zstd: .* unzstd"),
    ],
    ids=["gzip", "bzip2", "xz", "zstd"],
)
def test_a_compressed_tar_is_refused_with_advice(tmp_path, head, expected):
    (tmp_path / "a.tar").write_bytes(head)
    with pytest.raises(InputError, match=rf"a\.tar is compressed with {expected}"):
        listed(tmp_path / "a.tar")


def test_a_tar_that_is_cut_short_anywhere_is_refused(tmp_path):
    path = tarred(tmp_path / "a.tar", [(f"{i}{'x' * 120}.png", PICTURE) for i in range(3)])
    whole, length = path.read_bytes(), 3 * 2048
    for size in range(0, length + 1, 64):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match=r"a\.tar is cut short: .* fetch it, or make it, anew"):
            listed(path)
    for size in (length + 512, len(whole)):
        path.write_bytes(whole[:size])
        assert len(listed(path)) == 3


REFUSED = {
    "another format": (lambda path: path.write_bytes(b"<html>" + bytes(2000)), "is no tar file, or damaged"),
    "a changed header": (lambda path: flip(path, 1024 + 3), r"is damaged at byte 1,024 \(another checksum\)"),
    "an erased header": (lambda path: erase(path, 1024), "has something behind its end at byte 1,024"),
    "another tar behind": (lambda path: path.write_bytes(2 * path.read_bytes()), "behind its end .* tar --concatenate"),
    "a negative size": (lambda path: change_header(path, 1024, (124, b"\xff" * 12)), "a negative size"),
    "a negative size in figures": (lambda path: change_header(path, 1024, (124, b"-0000000007\0")), "a negative size"),
    "an impossible size": (lambda path: change_header(path, 1024, (124, b"\x80" + b"\x7f" * 11)), "is cut short: it has"),
    "a size in letters": (lambda path: change_header(path, 1024, (124, b"size        ")), "is damaged at byte 1,024"),
    "a long name of gigabytes": (
        lambda path: change_header(path, 1024, (156, b"L"), (124, b"\x80" + (2**31).to_bytes(11, "big"))),
        "is cut short",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_use_at_all_is_refused_at_once(tmp_path, kind):
    path = tarred(tmp_path / "a.tar", [(f"{i}.png", PICTURE) for i in range(4)])
    assert len(listed(path)) == 4
    ruin, reason = REFUSED[kind]
    ruin(path)
    with pytest.raises(InputError, match=reason) as error:
        listed(path)
    assert "a.tar" in str(error.value) and str(error.value).isprintable()


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def erase(path, place):
    data = path.read_bytes()
    path.write_bytes(data[:place] + bytes(512) + data[place + 512 :])


def test_headers_that_are_absurd_are_refused(tmp_path):
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 2**20 + 1
    path = tmp_path / "a.tar"
    path.write_bytes(header.tobuf(tarfile.USTAR_FORMAT) + bytes(2**20 + 512 + 1024))
    with pytest.raises(InputError, match="a header of 1,048,577 bytes"):
        listed(path)
    for record in (
        b"0 a=b\n",
        b"5 a=b\n",
        b"7 a=b\n",
        b"99 a=b\n",
        b"a=b\n",
        b"-6 a=b\n",
        b"14 size=-1234\n",
        b"15 path=a\0.png\n",
    ):
        header.size = len(record)
        member = tarfile.TarInfo("a.png").tobuf(tarfile.USTAR_FORMAT)
        path.write_bytes(header.tobuf(tarfile.USTAR_FORMAT) + record.ljust(512, b"\0") + member + bytes(1024))
        with pytest.raises(InputError, match=r"is no tar file, or damaged|is damaged at byte 1,024"):
            listed(path)
    # A thousand headers before one member take no more than one after the other.
    header.size = 8
    path.write_bytes(1000 * (header.tobuf(tarfile.USTAR_FORMAT) + b"8 a=bcd\n".ljust(512, b"\0")) + member + bytes(1024))
    assert names_of(listed(path)) == ["a.png"]


@pytest.fixture
def small(tmp_path):
    """The listing of three tars of four pictures each, that were made a while ago."""
    paths = []
    for i in range(3):
        members = [(f"{i}{j}.png", PICTURE + random.Random(4 * i + j).randbytes(99)) for j in range(4)]
        paths.append(tarred(tmp_path / f"{i}.tar", members))
        os.utime(paths[-1], (1e9, 1e9))
    return TarListing(paths, tmp_path / "*.tar")


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize("change", [lambda path: os.truncate(path, 1000), os.utime])
def test_a_tar_that_changes_in_use_is_an_error_and_its_pictures_are_none(small, tmp_path, opened, change):
    if opened:
        small.read(4)
    change(tmp_path / "1.tar")
    with pytest.raises(GanimeError, match=r"1\.tar was (cut short|changed) while in use") as error:
        small.read(7)
    assert not isinstance(error.value, InputError)
    assert small.read(0).startswith(PICTURE)


def test_a_tar_that_is_gone_is_waited_for(small, tmp_path, monkeypatch):
    monkeypatch.setattr("ganime.files.PATIENCE", 0)
    os.rename(tmp_path / "1.tar", tmp_path / "away")
    with pytest.raises(GanimeError, match=r"1\.tar cannot be read"):
        small.read(7)
    os.rename(tmp_path / "away", tmp_path / "1.tar")
    assert small.read(7).startswith(PICTURE)


def test_no_more_files_are_open_than_a_process_may_have(small, tmp_path, monkeypatch):
    expected, opened = [small.read(i) for i in range(12)], []
    monkeypatch.setattr(tars, "MAX_OPEN", 2)
    monkeypatch.setattr(tars, "SteadyFile", lambda path: opened.append(path) or SteadyFile(path))
    again = TarListing([tmp_path / f"{i}.tar" for i in range(3)], tmp_path)
    assert [again.read(i) for i in range(12)] == expected and len(opened) == 3
    assert [again.read(i) for i in (0, 4, 1, 5, 8, 9)] == [expected[i] for i in (0, 4, 1, 5, 8, 9)] and len(opened) > 4
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(again.read, [*range(12)] * 20)) == expected * 20
    assert again._open.cache_info().currsize == 2


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A tar large enough for its index to be kept."""
    monkeypatch.setattr(tar_index, "MANY", 10)
    monkeypatch.setattr(tar_index, "CHUNK", 5)
    members = [(f"t/{i % 11:02}.png", PICTURE + bytes([i])) for i in range(13)]
    return tarred(tmp_path / "large.tar", [*members, ("t/l.png", tarfile.LNKTYPE, "t/09.png"), ("t/dataset.json", b"{}")])


def facts(listing):
    return listing.fingerprint, listing.left_out, [listing.read(i) for i in range(12)], listing.read_extra("dataset.json")


def test_an_index_is_kept_and_used(large, cache, monkeypatch):
    walks = []
    monkeypatch.setattr(tar_index, "walk", lambda file: walks.append(file) or walk(file))
    expected = facts(listed(large))
    assert expected[1] == {("replaced", ".png"): 2, ("labels", ".json"): 1} and expected[2][9] == PICTURE + bytes([9])
    (kept,) = cache.iterdir()
    assert (facts(listed(large)), len(walks)) == (expected, 1)
    os.utime(large, (1e9, 1e9))
    assert (facts(listed(large)), len(walks)) == (expected, 2)
    assert [*cache.iterdir()] != [kept] and len([*cache.iterdir()]) == 1


def test_a_damaged_index_is_made_anew(large, cache, caplog):
    expected = facts(listed(large))
    (kept,) = cache.iterdir()
    whole = kept.read_bytes()
    for damage in (b"", whole[:50], whole[:-66] + b"\0" + whole[-65:], bytes(100), whole + b"\n"):
        kept.write_bytes(damage)
        caplog.clear()
        assert facts(listed(large)) == expected
        assert f"{kept} cannot be used (damaged, or of an earlier build): made anew" in caplog.text
        assert kept.read_bytes() == whole


def test_an_index_that_cannot_be_kept_is_not_needed(large, cache, caplog):
    cache.parent.write_text("no folder")
    assert len(listed(large)) == 12
    assert "its index cannot be kept" in caplog.text or "cannot be used" in caplog.text


def test_many_members_cost_little(tmp_path):
    path = tmp_path / "a.tar"
    parts = [tarfile.TarInfo(f"t/face{i:07}.png").tobuf(tarfile.USTAR_FORMAT) for i in range(5000)]
    path.write_bytes(b"".join(parts) + bytes(1024))
    index, _ = tar_index.read_index(path)
    assert len(index.to_bytes()) < 12 * 5000 and len(listed(path)) == 5000


def test_whatever_is_damaged_there_is_no_crash(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(tar_index, "MANY", 10**9)
    members = [*((f"a/{i}{'x' * 110 * (i == 2)}.png", PICTURE + bytes([i])) for i in range(4)), ("a/unnamed", PICTURE)]
    path = tarred(tmp_path / "a.tar", [*members, ("a/l.png", tarfile.LNKTYPE, "a/1.png"), ("a/n.txt", b"x")], "pax")
    outcomes = read_damaged(path, path.read_bytes()[:11_000], (1, 9, 512), listed)
    assert outcomes.keys() == {"refused", "read", "unreadable"}
    assert {*tmp_path.iterdir()} <= {path, Path(cache).parent}


def test_a_broken_picture_is_not_taken_for_one_of_its_name_in_another_tar(faces, tmp_path):
    whole = (faces / "face00.png").read_bytes()
    for shard, content in enumerate((whole[:100], whole)):
        (tmp_path / "same.png").write_bytes(content)
        with tarfile.open(tmp_path / f"shard-{shard}.tar", "w") as archive:
            archive.add(tmp_path / "same.png", "same.png")
            archive.add(faces / "face01.jpg", f"{shard}.jpg")
    pictures = open_pictures(tmp_path / "shard-*.tar")
    loaded = pictures.load_batch(range(4), 40)
    assert [*pictures.unreadable] == ["same.png"]
    assert np.array_equal(loaded[3], load_picture(faces / "face00.png", 40))  # of the second tar
