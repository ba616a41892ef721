import json

import pytest
from PIL import Image

from ganime.data.drawn import draw_face
from ganime.data.folder import FolderListing
from ganime.data.labels import MAX_EXTRA, Labels, split_and_class


@pytest.fixture
def source(tmp_path):
    for i, place in enumerate(("00000/a.png", "00000/b.png", "00001/c.png", "d.png")):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        Image.fromarray(draw_face(i, 16)).save(tmp_path / place)
    return tmp_path


def classes(folder):
    listing = FolderListing(folder)
    return [listing.label_of(i) for i in range(len(listing))]


def test_a_class_is_the_folder_at_the_top(source):
    assert classes(source) == ["00000", "00000", "00001", None]


@pytest.mark.parametrize(
    ("name", "split", "label"),
    [
        ("1.png", None, None),
        ("cats/1.png", None, "cats"),
        ("cats/small/1.png", None, "cats"),
        ("train/1.png", "train", None),
        ("TRAIN/cats/1.png", "TRAIN", "cats"),
        ("Validation/Dogs/a/1.png", "Validation", "Dogs"),
        ("images/val/1.png", "val", None),  # as YOLO has it
        ("valid/images/1.png", "valid", None),
        ("set/test/1.png", None, "set"),
        ("train/test/1.png", "train", None),
        ("training.png", None, None),
        ("trainA/1.png", None, "trainA"),
        ("cats/train.png", None, "cats"),
    ],
)
def test_a_split_is_no_class(name, split, label):
    assert split_and_class(name) == (split, label)


def test_a_list_of_labels_goes_first(source):
    labels = [["00000/a.png", 3], ["00000\\b.png", "hair"], ["d.png", [0.0, 1.0]], ["none.png", 7], ["00001/c.png", True]]
    (source / "dataset.json").write_text(json.dumps({"labels": labels}))
    assert classes(source) == ["3", "hair", None, None]
    (source / "dataset.json").write_text('{"labels": null}')
    assert classes(source) == [None] * 4
    assert FolderListing(source).left_out == {("labels", ".json"): 1}


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\xff", b"[1]", b"null", b'{"labels": 1}', b'{"labels": [1]}', b'{"labels": [[1, 2]]}', b'{"labels": [["a"]]}',
        b'{"images": []}', b'{"labels": [["a", 1, 2]]}', b'{"labels": "abc"}', b'{"labels": {"a": 1}}', b"NaN",
        b'{"labels": ' + 2000 * b"[" + 2000 * b"]" + b"}",
    ],
)  # fmt: skip
def test_another_file_of_that_name_is_told_and_the_folders_count(source, content, caplog):
    (source / "dataset.json").write_bytes(content)
    assert classes(source) == ["00000", "00000", "00001", None]
    assert caplog.text.count("dataset.json in") == 1 and "gives no picture a class: it is not of the form" in caplog.text


def test_what_is_too_long_is_not_parsed(source):
    with pytest.raises(ValueError, match="not of the form"):
        Labels(b" " * MAX_EXTRA + b'{"labels": null}', [])
    (source / "dataset.json").mkdir()  # no file
    assert classes(source) == ["00000", "00000", "00001", None]


def test_a_long_name_of_a_class_is_none():
    assert Labels(json.dumps({"labels": [["a", "x" * 101], ["b", -1]]}).encode(), ["a", "b"])[0] is None


def test_classes_of_other_pictures_are_noticed(faces, caplog):
    (faces / "dataset.json").write_text('{"labels": [["elsewhere/face00.png", 3]]}')
    listing = FolderListing(faces)
    assert listing.label_of(0) is None
    assert "gives no picture a class: none is called elsewhere/face00.png, say" in caplog.text
