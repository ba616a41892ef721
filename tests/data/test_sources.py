"""What may be given as `--data`: one set of faces in every form, and what is refused."""

import gzip
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from ganime.data.drawn import draw_face
from ganime.data.folder import PictureFolder
from ganime.data.packed import PackedPictures, pack
from ganime.data.pipeline import make_dataset
from ganime.data.sources import open_listing, open_pictures
from ganime.errors import GanimeError, InputError

SIDE = 32


def zipped(method):
    def make(faces, place):
        with zipfile.ZipFile(place / "faces.zip", "w", method) as archive:
            for path in sorted(faces.iterdir()):
                archive.write(path, f"faces/{path.name}")
        return place / "faces.zip"

    return make


def in_shards(faces, place):
    for shard in range(3):
        with tarfile.open(place / f"shard-{shard}.tar", "w") as archive:
            for path in sorted(faces.iterdir())[shard::3]:
                archive.add(path, path.name)
    return place


def in_parquet(faces, place):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [{"bytes": path.read_bytes(), "path": path.name} for path in sorted(faces.iterdir())]
    parquet.write_table(pyarrow.table({"image": rows}), place / "faces.parquet")
    return place / "faces.parquet"


def packed(faces, place):
    pack(PictureFolder(faces), place / "faces.npy", SIDE)
    return place / "faces.npy"


FORMS = {
    "stored zip": zipped(zipfile.ZIP_STORED),
    "deflated zip": zipped(zipfile.ZIP_DEFLATED),
    "folder of tar shards": in_shards,
    "pattern of tar shards": lambda faces, place: in_shards(faces, place) / "shard-*.tar",
    "parquet": in_parquet,
    "packed": packed,
}


def first_batches(pictures):
    return np.stack(list(make_dataset(pictures, SIDE, 8, seed=3, flips=True, last_step=5)))


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_folder_is_the_folder(faces, tmp_path, form):
    (tmp_path / "other").mkdir()
    folder = open_pictures(faces)
    pictures = open_pictures(FORMS[form](faces, tmp_path / "other"))
    assert pictures.fingerprint == folder.fingerprint  # so that a run goes on with the one or the other
    assert np.array_equal(first_batches(pictures), first_batches(folder))


def test_an_array_is_read_as_its_pictures(tmp_path):
    array = np.stack([draw_face(i, 48) for i in range(5)])
    np.savez(tmp_path / "samples.npz", array)
    np.save(tmp_path / "samples.npy", array)
    for name in ("samples.npz", "samples.npy"):
        assert np.array_equal(open_pictures(tmp_path / name).load_batch([4, 0], 48), array[[4, 0]])


def test_what_was_packed_is_known_from_other_arrays(faces, tmp_path):
    path = packed(faces, tmp_path)
    assert isinstance(open_pictures(path), PackedPictures)
    assert len(open_listing(path)) == 12


def test_a_public_set_has_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    selfies = tmp_path / "cache" / "datasets" / "arnaud58" / "selfie2anime"
    for half in ("trainA", "trainB"):
        (selfies / "versions" / "2" / half).mkdir(parents=True)
        Image.fromarray(draw_face(1)).save(selfies / "versions" / "2" / half / "face.png")
    (selfies / "2.complete").touch()
    pictures = open_pictures("selfie2anime")
    assert (len(pictures), pictures.name) == (1, "selfie2anime")


def write(name, content):
    def make(place):
        (place / name).write_bytes(content)
        return place / name

    return make


def two_zips(place):
    for name in ("a.zip", "b.zip"):
        with zipfile.ZipFile(place / name, "w") as archive:
            archive.writestr("words.txt", "words")
    return place


def zip_beside_tar(place):
    two_zips(place)
    (place / "b.zip").unlink()
    with tarfile.open(place / "c.tar", "w"):
        pass
    return place


def nested(place):
    two_zips(place)
    with zipfile.ZipFile(place / "outer.zip", "w") as archive:
        archive.write(place / "a.zip", "inner.zip")
    return place / "outer.zip"


REFUSED = {
    "nothing there": (lambda place: place / "nowhere", r"nowhere is not a folder.*data pack.*hf://datasets.*anime-faces"),
    "an empty name": (lambda place: "", "nothing is not a folder"),  # an empty variable in a shell
    "a picture": (
        lambda place: write("one.png", b"\x89PNG\r\n\x1a\n" + bytes(9))(place),
        "one.png is a single picture: give the fol",
    ),
    "words": (write("list.csv", b"file,label\n"), "list.csv is not a folder, zip"),
    "7z": (
        write("faces.7z", b"7z\xbc\xaf\x27\x1c" + bytes(9)),
        r"faces.7z cannot be read as it is \(7z archive\): 7z x .*faces.7z -ofaces makes",
    ),
    "RAR": (write("faces.rar", b"Rar!\x1a\x07\x01\x00"), r"faces.rar cannot be read as it is \(RAR archive\): unrar x "),
    "a picture called .zip": (write("face.zip", b"\x89PNG\r\n\x1a\n" + bytes(9)), "face.zip is a single picture"),
    "an empty file": (write("faces.zip", b""), "faces.zip is empty"),
    "a part": (write("faces.zip.001", b"PK\3\4" + bytes(9)), "faces.zip.001 is a part of an archive: put the parts together"),
    "compressed words": (write("list.csv.gz", gzip.compress(b"a,b")), "with gzip; unpack it, and give what comes out of it"),
    "a zip in a zip": (nested, "0 pictures in .*outer.zip; 1 archive .inner.zip. not looked into: unpack what they are in"),
    "compressed tar": (write("faces.tar.gz", gzip.compress(bytes(10240))), "faces.tar.gz .*gzip"),
    "several zips": (two_zips, "2 zip files are no one source; give each with --data"),
    "several kinds": (zip_beside_tar, r"several kinds: .*a.zip \(zip\), .*c.tar \(tar\); give each with --data"),
    "an empty folder": (lambda place: place, "no usable picture: looked at 0 pictures"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_anything_else_says_what_could_be_given(tmp_path, case):
    make, message = REFUSED[case]
    with pytest.raises(GanimeError, match=message) as error:
        open_pictures(make(tmp_path))
    assert isinstance(error.value, InputError)
