"""Pictures and their labels, from wherever people have them."""

import json
import shutil
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from ganime.data.drawn import DrawnFaces, draw_face
from ganime.data.joined import as_pictures
from ganime.data.labelled import LabelledPictures, hash_labels, label_pictures, renumber
from ganime.data.split import Selection
from ganime.errors import InputError

CAPTIONS = ("1girl, blonde hair", "1girl, Blonde  Hair, smile", "1girl, black hair", "1girl, black hair\nsmile", "1girl", None)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Six faces in folders and one in none, with captions of five."""
    folder = tmp_path_factory.mktemp("labelled") / "faces"
    for i, place in enumerate(("black", "black", "images/blonde", "images/blonde", "train/blonde", "")):
        (folder / place).mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw_face(i, 32)).save(folder / place / f"face{i}.png")
        if CAPTIONS[i]:
            (folder / place / f"face{i}.{'caption' if i == 1 else 'txt'}").write_text(CAPTIONS[i])
    return folder


def labels_by_name(labelled):
    names = [labelled.pictures.listing.name_of(index).rpartition("/")[2][:5] for index in labelled.indices]
    return dict(zip(names, (labelled.labels[number] for number in labelled.numbers), strict=True))


def test_folders_are_labels_and_what_is_in_none_is_left_out(source, caplog):
    labelled = label_pictures(source, "folders")
    assert labels_by_name(labelled) == {f"face{i}": "blonde" if i > 1 else "black" for i in range(5)}
    assert "1 of 6 pictures have no label, and are left out" in caplog.text and "fewer than 50 pictures" in caplog.text
    assert str(labelled).startswith("5 of 6 pictures") and labelled.fingerprint != labelled.pictures.fingerprint
    whole = labelled.pictures.load_batch(labelled.indices.tolist(), 32)
    assert np.array_equal(labelled.load_batch([0, 1, 2, 3, 4], 32), whole)


def test_the_archive_of_a_folder_has_the_folders_labels(source, tmp_path):
    zipped, tarred = tmp_path / "faces.zip", tmp_path / "faces.tar"
    with zipfile.ZipFile(zipped, "w") as archive, tarfile.open(tarred, "w") as tar:
        for path in sorted(source.rglob("*.*")):
            for add in (archive.write, tar.add):
                add(path, path.relative_to(source).as_posix())
    for how in ("folders", "captions:3"):
        known = label_pictures(source, how)
        for other in (label_pictures(path, how) for path in (zipped, tarred)):
            assert (other.fingerprint, hash_labels(other)) == (known.fingerprint, hash_labels(known))


def test_a_caption_gives_the_rarest_of_the_frequent_tags_that_not_all_have(source):
    """`1girl` is in all. `smile` is in two; the second caption has another ending, the fourth has two lines."""
    labels = labels_by_name(label_pictures(source, "captions"))
    assert labels == {"face0": "blonde hair", "face1": "smile", "face2": "black hair", "face3": "smile"}
    assert set(labels_by_name(label_pictures(source, "captions:2")).values()) == {"black hair", "blonde hair"}


@pytest.mark.parametrize(
    "known",
    [
        {"labels": [[f"{'black' if i < 2 else 'images/blonde'}/face{i}.png", i % 2] for i in range(4)]},
        {f"{'black' if i < 2 else 'images/blonde'}/face{i}.png": str(i % 2) for i in range(4)},
    ],
)
def test_a_file_beside_or_in_the_source_gives_labels(source, tmp_path, known, caplog):
    (tmp_path / "mine.json").write_text(json.dumps(known))
    copy = shutil.copytree(source, tmp_path / "copy")
    (copy / "mine.json").write_text(json.dumps(known))
    expected = {f"face{i}": str(i % 2) for i in range(4)}
    assert labels_by_name(label_pictures(source, tmp_path / "mine.json")) == expected
    assert labels_by_name(label_pictures(copy, "mine.json")) == expected
    assert "of no picture" not in caplog.text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_table_gives_labels(source, tmp_path, encoding, caplog):
    """As a spreadsheet writes it: quotes, empty lines and cells, more columns, lines that end as on Windows."""
    lines = [
        "File,label,remark",
        "black/face0.png,nur schön,x",
        '"black/face1.png", "a, b"',
        "",
        r"images\blonde\face2.png,nur schön,",
        "images/blonde/face3.png,,none",
        "gone.png,away",
    ]
    path = tmp_path / "mine.CSV"
    path.write_bytes("\r\n".join(lines).encode(encoding))
    expected = {"face0": "nur schön", "face1": "a, b", "face2": "nur schön"}
    assert labels_by_name(label_pictures(source, path)) == expected
    assert "1 of its 4 names are of no picture, such as gone.png" in caplog.text
    copy = shutil.copytree(source, tmp_path / "copy")
    shutil.copy(path, copy / "in it.csv")
    assert labels_by_name(label_pictures(copy, "in it.csv")) == expected


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "it lacks the columns file and label: its first line has to begin with file,label"),
        (b"name,label\nface5.png,a", "lacks the columns file and label"),
        (b"file;label\nface5.png;a", "lacks the columns file and label"),
        (b"file,label\nface5.png,a\nblack/face0.png", "it lacks a label in line 3"),
        (b"file,label\nface5.png,a\nface5.png,a\nface5.png,b", "it gives face5.png two labels"),
        (b"file,label\nface5.png,\xff", "it is no text in UTF-8"),
        (b"file,label\nface5.png," + 200_000 * b"a", "it is no table in CSV: line 2"),
        (b"file,label\ngone.png,a", "none of 6 pictures .* has a label"),
        (b"file,label\nface5.png,a\nblack/face0.png," + 101 * b"b", "is no name of 1 to 100"),
    ],
    ids=["empty", "no file", "semicolons", "no comma", "two labels", "not UTF-8", "long cell", "no picture", "long label"],
)
def test_a_table_that_gives_no_labels_is_refused_in_a_line(source, tmp_path, content, message):
    (tmp_path / "bad.csv").write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        label_pictures(source, tmp_path / "bad.csv")
    assert "bad.csv" in str(caught.value) and "\n" not in str(caught.value)


def test_numbers_are_ordered_as_numbers():
    assert label_pictures(np.zeros((3, 8, 8, 3), np.uint8), [10, 9, "x"]).labels == ("9", "10", "x")


@pytest.mark.parametrize(
    "content, message",
    [
        ('{"gone.png": "a", "face5.png": "b"}', "all pictures have the label 'b'"),
        ('{"gone.png": "a", "away.png": "b"}', "none of 6 pictures .* has a label"),
        ('{"labels": null}', "has a label"),
        ("[1, 2]", "it is not of the form"),
        ("{", "it is not of the form"),
        ('{"labels": [["face5.png", "a"], ["face0.png", "a", 1]]}', "it is not of the form"),
        ('{"labels": [["face5.png", "a"], ["black/face0.png", "a"], ["face5.png", "b"]]}', "it gives face5.png two labels"),
    ],
)
def test_a_file_that_gives_no_labels_is_refused_in_a_line(source, tmp_path, content, message):
    (tmp_path / "bad.json").write_text(content)
    with pytest.raises(InputError, match=message) as caught:
        label_pictures(source, tmp_path / "bad.json")
    assert "bad.json" in str(caught.value) and "\n" not in str(caught.value)


def test_names_in_a_file_that_no_picture_has_are_said(source, tmp_path, caplog):
    (tmp_path / "some.json").write_text('{"gone.png": "a", "face5.png": "b", "black/face0.png": "c"}')
    assert len(label_pictures(source, tmp_path / "some.json")) == 2
    assert "1 of its 3 names are of no picture, such as gone.png" in caplog.text


def test_what_has_no_labels_is_refused_in_a_line(source):
    for pictures, how, message in (
        (source, "folder", "neither folders nor captions nor a file"),
        (source, "captions:1", "two tags or more"),
        (source / "black", "captions", "no two tags"),
        (source / "train", "folders", "have the label 'blonde', so there is nothing to tell apart"),
        (DrawnFaces(5), "folders", "have no names to go by"),
        (np.zeros((3, 8, 8, 3), np.uint8), "captions", "have no names to go by"),
        (DrawnFaces(5), ["a", "b"], "2 labels are not one for each of 5"),
        (DrawnFaces(2), [None, None], "has a label"),
        (DrawnFaces(2), ["a", "b" * 101], "'bbb.* is no name"),
    ):
        with pytest.raises(InputError, match=message):
            label_pictures(pictures, how)


def test_joined_sources_and_parts_keep_their_labels(source):
    both = label_pictures([str(source / "black"), str(source)], [*"aabbbbbb"])
    assert both.labels == ("a", "b") and both.numbers.tolist() == [0, 0, 1, 1, 1, 1, 1, 1]
    part = Selection(label_pictures([str(source), str(source)], "folders"), np.array([9, 0, 4]))
    assert part.labels == ("black", "blonde") and part.numbers.tolist() == part.numbers_of([0, 1, 2]).tolist() == [1, 0, 1]
    assert hash_labels(part) != hash_labels(Selection(part, np.array([1, 0, 2])))


def test_what_stands_in_for_a_broken_picture_has_its_own_label(source, tmp_path):
    folder = shutil.copytree(source, tmp_path / "faces")
    (folder / "black" / "face0.png").write_bytes(b"")
    for pictures in (folder, [str(folder), str(folder)]):
        labelled = label_pictures(pictures, "folders")
        everything = [*range(len(labelled))]
        before, batch = labelled.numbers_of(everything), labelled.load_batch(everything, 32)
        assert before.tolist() == labelled.numbers.tolist()
        whole = as_pictures(source)
        known = {whole.load(index, 32).tobytes(): "blonde" in whole.listing.name_of(index) for index in range(6)}
        shown = [known[picture.tobytes()] for picture in batch]
        unlabelled = [number == 5 for number in (labelled.pictures.stand_in(int(i)) % 6 for i in labelled.indices)]
        found = labelled.numbers_of(everything).tolist()
        assert all(a == b or alone for a, b, alone in zip(found, shown, unlabelled, strict=True))
        assert hash_labels(labelled) == hash_labels(
            label_pictures(source if pictures is folder else [source, source], "folders")
        )


def test_other_names_are_found_in_their_order_or_refused():
    pictures = LabelledPictures(DrawnFaces(3), ["a", "b"], [0, 1, 0])
    assert renumber(pictures, ["b", "x", "a"], "those known").tolist() == [2, 0]
    with pytest.raises(InputError, match="label 'b' is none of those known: 'a', 'c'"):
        renumber(pictures, ["a", "c"], "those known")
