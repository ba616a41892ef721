import numpy as np
import pytest
import tensorflow as tf

from ganime.data.drawn import DrawnFaces
from ganime.data.pipeline import make_dataset
from ganime.errors import InputError
from ganime.training.sources import ArrayPictures, as_pictures

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)


@pytest.mark.parametrize(
    "given", [PIXELS, PIXELS / 127.5 - 1, np.float32(PIXELS / 127.5 - 1), tf.constant(PIXELS), PIXELS[::-1][::-1]]
)
def test_an_array_is_a_set_of_pictures(given):
    pictures = as_pictures(given)
    assert len(pictures) == 6 and pictures.fingerprint == as_pictures(PIXELS).fingerprint
    assert np.array_equal(pictures.load_batch([4, 1, 4], 8), PIXELS[[4, 1, 4]])
    assert repr(pictures) == "<ArrayPictures: 6 pictures of an array, 8x8>"


def test_training_leaves_an_array_as_it_is():
    pictures, before = as_pictures(PIXELS), PIXELS.copy()
    [*make_dataset(pictures, 8, 4, last_step=4, flips=True)]
    assert np.array_equal(PIXELS, before)
    assert pictures.fingerprint != ArrayPictures(PIXELS[::-1]).fingerprint
    with pytest.raises(InputError, match="pictures are 8x8, not 16x16: resize them first"):
        pictures.load_batch([0], 16)


def test_what_is_a_set_already_or_names_one_is_taken(faces):
    drawn = DrawnFaces(20)
    assert as_pictures(drawn) is drawn
    assert len(as_pictures(str(faces))) == len(as_pictures(faces)) == 12


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (tf.data.Dataset.from_tensors(PIXELS), "a _TensorDataset is no set of pictures that can be read at any place"),
        ([1, 2], r"a list is no set .*: give a path, an array .*, or an object with __len__, load_batch, fingerprint$"),
        (DrawnFaces, "a type is no set"),
        (PIXELS[0], r"\[count, size, size, 3\], not \[8, 8, 3\]"),
        (PIXELS[:, :4], r"not \[6, 4, 8, 3\]"),
        (PIXELS[:0], "not .0, 8"),
        (np.int64(PIXELS), "uint8 or float, not int64"),
        (PIXELS / 255, r"of \[0, 1\]\? scale them"),
        (np.float32(PIXELS), r"of 0\.\.\.255\? scale them"),
        (PIXELS * np.nan, "not a number"),
    ],
)
def test_what_is_none_is_refused_in_a_sentence(given, message):
    with pytest.raises(InputError, match=message):
        as_pictures(given)
