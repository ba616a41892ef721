"""What holds pictures in a way that is not read: it is named, and what is said to do does it."""

import importlib
import io
import pickle
import shlex
import sys

import numpy as np
import pytest
from PIL import Image

from ganime.data import foreign
from ganime.data.drawn import draw_face
from ganime.data.folder import FolderListing
from ganime.data.sources import open_listing
from ganime.errors import InputError

FACES = np.stack([draw_face(i, 16) for i in range(3)])
BEGINNINGS = {
    "7z archive": b"7z\xbc\xaf\x27\x1c",
    "RAR archive": b"Rar!\x1a\x07\x01\0",
    "PDF": b"%PDF-1.7",
    "video": b"\0\0\0\x20ftypmp42",
    "HDF5 file": b"\x89HDF\r\n\x1a\n",
    "MATLAB file": b"MATLAB 5.0 MAT-file",
    "PyTorch file": b"PK\3\4" + bytes(26) + b"archive/data.pkl",
    "pickle": b"\x80\4\x95",
    "LMDB database": bytes(16) + b"\xde\xc0\xef\xbe",
    "PSD, SVG or RAW file": b"8BPS\0\1",
}


def encoded(face):
    file = io.BytesIO()
    Image.fromarray(face).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("kind", foreign.KINDS, ids=lambda kind: kind.name)
def test_each_kind_is_named_with_what_to_do(tmp_path, kind):
    given = [tmp_path / f"file{ending}" for ending in kind.endings]
    for path in given:
        path.write_bytes(b"words")
    if kind.name in BEGINNINGS:  # whatever it is called
        given.append(tmp_path / "file.zip")
        given[-1].write_bytes(BEGINNINGS[kind.name] + bytes(99))
    else:
        assert not kind.beginning
    for path in given:
        with pytest.raises(InputError) as error:
            open_listing(path)
        assert str(error.value) == f"{path} cannot be read as it is ({kind.name}): {kind.remedy_for(str(path))}"
    (tmp_path / "file.zip").unlink(missing_ok=True)
    count, first = len(kind.endings), min(path.name for path in tmp_path.iterdir())
    told = FolderListing(tmp_path).describe_left_out(brief=False)
    assert told.startswith(f"{count} {kind.name}{'s' * (count > 1)} ({first}") and "\n" not in told
    assert told.endswith(f"not looked into: {kind.remedy_for(str(tmp_path / first))}")


def test_a_long_command_is_told_of_the_most_frequent_kind_and_where_there_are_no_pictures(tmp_path):
    for name in ("a.pdf", "a.h5", "a.mat", "b.mat"):
        (tmp_path / name).write_bytes(b"words")
    told = FolderListing(tmp_path).describe_left_out(brief=False)
    assert told.startswith("2 MATLAB files") and told.count("python -c") == 1
    assert f"a.h5) not looked into: --data {tmp_path}/a.h5 says what to do" in told and "pdfimages" in told
    told = FolderListing(tmp_path).describe_left_out()
    assert "python -c" not in told and f"--data {tmp_path}/a.mat says what to do" in told and "pdfimages" in told


def test_a_picture_of_such_a_name_is_one(tmp_path):
    (tmp_path / "face.pdf").write_bytes(encoded(FACES[0]))
    assert len(open_listing(tmp_path)) == 1
    with pytest.raises(InputError, match="single picture"):
        open_listing(tmp_path / "face.pdf")


def run(kind, path, name):
    """Run the command of a kind as a person would who knows the name; gives what came of it."""
    (kind,) = (one for one in foreign.KINDS if one.name == kind)
    folder, _, command = kind.remedy_for(str(path)).rpartition("mkdir faces && ")
    _, _, code, *arguments = shlex.split(command.partition(foreign.NAME if name else " makes")[0].partition(", if")[0])
    if not folder and kind.remedy.startswith("mkdir"):
        (path.parent / "faces").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path.parent)
        patch.setattr(sys, "argv", ["-c", *arguments, *[name] * bool(name)])
        exec(code, {})
    made = [one for one in (path.parent / "pictures.npy", path.parent / "faces") if one.exists()]
    return open_listing(made[0])


def make_hdf5(path):
    import h5py

    with h5py.File(path, "w") as file:
        file["set/images"], file["labels"] = FACES, np.arange(3)


def make_matlab(path):
    importlib.import_module("scipy.io").savemat(path, {"images": FACES})


def make_pickle(path):
    path.write_bytes(pickle.dumps(FACES))


def make_records(path):
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(path)) as file:
        for face in FACES:
            features = {
                "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded(face)])),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[1])),
            }
            file.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


def make_database(path):
    with importlib.import_module("lmdb").open(str(path.parent)) as database, database.begin(write=True) as transaction:
        for i, face in enumerate(FACES):
            transaction.put(b"%d" % i, encoded(face))


def make_tensor(path):
    torch = importlib.import_module("torch")
    torch.save(torch.from_numpy(FACES), path)


@pytest.mark.parametrize(
    ("kind", "file", "name", "make", "needs"),
    [
        ("HDF5 file", "of mine.h5", "set/images", make_hdf5, "h5py"),
        ("MATLAB file", "x.mat", "images", make_matlab, "scipy"),
        ("pickle", "x.pkl", "", make_pickle, "numpy"),
        ("TFRecord file", "x.tfrecord-00000-of-00001", "image/encoded", make_records, "tensorflow"),
        ("LMDB database", "data.mdb", "", make_database, "lmdb"),
        ("PyTorch file", "x.pt", "", make_tensor, "torch"),
    ],
)
def test_the_command_makes_a_source_of_it(tmp_path, capsys, kind, file, name, make, needs):
    pytest.importorskip(needs)
    path = tmp_path / "set" / file
    path.parent.mkdir()
    make(path)
    with pytest.raises(InputError, match=kind):
        open_listing(path)
    listing = run(kind, path, name)
    assert np.array_equal([listing.load(i, 16) for i in range(3)], FACES)
    assert name in capsys.readouterr().out  # of all names
