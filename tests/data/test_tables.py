import json
import os
import random
import shutil

import numpy as np
import pytest
from PIL import Image

from ganime.data import columns, tables
from ganime.data.decode import UnreadablePicture
from ganime.data.drawn import draw_face
from ganime.data.encoded import EncodedPictures
from ganime.data.folder import FolderListing, PictureFolder
from ganime.data.tables import open_parquet
from ganime.errors import GanimeError, InputError
from tests.data.damage import read_damaged

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

PICTURE = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR, and nothing looks further than here."
HUB = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["short", "long"]}}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "ganime"


@pytest.fixture
def folder(faces):
    """A folder of 14 pictures, at two depths."""
    (faces / "züge").mkdir()
    Image.fromarray(draw_face(20, 40)).save(faces / "züge" / "face.png")
    shutil.copy(faces / "face01.jpg", faces / "12.5_face.jpg")
    return faces


def rows_of(folder):
    """All files of a folder as the hub's libraries have them, the last first."""
    names = sorted((file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()), reverse=True)
    return [{"bytes": (folder / name).read_bytes(), "path": name} for name in names]


def write(path, table, features=None, **how):
    if features:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path, **how)
    return path


def tabled(tmp_path, rows, name="faces.parquet", features=None, **more):
    return write(tmp_path / name, pa.table({"image": rows, **more}), features)


def opened(*paths):
    return open_parquet(paths, paths[0])


def names_of(listing):
    return [listing.name_of(i) for i in range(len(listing))]


def classes(listing):
    return {name: listing.label_of(i) for i, name in enumerate(names_of(listing))}


def assert_same(listing, folder):
    of_folder = FolderListing(folder)
    assert listing.fingerprint == of_folder.fingerprint and names_of(listing) == names_of(of_folder)
    assert listing.left_out == of_folder.left_out and classes(listing) == classes(of_folder)
    expected = PictureFolder(folder).load_batch(range(14), 32)
    assert np.array_equal(EncodedPictures(listing, strict=True).load_batch(range(14), 32), expected)


HOW = {
    "usual": {},
    "without compression": {"compression": "none"},
    "without a dictionary": {"use_dictionary": False, "compression": "zstd"},
    "in many groups": {"row_group_size": 3},
    "of the second version": {"data_page_version": "2.0", "data_page_size": 100},
}


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("features", [None, HUB])
def test_a_column_of_structs_is_what_its_folder_is(folder, tmp_path, how, features, cache):
    path = write(tmp_path / "faces.parquet", pa.table({"image": rows_of(folder), "id": range(14)}), features, **HOW[how])
    listing = opened(path)
    assert (listing.name, str(listing)) == ("faces", f"14 pictures in {path}")
    assert_same(listing, folder)


def test_several_files_are_one_source(folder, tmp_path):
    rows = rows_of(folder)
    paths = [tabled(tmp_path, rows[i::3], f"part-{i}.parquet") for i in range(3)]
    assert_same(open_parquet(paths, tmp_path / "part-*.parquet"), folder)
    (tmp_path / "link").mkdir()
    assert open_parquet(paths, tmp_path / "link").name == "link"


def test_plain_bytes_are_called_by_their_row(folder, tmp_path):
    rows = [row["bytes"] for row in rows_of(folder)]
    for column in (pa.array(rows), pa.array(rows, pa.large_binary()), pa.array(rows, pa.binary_view())):
        listing = opened(
            write(tmp_path / "faces.parquet", pa.table({"text": ["x"] * 14, "raw": [b"x"] * 14, "picture": column}))
        )
        assert names_of(listing) == [f"{row:02}" for row in range(14)]
        assert [listing.read(row) for row in range(14)] == rows


def test_every_row_has_a_name_of_its_own(tmp_path):
    paths = [
        "a.png",
        "b/a.png",
        "a.png",
        None,
        "",
        "a-2.png",
        "../c.png",
        "/home/x/d.png",
        "C:\\x\\e.png",
        "b\0.png",
        "./f.png",
    ]
    paths += [
        "zip://g.png::https://example.org/x.zip",
        "https://example.org/h.png",
        "é.png",
        ".i.png",
        "x" * 5000,
        "04",
        "j\\k.png",
    ]
    rows = [{"bytes": PICTURE + bytes([i]), "path": path} for i, path in enumerate(paths)]
    listing = opened(tabled(tmp_path, rows))
    assert {listing.read(i)[-1]: name for i, name in enumerate(names_of(listing))} == {
        0: "a-00.png", 1: "b/a.png", 2: "a-02.png", 3: "03", 4: "04-04", 5: "a-2.png", 6: "c.png", 7: "d.png", 8: "e.png",
        9: "09", 10: "f.png", 11: "g.png", 12: "h.png", 13: "é.png", 15: "15", 16: "04", 17: "j\\k.png",
    }  # fmt: skip
    assert listing.left_out == {("hidden", ".png"): 1}
    assert sorted(file.name for file in tmp_path.iterdir()) == ["cache", "faces.parquet"]
    assert classes(opened(tabled(tmp_path, [{"bytes": PICTURE, "path": "a/1.png"}]))) == {"a/1.png": "a"}
    rows = [{"bytes": PICTURE, "path": "a-0.png"}, *[{"bytes": PICTURE, "path": "a.png"}] * 2]
    assert names_of(opened(tabled(tmp_path, rows[1:] + rows[:1]))) == ["a-0-0.png", "a-0.png", "a-1.png"]


def test_rows_without_a_picture_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MAX_BYTES", 99)
    rows = [
        {"bytes": PICTURE, "path": "a.png"},
        None,
        {"bytes": None, "path": "b.png"},
        {"bytes": PICTURE * 2, "path": "c.png"},
        {"bytes": b"a letter", "path": "d"},
        {"bytes": b"a letter", "path": "e.png"},
    ]
    path = tabled(tmp_path, rows)
    for _ in range(2):
        listing = opened(path)
        assert listing.left_out == {
            ("no bytes", ""): 1,
            ("no bytes", ".png"): 1,
            ("too large", ".png"): 1,
            ("no picture", ""): 1,
        }
        assert names_of(listing) == ["a.png", "e.png"]
        with pytest.raises(UnreadablePicture, match="not a picture"):
            listing.read(1)


def test_a_column_of_classes_is_kept(tmp_path):
    rows = [{"bytes": PICTURE, "path": f"{name}.png"} for name in "abcd"]
    expected = dict(zip(("a.png", "b.png", "c.png", "d.png"), (None, "long", "short", None), strict=True))
    for labels, features in (([None, 1, 0, -1], HUB), ([None, "long", "short", None], None)):
        path = tabled(tmp_path, rows, "faces.parquet", features, label=labels)
        assert classes(opened(path)) == expected and classes(opened(path)) == expected
        assert not opened(path).left_out
    assert classes(opened(tabled(tmp_path, rows, label=[5, -1, 2, None])))["a.png"] == "5"
    assert classes(opened(tabled(tmp_path, rows, label=[0.5, 1.5, 2.5, 3.5])))["a.png"] is None


@pytest.mark.parametrize(
    ("columns", "features", "expected"),
    [
        ({"image": [{"bytes": PICTURE}], "mask": [{"bytes": PICTURE}]}, {"image": {"_type": "Image"}}, ["0"]),
        ({"image": [PICTURE], "thumbnail": [PICTURE]}, {"image": {"_type": "Image"}}, ["0"]),
        ({"image": [{"bytes": PICTURE}], "thumbnail": [PICTURE]}, None, ["0"]),
        ({"a": [PICTURE], "b": [b"no picture"], "c": [None]}, None, ["0"]),
        ({"image": [{"bytes": PICTURE}], "mask": [{"bytes": PICTURE}]}, None, "several columns of pictures: 'image' .*'mask'"),
        ({"a": [PICTURE], "b": [PICTURE]}, None, "several columns of pictures: 'a' .*'b'"),
        ({"path": ["a.png"], "url": ["b"], "n": [1]}, None, r"no column of pictures, but 'path' \(string\), 'url'.*'n'"),
        ({"image": ["a.png"]}, HUB, r"no column of pictures, but 'image' \(string\)"),
        ({"image": [b"a letter"]}, None, "no column of pictures"),
        ({"image": [{"path": "a.png"}]}, HUB, "no column of pictures, but 'image'"),
        ({}, None, "no column of pictures, but none"),
    ],
)
def test_the_column_of_pictures_is_found_or_all_are_named(tmp_path, columns, features, expected):
    path = write(tmp_path / "faces.parquet", pa.table(columns), features)
    if isinstance(expected, list):
        listing = opened(path)
        assert (names_of(listing), listing.read(0)) == (expected, PICTURE)
    else:
        with pytest.raises(InputError, match=rf"faces\.parquet has {expected}"):
            opened(path)


@pytest.mark.parametrize("rows", [[{"bytes": None, "path": "a.png"}] * 3, [None, None, {"bytes": None, "path": None}]])
def test_paths_alone_are_no_pictures(tmp_path, rows, cache):
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    with pytest.raises(InputError, match=r"faces\.parquet holds no pictures, but paths at the most.* embed"):
        opened(write(tmp_path / "faces.parquet", pa.table({"image": pa.array(rows, kind)}), HUB))
    assert not [*cache.glob("*parquet*")]


def test_files_of_different_kinds_are_no_source(tmp_path):
    first = tabled(tmp_path, [{"bytes": PICTURE}], "1.parquet", label=[1])
    second = write(tmp_path / "2.parquet", pa.table({"picture": [{"bytes": PICTURE}]}))
    third = tabled(tmp_path, [{"bytes": PICTURE}], "3.parquet")
    for other, reason in ((second, r"2\.parquet has no column 'image'"), (third, r"3\.parquet and .*1\.parquet do not both")):
        with pytest.raises(InputError, match=reason):
            opened(first, other)


def test_a_copy_is_made_once_and_told_of(tmp_path, folder, cache, caplog):
    path = tabled(tmp_path, rows_of(folder))
    opened(path)
    assert caplog.text.count("its pictures are copied once to") == 1 and f"{cache}/parquet-" in caplog.text
    made = {file: file.stat().st_mtime_ns for file in cache.iterdir()}
    caplog.clear()
    assert_same(opened(path), folder)
    assert not caplog.records and {file: file.stat().st_mtime_ns for file in cache.iterdir()} == made
    first = next(cache.glob("*.tar")).read_bytes()
    shutil.rmtree(cache)
    listing = opened(path)
    assert next(cache.glob("*.tar")).read_bytes() == first
    shutil.rmtree(cache)
    opened(path)  # by another program at the same time
    assert [listing.read(i) for i in range(14)] == [FolderListing(folder).read(i) for i in range(14)]
    os.utime(path, (1e9, 1e9))
    opened(path)
    assert len([*cache.glob("*.tar")]) == 1 and {*cache.glob("*.tar")}.isdisjoint(made)


@pytest.mark.parametrize("which", ["*.tar", "*.json"])
@pytest.mark.parametrize("damage", [lambda data: data[:-100], lambda data: data[:60] + b"\7" + data[61:], lambda data: b""])
def test_a_damaged_copy_is_made_anew(tmp_path, folder, cache, caplog, which, damage):
    path = tabled(tmp_path, rows_of(folder))
    opened(path)
    (kept,) = cache.glob(which)
    kept.write_bytes(damage(kept.read_bytes()))
    assert_same(opened(path), folder)
    assert "cannot be used" in caplog.text and "made anew" in caplog.text


def test_a_copy_with_a_damaged_header_is_made_anew(tmp_path, folder, cache, caplog):
    path = tabled(tmp_path, rows_of(folder))
    opened(path)
    (kept,) = cache.glob("*.tar")
    status, data = kept.stat(), kept.read_bytes()
    kept.write_bytes(data[:520] + b"\7" + data[521:])
    os.utime(kept, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert_same(opened(path), folder)
    assert "is damaged at byte 512" in caplog.text and "made anew" in caplog.text


def test_a_copy_that_the_disk_has_damaged_is_an_error_and_then_made_anew(tmp_path, folder, cache):
    path = tabled(tmp_path, rows_of(folder))
    listing, (kept,) = opened(path), cache.glob("*.tar")
    status, data = kept.stat(), kept.read_bytes()
    place = data.index(listing.read(3)) + 40
    kept.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    os.utime(kept, ns=(status.st_atime_ns, status.st_mtime_ns))
    for again in (listing, opened(path)):
        with pytest.raises(GanimeError, match=r"the copy of .* is damaged; start again") as error:
            again.read(3)
        assert not isinstance(error.value, InputError)
    assert_same(opened(path), folder)


def test_a_file_that_changes_while_it_is_copied_is_told(tmp_path, monkeypatch, cache):
    path, fill = tabled(tmp_path, [{"bytes": PICTURE}]), tables._fill
    monkeypatch.setattr(tables, "_fill", lambda *given: (fill(*given), os.utime(path))[0])
    with pytest.raises(GanimeError, match="was changed while it was copied"):
        opened(path)
    assert not [*cache.glob("*.json")]


def test_a_disk_without_room_is_told_before(tmp_path, monkeypatch):
    path = tabled(tmp_path, [{"bytes": PICTURE}])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 0, 10))
    with pytest.raises(GanimeError, match="has 0 MB of free space"):
        opened(path)


def test_the_library_is_asked_for(tmp_path, monkeypatch):
    path = tabled(tmp_path, [{"bytes": PICTURE}])
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(GanimeError, match="pip install pyarrow"):
        opened(path)


def test_one_picture_for_all_rows_is_a_bomb(tmp_path, monkeypatch, cache):
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    rows = pa.array([{"bytes": PICTURE + bytes(10_000), "path": None}] * 2000, kind)
    path = write(tmp_path / "faces.parquet", pa.table({"image": rows, "id": range(2000)}))
    asked, iterate = set(), pq.ParquetFile.iter_batches
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", lambda *given, **more: asked.add(given[1]) or iterate(*given, **more))
    monkeypatch.setattr(columns, "MOST_AT_ONCE", 50_000)
    monkeypatch.setattr(tables, "FREE", 2**20)
    with pytest.raises(InputError, match=r"unpacks to more than 1,[0-9,]* bytes, too many"):
        opened(path)
    assert asked == {1, 4, columns.MANY_ROWS}  # rows at a time; 4 of 10 kB each
    assert not [*cache.glob("*.tar")]


def test_absurd_counts_and_sizes_are_refused_before_anything_is_read(tmp_path, monkeypatch):
    kind = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    nothing = write(tmp_path / "faces.parquet", pa.table({"image": pa.nulls(100_000, kind)}))
    with pytest.raises(InputError, match=r"100,000 rows in .* bytes cannot be pictures"):
        opened(nothing)
    monkeypatch.setattr(columns, "HUGE", 10)
    monkeypatch.setattr(columns, "MAX_BYTES", 50)
    with pytest.raises(InputError, match=r"have .* bytes on average, more than 50"):
        opened(tabled(tmp_path, [{"bytes": PICTURE * 3}]))


@pytest.mark.parametrize(
    "content", [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", b"<html>" * 20, b"PAR1" + b"\xff" * 60 + b"PAR1"]
)
def test_what_is_no_parquet_file_is_refused(tmp_path, content):
    (tmp_path / "faces.parquet").write_bytes(content)
    with pytest.raises(InputError, match=r"faces\.parquet is no whole parquet file"):
        opened(tmp_path / "faces.parquet")


def test_a_file_that_is_gone_is_told(tmp_path):
    with pytest.raises(GanimeError, match=r"faces\.parquet cannot be read .*No such file"):
        opened(tmp_path / "faces.parquet")


def test_whatever_is_damaged_there_is_no_crash(tmp_path, cache):
    rows = [{"bytes": PICTURE + bytes([i]), "path": f"{i}.png"} for i in range(6)]
    path = tabled(tmp_path, rows, label=range(6))
    outcomes = read_damaged(path, path.read_bytes(), (1, 9, 60), opened)
    assert {"refused", "read"} <= outcomes.keys()


def test_few_large_pictures_are_held_at_a_time(tmp_path, monkeypatch):
    asked, iterate = set(), pq.ParquetFile.iter_batches
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", lambda *given, **more: asked.add(given[1]) or iterate(*given, **more))
    monkeypatch.setattr(columns, "AT_ONCE", 35_000)
    draw = random.Random(0)
    rows = [{"bytes": PICTURE + draw.randbytes(10_000), "path": f"{i}.png"} for i in range(20)]
    path = write(tmp_path / "faces.parquet", pa.table({"image": rows}), use_dictionary=False)
    assert [opened(path).read(i)[-9:] for i in (0, 2)] == [rows[i]["bytes"][-9:] for i in (0, 10)]
    assert {1, 3} <= asked and columns.ROWS not in asked
