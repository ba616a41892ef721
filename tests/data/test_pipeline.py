import numpy as np
import pytest
import tensorflow as tf

from ganime.data.pipeline import make_dataset
from ganime.errors import InputError


class Numbered:
    """Pictures that show their index: its two low bytes, and a left and a right half."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def load_batch(self, indices, size):
        batch = np.zeros((len(indices), size, size, 3), np.uint8)
        for picture, index in zip(batch, indices, strict=True):
            picture[..., 0], picture[..., 1] = index // 256 % 256, index % 256
            picture[:, size // 2 :, 2] = 255
        return batch


def indices(dataset):
    batches = np.stack(list(dataset.as_numpy_iterator())).astype(int)
    return batches[:, :, 0, 0, 0] * 256 + batches[:, :, 0, 0, 1]


def test_every_epoch_is_another_permutation():
    order = indices(make_dataset(Numbered(1000), 4, 8, 0, 250)).reshape(2, 1000)
    for epoch in order:
        assert sorted(epoch) == list(range(1000))
        assert np.abs(np.corrcoef(epoch, np.arange(1000))[0, 1]) < 0.1
    assert not np.array_equal(order[0], order[1])


def test_an_epoch_may_end_within_a_batch():
    order = indices(make_dataset(Numbered(10), 4, 4, 0, 5)).ravel()
    assert sorted(order[:10]) == sorted(order[10:]) == list(range(10))


def test_a_batch_is_a_function_of_seed_and_step():
    settings = {"pictures": Numbered(500), "image_size": 4, "batch_size": 8, "flips": True}
    whole = list(make_dataset(**settings, first_step=0, last_step=100, seed=1).as_numpy_iterator())
    part = list(make_dataset(**settings, first_step=90, last_step=100, seed=1).as_numpy_iterator())
    assert all(np.array_equal(a, b) for a, b in zip(whole[90:], part, strict=True))
    other = next(make_dataset(**settings, seed=2).as_numpy_iterator())
    assert not np.array_equal(whole[0], other)


def test_half_of_the_pictures_are_mirrored():
    def mirrored(flips):
        batches = np.stack(list(make_dataset(Numbered(500), 4, 50, 0, 20, flips=flips).as_numpy_iterator()))
        return (batches[..., 0, 0, 2] == 255).mean()

    assert mirrored(False) == 0
    assert mirrored(True) == pytest.approx(0.5, abs=0.05)


def test_only_what_is_asked_for_is_read():
    read = []
    pictures = Numbered(100_000)
    load = pictures.load_batch
    pictures.load_batch = lambda indices, size: read.extend(indices) or load(indices, size)
    far = make_dataset(pictures, 4, 8, first_step=10**12)
    assert far.take(1).cardinality() == 1
    batch = next(iter(far))
    assert batch.dtype == tf.uint8 and batch.shape == (8, 4, 4, 3)
    assert len(read) < 1000  # the batch, and what is prefetched


@pytest.mark.parametrize(("count", "size", "batch"), [(8, 32, 0), (8, 0, 4), (0, 32, 4)])
def test_a_batch_of_nothing_is_refused(count, size, batch):
    with pytest.raises(InputError, match="no batch can be made"):
        make_dataset(Numbered(count), size, batch)
