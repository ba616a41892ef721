"""Labelled pictures in batches, as often as there are such pictures or all labels equally often."""

import numpy as np
import pytest
import tensorflow as tf

from ganime.data.labelled import LabelledPictures, label_pictures
from ganime.data.memory import RememberedPictures
from ganime.data.pipeline import make_dataset, resident_batches
from ganime.data.split import Selection
from ganime.errors import InputError

KINDS = ["b"] * 20 + ["a"] * 9 + ["c"]


@pytest.fixture(scope="module")
def pictures():
    """Thirty pictures that show their numbers, of three labels."""
    return label_pictures(np.broadcast_to(np.arange(30, dtype=np.uint8)[:, None, None, None], (30, 8, 8, 3)), KINDS)


def drawn(dataset):
    images, weights = map(np.concatenate, zip(*dataset.as_numpy_iterator(), strict=True))
    assert images.dtype == np.uint8 and weights.dtype == np.float32
    assert np.array_equal(weights.sum(1), np.ones(len(weights))) and np.isin(weights, [0, 1]).all()
    return images[:, 0, 0, 0].astype(int), weights.argmax(1)


def test_pictures_come_with_their_labels_in_the_order_that_they_have_without(pictures):
    labelled = drawn(make_dataset(pictures, 8, 6, 0, 10, seed=3, flips=True))
    plain = [batch[:, 0, 0, 0] for batch in make_dataset(pictures.pictures, 8, 6, 0, 10, 3, True).as_numpy_iterator()]
    assert np.array_equal(labelled[0], np.concatenate(plain)) and pictures.labels == ("a", "b", "c")
    assert [pictures.labels[label] for label in labelled[1]] == [KINDS[index] for index in labelled[0]]
    other = drawn(make_dataset(pictures, 8, 6, 0, 10, seed=3, labels=["x", "c", "b", "a"]))
    assert np.array_equal(other[1], 3 - labelled[1])
    with pytest.raises(InputError, match="label 'c' is none"):
        make_dataset(pictures, 8, 6, labels=["a", "b"])


def test_balanced_all_labels_and_in_each_all_pictures_are_shown_equally_often(pictures):
    indices, labels = drawn(make_dataset(pictures, 8, 6, 0, 200, balance_labels=True))
    assert np.bincount(labels).tolist() == [400, 400, 400]
    assert [pictures.labels[label] for label in labels] == [KINDS[index] for index in indices]
    counts = np.bincount(indices)
    assert set(counts[:20]) == {20} and set(counts[20:29]) == {44, 45} and counts[29] == 400
    assert all(sorted(labels[i : i + 3]) == [0, 1, 2] for i in range(0, 1200, 3))  # in any order
    assert len({tuple(labels[i : i + 3]) for i in range(0, 1200, 3)}) == 6
    first, second = (indices[labels == 1][i : i + 20] for i in (0, 20))
    assert sorted(first) == sorted(second) == [*range(20)] and not np.array_equal(first, second)


def test_balanced_batches_are_functions_of_seed_and_step_and_parted_among_devices(pictures):
    def batches(first, last, seed=0, shares=(0, 1, 1)):
        return [*make_dataset(pictures, 8, 6, first, last, seed, True, shares, balance_labels=True).as_numpy_iterator()]

    whole, later, other = batches(0, 9), batches(7, 9), batches(0, 9, seed=1)
    for one, same in zip(whole[7:], later, strict=True):
        assert all(map(np.array_equal, one, same))
    assert not np.array_equal(whole[0][0], other[0][0])
    halves = [batches(0, 9, shares=(first, 1, 2)) for first in (0, 1)]
    for one, *parts in zip(whole, *halves, strict=True):
        assert all(np.array_equal(a, np.concatenate(b)) for a, b in zip(one, zip(*parts, strict=True), strict=True))


@pytest.mark.parametrize("balanced", [False, True])
def test_the_device_gives_the_same_batches(pictures, balanced):
    part = Selection(pictures, np.arange(29, 0, -1))
    kept = RememberedPictures(part, 8)
    expected = [*make_dataset(kept, 8, 4, 0, 20, 5, True, labels="cab", balance_labels=balanced).as_numpy_iterator()]
    assert kept.complete
    next_batch = tf.function(resident_batches(kept.images, 4, 5, True, kept, "cab", balanced))
    for step, batch in enumerate(expected):
        assert all(map(np.array_equal, next_batch(tf.constant(step, tf.int64)), batch))


def test_a_label_that_is_on_no_picture_of_a_part_is_left_out_of_the_balance(pictures):
    part = LabelledPictures(pictures.pictures, "xaby", np.where(np.arange(30) < 20, 2, 1))
    assert np.bincount(drawn(make_dataset(part, 8, 5, 0, 10, balance_labels=True))[1]).tolist() == [0, 25, 25]
