import io
import os
import random
import shlex
import sys
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from numpy.lib import format as npy

from ganime.data import numpy_files
from ganime.data.arrays import ArrayListing, ArrayPictures, PackedListing, save_array
from ganime.data.check import Sources, check
from ganime.data.encoded import EncodedPictures
from ganime.data.folder import PictureFolder
from ganime.data.joined import as_pictures
from ganime.data.numpy_files import is_packed
from ganime.data.packed import pack
from ganime.data.pipeline import make_dataset
from ganime.errors import GanimeError, InputError

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), np.uint8)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras" / "ganime"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "pixels.npy"


def save(path, array, version=(1, 0), **members):
    """Write what the ending says, `.npz` compressed if it ends in `z.npz`."""
    if path.suffix == ".npz":
        (np.savez_compressed if path.stem.endswith("z") else np.savez)(path, array, **members)
    else:
        with open(path, "wb") as file:
            npy.write_array(file, array, version)
    return path


@pytest.mark.parametrize(
    "given", [PIXELS, PIXELS / 127.5 - 1, np.float32(PIXELS / 127.5 - 1), tf.constant(PIXELS), PIXELS[::-1][::-1]]
)
def test_an_array_is_a_set_of_pictures(given):
    pictures = as_pictures(given)
    assert len(pictures) == 12 and pictures.fingerprint == as_pictures(PIXELS).fingerprint
    assert np.array_equal(pictures.load_batch([4, 1, 4], 8), PIXELS[[4, 1, 4]])
    assert repr(pictures) == "<ArrayPictures: 12 pictures of an array, 8x8>"


def test_training_leaves_an_array_as_it_is():
    before = PIXELS.copy()
    batches = [*make_dataset(PIXELS, 8, 4, last_step=4, flips=True)]
    assert len(batches) == 4 and np.array_equal(PIXELS, before)
    assert as_pictures(PIXELS).fingerprint != ArrayPictures(PIXELS[::-1]).fingerprint
    with pytest.raises(InputError, match="pictures are 8x8, not 16x16: resize them first"):
        as_pictures(PIXELS).load_batch([0], 16)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_a_file_is_the_array_in_it(path, version):
    listing = ArrayListing(save(path, PIXELS, version))
    assert (len(listing), listing.name, listing.name_of(3), str(listing)) == (12, "pixels", "03", f"12 pictures in {path}")
    assert listing.fingerprint == ArrayPictures(PIXELS).fingerprint
    pictures = EncodedPictures(listing)
    assert np.array_equal(pictures.load_batch([4, 1, 4], 8), PIXELS[[4, 1, 4]])
    assert pictures.load_batch([0], 16).shape == (1, 16, 16, 3)
    assert listing.describe(listing.read(0)) == ("array", (8, 8)) and listing.label_of(0) is None
    assert check(Sources([("x", listing)])).formats == {"array": 12}
    with pytest.raises(IndexError):
        listing.read(12)


def test_pictures_need_not_be_square(path):
    picture = np.zeros((1, 16, 10, 3), np.uint8)
    picture[:, 3:13] = 255  # the middle
    listing = ArrayListing(save(path, picture))
    assert listing.describe(listing.read(0)) == ("array", (10, 16))
    assert (listing.load(0, 10) == 255).all()


def test_a_stored_member_is_read_where_it_lies_and_a_compressed_one_is_unpacked_once(tmp_path, cache, caplog):
    stored = ArrayListing(save(tmp_path / "faces.npz", PIXELS, labels=np.arange(12)))
    assert not cache.exists() and stored.fingerprint == ArrayPictures(PIXELS).fingerprint
    path = save(tmp_path / "faces-z.npz", PIXELS)
    for _ in range(2):
        listing = ArrayListing(path)
        assert listing.fingerprint == stored.fingerprint and listing.name == "faces-z"
        assert np.array_equal(EncodedPictures(listing).load_batch([4, 1], 8), PIXELS[[4, 1]])
    (kept,) = cache.iterdir()
    assert len(caplog.messages) == 1 and "unpacked once" in caplog.text and "np.savez instead" in caplog.text

    damaged = bytearray(kept.read_bytes())
    damaged[-100] ^= 1
    kept.write_bytes(damaged)
    assert ArrayListing(path).fingerprint == stored.fingerprint and "is damaged: made anew" in caplog.text
    os.truncate(kept, 300)
    assert ArrayListing(path).fingerprint == stored.fingerprint

    save(path, PIXELS[:5])
    assert len(ArrayListing(path)) == 5 and len([*cache.iterdir()]) == 1  # and not what it was before


def test_what_an_npz_file_may_hold(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, mu=np.zeros(4), faces=PIXELS, sigma=np.zeros((4, 4)))
    assert len(ArrayListing(path)) == 12  # the only one
    np.savez(path, np.arange(3), faces=PIXELS)
    assert len(ArrayListing(path)) == 12
    np.savez(path, PIXELS[:7], other=PIXELS)
    assert len(ArrayListing(path)) == 7  # arr_0
    for members, message in (
        ({"a": PIXELS, "b": PIXELS}, r"several arrays of pictures \(a uint8 \[12, 8, 8, 3\], b .*; call the one to take arr_0"),
        ({"mu": np.zeros(4), "s": np.zeros((4, 4))}, r"no array of pictures, .* but mu float64 \[4\], s float64 \[4, 4\]"),
        ({}, "but no array at all"),
        (
            {"y": np.zeros(9999), "x": PIXELS[..., 0], "test": PIXELS[:3, ..., 0]},
            r"x of .* holds uint8 \[12, 8, 8\], .* python -c ",
        ),
        ({"x": PIXELS[..., 0], "test": PIXELS[:3, ..., 0]}, r"x of .* holds uint8 \[12, 8, 8\], .* python -c "),
        ({"faces": np.float32(PIXELS)}, r"faces of .*x\.npz holds float32 \[12, 8, 8, 3\], and pictures are uint8"),
    ):
        np.savez(path, **members)
        with pytest.raises(InputError, match=message):
            ArrayListing(path)


def test_other_arrays_are_said_to_be_left_out(tmp_path):
    np.savez(tmp_path / "x.npz", PIXELS, np.arange(12), names=np.array(["a"] * 12))
    listing = ArrayListing(tmp_path / "x.npz")
    for brief in (True, False):
        assert listing.describe_left_out(brief) == "left out the other arrays names <U1 [12], arr_1 int64 [12]"
    np.savez(tmp_path / "x.npz", PIXELS, **{f"a{i:02}": PIXELS for i in range(12)})
    assert ArrayListing(tmp_path / "x.npz").describe_left_out().endswith("a09 uint8 [12, 8, 8, 3] and 2 more")
    np.savez(tmp_path / "x.npz", PIXELS)
    assert ArrayListing(tmp_path / "x.npz").describe_left_out(False) == ""


LAYOUTS = {
    "NCHW": lambda x: x.transpose(0, 3, 1, 2).copy(),
    "RGBA": lambda x: np.concatenate([x, x[..., :1]], 3),
    "Fortran order": np.asfortranarray,
    "float in [0, 1]": lambda x: np.float32(x / 255),
    "float a little over 1": lambda x: np.where(x == 255, 1.004, x / 255),
    "float in [-1, 1]": lambda x: np.float32(x / 127.5 - 1),
    "half in [-1, 1], NCHW": lambda x: np.float16(x / 127.5 - 1).transpose(0, 3, 1, 2).copy(),
    "double in [0, 255]": np.float64,
    "black and white": lambda x: np.where(x > 127, 255, 0) > 0,
    "float NCHW": lambda x: (x / 255).transpose(0, 3, 1, 2).copy(),
    "int64": np.int64,
    "uint16": lambda x: x.astype(np.uint16) * 257,
    "a single one": lambda x: x[0],
    "grey": lambda x: x[..., 0],
    "grey channel": lambda x: x[..., :1],
    "grey NCHW": lambda x: x[..., :1].transpose(0, 3, 1, 2).copy(),
}


@pytest.mark.parametrize("kind", LAYOUTS)
def test_another_layout_is_refused_with_what_makes_pictures_of_it(path, monkeypatch, kind):
    x = LAYOUTS[kind](PIXELS)
    grey, single, hard = np.repeat(PIXELS[..., :1], 3, 3), PIXELS[:1], np.where(PIXELS > 127, 255, 0).astype(np.uint8)
    meant = {"a single one": single, "black and white": hard}.get(kind, grey if kind.startswith("grey") else PIXELS)
    monkeypatch.chdir(path.parent)
    for source in (save(path, x), save(path.with_name("its array.npz"), np.arange(2), **{"the array": x})):
        with pytest.raises(InputError, match=r"pictures are uint8 .*, RGB, in C order: python -c ") as caught:
            ArrayListing(source)
        message = str(caught.value)
        assert f"holds {x.dtype} {list(x.shape)}" in message and "\n" not in message
        _, _, code, *arguments = shlex.split(message.partition("C order: ")[2].partition(" makes rgb.npy")[0])
        monkeypatch.setattr(sys, "argv", ["-c", *arguments])
        exec(code, {})
        assert ArrayListing("rgb.npy").fingerprint == ArrayPictures(meant).fingerprint
    assert "since the first" in message or x.dtype in (bool, np.uint8)


def test_numbers_of_no_known_range_are_said(path):
    with pytest.raises(InputError, match=r"C order: its first numbers are from -4\.2 to 9; bring them to whole numbers from 0"):
        ArrayListing(save(path, np.array([[[[-4.2, 0, 9]] * 8] * 8])))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([{}, 1], object), r"holds object \[2\], and pictures are uint8 .* in C order$"),
        (np.zeros(5, [("a", "u1")]), r"and pictures are uint8"),
        (np.zeros((2, 9, 9, 5), np.uint8), r"holds uint8 \[2, 9, 9, 5\], and pictures are uint8 .* in C order$"),
        (np.zeros((2, 9, 7, 3), np.uint8), "7x9 pixels are too few to show a face"),
        (np.zeros((2,) * 12, np.uint8), "holds an array of 12 axes"),
    ],
)
def test_what_holds_no_pictures_is_refused(path, array, message):
    np.save(path, array, allow_pickle=True)
    with pytest.raises(InputError, match=message):
        ArrayListing(path)


def test_no_pictures_at_all(path):
    with pytest.raises(InputError, match="no usable picture: looked at 0 pictures"):
        EncodedPictures(ArrayListing(save(path, PIXELS[:0])))


def test_a_file_that_is_cut_short_or_changed_is_an_error(path):
    save(path, PIXELS)
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with pytest.raises(InputError, match="is cut short: 5 bytes of its array are missing"):
        ArrayListing(path)
    path.write_bytes(whole + b"crc32\n")
    with pytest.raises(InputError, match="6 bytes behind its array: a damaged file of `data pack`"):
        ArrayListing(path)
    path.write_bytes(whole)
    os.utime(path, (1e9, 1e9))
    pictures = EncodedPictures(ArrayListing(path))
    os.utime(path, (2e9, 2e9))
    with pytest.raises(GanimeError, match="was changed while in use"):
        pictures.load_batch([3], 8)
    pictures = EncodedPictures(ArrayListing(path))
    os.truncate(path, 500)
    with pytest.raises(GanimeError, match="was cut short while in use"):
        pictures.load_batch([11], 8)


def test_a_pixel_that_changed_in_an_npz_file_is_noticed(tmp_path):
    path = save(tmp_path / "x.npz", np.tile(PIXELS, (20, 1, 1, 1)))  # more than is read to find the array
    data = bytearray(path.read_bytes())
    data[data.rindex(PIXELS.tobytes()) + 1000] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"x\.npz is damaged, or no \.npz file \(another checksum\)"):
        ArrayListing(path)


def test_members_that_are_encrypted_or_compressed_beyond_measure_are_refused(tmp_path, monkeypatch):
    path = save(tmp_path / "z.npz", np.zeros((30, 40, 40, 3), np.uint8))
    assert len(ArrayListing(path)) == 30
    monkeypatch.setattr(numpy_files, "FREE", 2**12)
    with pytest.raises(InputError, match=r"unpacks to 144,128 bytes, too many for what it is; np\.savez instead"):
        ArrayListing(path)
    data = bytearray(save(tmp_path / "x.npz", PIXELS).read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    (tmp_path / "x.npz").write_bytes(data)
    with pytest.raises(InputError, match="is encrypted"):
        ArrayListing(tmp_path / "x.npz")
    monkeypatch.setattr(numpy_files, "MAX_DIRECTORY", 40)
    with pytest.raises(InputError, match="too many members"):
        ArrayListing(path)


def test_no_room_to_unpack_is_said(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(numpy_files.shutil, "disk_usage", lambda folder: SimpleNamespace(free=9))
    with pytest.raises(GanimeError, match=r"ganime has 0 MB of free space; 0 are needed"):
        ArrayListing(save(tmp_path / "z.npz", PIXELS))
    assert not [*cache.iterdir()]


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "xz.npz"])
def test_damage_ends_in_a_sentence(tmp_path, name):
    """At any place: what cannot be what it was is an InputError; what can gives pictures."""
    whole, rng, ends = save(tmp_path / name, PIXELS).read_bytes(), random.Random(name), set()
    path = tmp_path / f"damaged-{name}"
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            # Half of the times in a header or a directory.
            place = rng.choice(
                [rng.randrange(200), rng.randrange(max(0, len(data) - 130), len(data)), rng.randrange(len(data))]
            )
            data[place] = rng.randrange(256)
        if rng.random() < 0.2:
            del data[rng.randrange(len(data)) :]
        path.write_bytes(data)
        try:
            listing = ArrayListing(path)
            assert len(listing) <= 12 and all(len(listing.read(i)) == listing.size_of(i) for i in range(len(listing)))
            ends.add("read")
        except InputError as error:
            assert "\n" not in str(error)
            ends.add("refused")
    assert "refused" in ends


def test_a_header_that_claims_a_length_costs_nothing(path):
    path.write_bytes(npy.magic(2, 0) + (2**32 - 1).to_bytes(4, "little") + b"{" * 50)
    with pytest.raises(InputError, match=r"neither a \.npy nor an \.npz file, or damaged"):
        ArrayListing(path)
    for shape in ((2**70, 8, 8, 3), (-1, 8, 8, 3), (10**4000, 8, 8, 3), (2**40, 8, 8, 3)):
        file = io.BytesIO()
        npy.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        path.write_bytes(file.getvalue())
        with pytest.raises(InputError, match=r"or damaged|cut short"):
            ArrayListing(path)


def test_a_packed_file_is_known_and_can_be_looked_into(path, faces):
    packed = pack(PictureFolder(faces), path, 16)
    assert is_packed(path)
    listing = PackedListing(path)
    assert listing.fingerprint == packed.fingerprint and len(check(Sources([("x", listing)])).good) == 12
    assert np.array_equal(listing.load(5, 16), packed.load_batch([5], 16)[0])
    data = bytearray(path.read_bytes())
    data[500] ^= 1
    path.write_bytes(data)
    with pytest.raises(GanimeError, match="is damaged, or was changed"):
        check(Sources([("x", PackedListing(path))]))
    save(path, PIXELS)
    assert not is_packed(path)
    path.write_bytes(b"\x93NUMPY")
    assert not is_packed(path)


def test_pictures_are_saved_as_they_come(tmp_path, monkeypatch):
    path = tmp_path / "below" / "faces.npz"
    save_array(path, PIXELS.shape, (PIXELS[i : i + 5] for i in range(0, 12, 5)))
    first = path.read_bytes()
    with np.load(path) as arrays, zipfile.ZipFile(path) as archive:
        assert arrays.files == ["arr_0"] and np.array_equal(arrays["arr_0"], PIXELS)
        assert archive.infolist()[0].compress_type == zipfile.ZIP_STORED
    assert ArrayListing(path).fingerprint == ArrayPictures(PIXELS).fingerprint
    save_array(path, PIXELS.shape, [PIXELS])
    assert path.read_bytes() == first

    def fail():
        yield PIXELS[:5]
        raise OSError(28, "No space left on device")

    with pytest.raises(GanimeError, match=r"faces\.npz cannot be written \(.*No space left"):
        save_array(path, PIXELS.shape, fail())
    with pytest.raises(GanimeError, match="MB of free space; 3,000,000,000,000 are needed"):
        save_array(path, (10**12, 1000, 1000, 3), [])
    assert path.read_bytes() == first and [*path.parent.iterdir()] == [path]
