"""Every file of a source is accounted for."""

import shutil
import tarfile
import zipfile

import pytest
from PIL import Image

from ganime.data.account import find_companions
from ganime.data.drawn import draw_face
from ganime.data.folder import FolderListing, PictureFolder
from ganime.data.listing import looks_like_picture, why_left_out
from ganime.data.tars import TarListing
from ganime.data.zips import ZipListing
from ganime.errors import InputError


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
        ("backup", ".png~"): 1, ("hidden", ".png"): 2, ("caption", ".txt"): 2, ("caption", ".caption"): 1,
        ("no picture", ".txt"): 2, ("no picture", ".csv"): 1, ("no picture", ""): 1, ("no picture", ".json"): 1,
        ("labels", ".json"): 1, ("note", ".csv"): 1, ("note", ".json"): 1,
        ("not looked into", ".zip"): 2, ("not looked into", ".tar"): 1,
        ("not looked into", ".7z"): 1, ("not looked into", ".gz"): 1,
    }  # fmt: skip
    assert listing.describe_left_out() == (
        "3 archives (b/y.tar, x.ZIP, z.zip) not looked into: give each with --data; "
        "1 archive (v.tar.gz) not looked into: unpack them, or pack them anew as .zip or .tar; "
        f"1 7z archive (w.7z) not looked into: 7z x {tmp_path}/w.7z -ofaces makes a folder of it; "
        "left out as editors' backups .png~ 1; as captions of pictures .txt 2, .caption 1; "
        "as no pictures .txt 2, (no ending) 1, .csv 1, .json 1"
    )
    hidden = "in hidden folders (.git; to take what is in one, give it itself with --data) .png 1; as hidden .png 2; as editors"
    for _ in range(2):
        assert hidden in listing.describe_left_out(brief=False)


def zipped(folder):
    """The archive of a folder."""
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return ZipListing(folder.with_suffix(".zip"))


def tarred(folder):
    with tarfile.open(folder.with_suffix(".tar"), "w") as archive:
        archive.add(folder, "./")
    return TarListing([folder.with_suffix(".tar")], folder.with_suffix(".tar"))


SYSTEM = (
    *("__MACOSX", "@eaDir", "$RECYCLE.BIN", "$Recycle.Bin", "System Volume Information", "#recycle", ".Trashes", "lost+found"),
    *(".Spotlight-V100", "#snapshot", "@Recycle", "RECYCLER"),
)


@pytest.mark.parametrize("place", ["", "below/"])
@pytest.mark.parametrize("kind", [FolderListing, zipped, tarred])
def test_what_systems_and_dots_hide_is_passed_over_and_counted(tmp_path, picture, kind, place):
    folder = tmp_path / "faces"
    put(folder, ["a.png", "b/c.png"], picture)
    before = kind(folder)
    put(folder, [f"{place}{name}/a.png/thumb.jpg" for name in SYSTEM], picture)
    put(folder, [f"{place}.cache/one.png", f"{place}.cache/deep/two.png", f"{place}.cache/three.txt"], picture)
    put(folder, [f"{place}.x/y.png", f"{place}Thumbs.db", f"{place}desktop.ini", f"{place}.DS_Store"], picture)
    listing = kind(folder)
    assert listing.fingerprint == before.fingerprint and listing.describe_left_out() == ""
    way = "; to take what is in one, give it itself with --data" * (kind is FolderListing)
    assert listing.describe_left_out(brief=False) == (
        f"left out in hidden folders ({place}.cache, {place}.x{way}) .png 3, .txt 1; "
        f"as hidden (no ending) 1, .db 1, .ini 1; in folders of the system .jpg {len(SYSTEM)}"
    )


def test_hidden_folders_are_not_looked_into_to_train(tmp_path, picture):
    put(tmp_path, ["a.png", ".cache/one.png"], picture)
    listing = FolderListing(tmp_path)
    assert listing.describe_left_out() == "" and not listing.left_out
    listing.describe_left_out(brief=False)
    assert listing.left_out == {("hidden folder", ".png"): 1}


def test_a_refusal_says_first_what_may_be_meant(tmp_path, picture):
    put(tmp_path, [".faces/1.png", "notes.md", "desktop.ini"], picture[:0] + b"words")
    put(tmp_path, ["faces.rar", "set.zip/x.txt"], b"words")
    with pytest.raises(InputError) as caught:
        PictureFolder(tmp_path)
    told = [str(caught.value).find(words) for words in ("0 pictures", "RAR archive", "(.faces; to take", ".md 1")]
    assert told == sorted(told) and min(told) >= 0, str(caught.value)


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


@pytest.mark.parametrize("ending", [".mask.png", ".seg.png", "_depth.png", "-Masks.PNG", ".segmentation.png"])
def test_masks_that_their_names_tell_are_noticed(tmp_path, ending):
    put(tmp_path, [f"{i:03}.png" for i in range(700)], b"")
    put(tmp_path, [f"{i:03}{ending}" for i in range(700)], b"")
    put(tmp_path, ["mask.png", "unmask.png", "a.mask/1.png"], b"")
    assert FolderListing(tmp_path).describe_left_out() == (
        f"700 pictures may be no faces by the ends of their names ({ending.lower()} 700), beside 703 others: "
        "all are trained on; to leave them out, make a source without them"
    )


def test_masks_alone_are_what_is_wanted(tmp_path, picture):
    put(tmp_path, ["1.mask.png", "2.mask.png"], picture)
    assert FolderListing(tmp_path).describe_left_out() == ""


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
        (b"a/.b/c.txt", "hidden folder"), (b"__MACOSX/c.txt", "system folder"), (b"a/.c.txt", "hidden"),
        (b"dataset.json", "labels"), (b"a/dataset.json", "no picture"), (b"a.zip~", "backup"),
        (b"a/b.ZIP", "not looked into"), (b"x.md", "no picture"),
        (b"a/../b.png", "elsewhere"), (b"x.tfrecord-00001-of-00002", "not looked into"),
    ):  # fmt: skip
        assert why_left_out(name)[0] == reason, name
