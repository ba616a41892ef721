import numpy as np
import pytest
import tensorflow as tf

from ganime.data.arrays import ArrayPictures
from ganime.data.drawn import DrawnFaces
from ganime.data.folder import PictureFolder
from ganime.data.joined import JoinedPictures, as_pictures
from ganime.data.packed import pack
from ganime.data.pipeline import make_dataset
from ganime.data.split import Selection, split
from ganime.errors import InputError

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), np.uint8)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))


def test_several_sets_are_one(faces):
    folder, drawn = PictureFolder(faces), DrawnFaces(30)
    joined = JoinedPictures([folder, PIXELS_SET, drawn])
    assert len(joined) == 12 + 6 + 30 and joined.name == "faces+array+drawn-faces"
    assert str(joined) == f"{folder} + 6 pictures of an array + {drawn}"
    batch = joined.load_batch([20, 12, 0, 17, 11, 20, -1], 16)
    expected = [(drawn, 2), (PIXELS_SET, 0), (folder, 0), (PIXELS_SET, 5), (folder, 11), (drawn, 2), (drawn, 29)]
    assert np.array_equal(batch, np.concatenate([part.load_batch([index], 16) for part, index in expected]))
    with pytest.raises(IndexError):
        joined.load_batch([48], 16)


PIXELS_SET = ArrayPictures(PIXELS)


def test_the_fingerprint_is_of_all_parts_in_their_order(faces):
    folder, drawn = PictureFolder(faces), DrawnFaces(30)
    prints = [
        JoinedPictures(parts).fingerprint for parts in ([folder, drawn], [drawn, folder], [folder, drawn, drawn], [drawn])
    ]
    assert len({*prints}) == 4 and prints[-1] == drawn.fingerprint
    assert as_pictures([str(faces), drawn]).fingerprint == prints[0]
    assert as_pictures((drawn,)) is drawn


def test_what_is_unreadable_is_named_with_its_part(faces, tmp_path):
    (faces / "face05.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    other = tmp_path / "below" / "faces"
    other.parent.mkdir()
    other.symlink_to(faces)
    for parts, names in (
        ([faces, DrawnFaces(3)], ["faces/face05.png"]),
        ([faces, other], ["faces (1)/face05.png", "faces (2)/face05.png"]),
    ):
        joined = as_pictures(parts)
        joined.load_batch([*range(len(joined))], 16)
        assert [*joined.unreadable] == names
    with pytest.raises(InputError, match=r"face05\.png in .*without --strict"):
        as_pictures([DrawnFaces(3), faces], strict=True)


def test_one_size_is_the_same_for_all(faces, tmp_path):
    packed = [pack(PictureFolder(faces), tmp_path / f"{size}.npy", size) for size in (16, 32)]
    with pytest.raises(InputError, match=r"16\.npy \(16x16\) and 12 packed .* \(32x32\) are of two sizes; pack or resize"):
        JoinedPictures([DrawnFaces(), *packed])
    joined = JoinedPictures([DrawnFaces(9), packed[0]])
    with pytest.raises(InputError, match=r"16\.npy holds pictures of 16x16, not 32x32; pack them again with --size 32"):
        joined.load_batch([0], 32)  # though that one is not of the file


def test_order_and_parting_are_those_of_one_set(faces):
    """A batch is a function of (seed, step), of whatever parts the pictures are; and so is who is held out."""
    whole = ArrayPictures(np.concatenate([DrawnFaces(40).load_batch([*range(40)], 16), PIXELS]))
    joined = JoinedPictures([DrawnFaces(40), PIXELS_SET])
    batches = [[*make_dataset(pictures, 16, 8, 3, 9, seed=5, flips=True)] for pictures in (whole, joined)]
    assert all(np.array_equal(one, other) for one, other in zip(*batches, strict=True))
    assert [part.indices.tolist() for part in split(joined, 16)] == [part.indices.tolist() for part in split(whole, 16)]
    assert np.array_equal(Selection(joined, np.array([3, 41])).load_batch([1], 16), PIXELS[[1]])


def test_what_is_a_set_already_or_names_one_is_taken(faces):
    drawn = DrawnFaces(20)
    assert as_pictures(drawn) is drawn
    assert len(as_pictures(str(faces))) == len(as_pictures(faces)) == 12


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (tf.data.Dataset.from_tensors(PIXELS), "a _TensorDataset is no set of pictures that can be read at any place"),
        (5, r"a int is no set .*: give a path, an array .*, an object with __len__, .*, fingerprint, or a list of these$"),
        ([1, 2], "a int is no set"),
        ([], "no pictures are given"),
        (DrawnFaces, "a type is no set"),
        (PIXELS[0], r"\[count, size, size, 3\], not \[16, 16, 3\]"),
        ([PIXELS, PIXELS[0]], r"\[count, size, size, 3\], not \[16, 16, 3\]"),
        (PIXELS[:, :4], r"not \[6, 4, 16, 3\]"),
        (PIXELS[:0], "not .0, 16"),
        (np.int64(PIXELS), "uint8 or float, not int64"),
        (PIXELS / 255, r"of \[0, 1\]\? scale them"),
        (np.float32(PIXELS), r"of 0\.\.\.255\? scale them"),
        (PIXELS * np.nan, "not a number"),
    ],
)
def test_what_is_none_is_refused_in_a_sentence(given, message):
    with pytest.raises(InputError, match=message):
        as_pictures(given)
