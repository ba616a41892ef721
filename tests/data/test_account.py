"""Every file of a source is accounted for."""

import shutil

import pytest
from PIL import Image

from ganime.data.account import find_companions
from ganime.data.drawn import draw_face
from ganime.data.folder import FolderListing, PictureFolder
from ganime.data.listing import looks_like_picture, why_left_out


@pytest.fixture
def picture(tmp_path):
    """The content of a picture."""
    Image.fromarray(draw_face(1, 16)).save(tmp_path / "picture.png")
    content = (tmp_path / "picture.png").read_bytes()
    (tmp_path / "picture.png").unlink()
    return content


def put(folder, names, content):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def test_all_that_is_left_out_is_counted(tmp_path, picture):
    put(tmp_path, ["a.png", "b/c.png", "b/12.5_face.png", "no-ending"], picture)
    put(tmp_path, ["a.png~", "b/.hidden.png", "contact-sheet.png"], picture)
    put(tmp_path, ["a.txt", "b/c.caption", "b/12.5_face.txt", "words.txt", "b/a.txt", "notes.csv", "README"], b"words")
    put(tmp_path, ["dataset.json", "b/dataset.json", "index.csv", "prepare.json"], b"{}")
    put(tmp_path, ["z.zip", "b/y.tar", "x.ZIP", "w.7z", "v.tar.gz", ".git/objects/a.png"], b"archive")
    listing = FolderListing(tmp_path)
    assert [listing.name_of(i) for i in range(len(listing))] == ["a.png", "b/12.5_face.png", "b/c.png", "no-ending"]
    assert listing.left_out == {
        ("backup", ".png~"): 1, ("hidden", ".png"): 2, ("hidden", ""): 1, ("caption", ".txt"): 2, ("caption", ".caption"): 1,
        ("no picture", ".txt"): 2, ("no picture", ".csv"): 1, ("no picture", ""): 1, ("no picture", ".json"): 1,
        ("labels", ".json"): 1, ("note", ".csv"): 1, ("note", ".json"): 1,
        ("archive", ".zip"): 2, ("archive", ".tar"): 1, ("archive", ".7z"): 1, ("archive", ".gz"): 1,
    }  # fmt: skip
    assert listing.describe_left_out() == (
        "left out as editors' backups .png~ 1; as captions of pictures .txt 2, .caption 1; "
        "as no pictures .txt 2, (no ending) 1, .csv 1, .json 1; "
        "3 archives (b/y.tar, x.ZIP, z.zip) not looked into: give each with --data; "
        "2 archives (v.tar.gz, w.7z) not looked into: unpack them, or pack them anew as .zip or .tar"
    )
    assert "as hidden .png 2, (no ending) 1; as editors" in listing.describe_left_out(brief=False)


def test_nothing_is_said_where_there_is_nothing_to_say(faces):
    (faces / ".DS_Store").write_bytes(b"x")
    assert FolderListing(faces).describe_left_out() == ""


def test_of_many_archives_the_first_are_named(tmp_path, picture):
    put(tmp_path, ["a.png"], picture)
    put(tmp_path, [f"{i:03}.zip" for i in range(50)], b"archive")
    assert "50 archives (000.zip, 001.zip, 002.zip, ...) not looked into" in FolderListing(tmp_path).describe_left_out()


@pytest.mark.parametrize("masks", ["masks", "Masks", "depth", "set/masks", "set/train/labels", "train/segmentation"])
def test_masks_beside_the_pictures_are_noticed(tmp_path, picture, masks):
    images = masks.replace("masks", "images").replace("Masks", "a").replace("depth", "z").replace("labels", "images")
    put(tmp_path, [f"{images.replace('segmentation', 'images')}/{i}.png" for i in range(300)], picture)
    put(tmp_path, [f"{masks}/{i}.png" for i in range(25)], picture)
    told = FolderListing(tmp_path).describe_left_out()
    assert f"{masks}/ holds 25 pictures that may be no faces, beside 300 others: all are trained on" in told
    shutil.rmtree(tmp_path / images.replace("segmentation", "images"))
    assert FolderListing(tmp_path).describe_left_out() == ""  # that is all there is


def test_masks_in_one_of_two_splits_are_noticed(tmp_path, picture):
    put(tmp_path, ["test/images/1.png", "train/images/1.png", "train/images/2.png", "train/masks/1.png"], picture)
    assert "train/masks/ holds 1 pictures that may be no faces, beside 2" in FolderListing(tmp_path).describe_left_out()


def test_few_names_are_looked_at_for_them():
    names = sorted(f"{i % 1000:03}/{i:06}.png" for i in range(100_000))
    asked = []
    assert list(find_companions(len(names), lambda index: asked.append(index) or names[index])) == []
    assert len(asked) < 60_000


def test_a_backup_is_no_picture_whatever_it_holds(tmp_path, picture):
    put(tmp_path, ["a.png", "b.png~"], picture)
    assert len(PictureFolder(tmp_path)) == 1
    assert not looks_like_picture(b"b.png~", picture[:16]) and looks_like_picture(b"b.txt", picture[:16])


def test_the_reason_follows_from_the_name():
    for name, reason in (
        (b"a/.b/c.txt", "hidden"), (b"__MACOSX/c.txt", "hidden"), (b"dataset.json", "labels"),
        (b"a/dataset.json", "no picture"), (b"a.zip~", "backup"), (b"a/b.ZIP", "archive"), (b"x.pdf", "no picture"),
    ):  # fmt: skip
        assert why_left_out(name)[0] == reason, name
