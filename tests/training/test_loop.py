"""Stretches of steps: the same training whatever their length, and no step lost."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from ganime.data.memory import RememberedPictures
from ganime.data.pipeline import make_dataset, resident_batches
from ganime.errors import InputError, NonFiniteError
from ganime.history import read_history
from ganime.training import callbacks as cb
from ganime.training import loop
from ganime.training.loop import train
from ganime.training.periodic import Periodic
from tests.training.small import make_small_gan, small_gan
from tests.training.test_gan import same, weights


@pytest.fixture(autouse=True)
def no_haste(monkeypatch):
    """Stretches become as long as they may, on a busy computer too."""
    monkeypatch.setattr(loop, "SECONDS", 1e6)


class Colored:
    """Pictures of one color each, and how often each was loaded."""

    fingerprint = "colored"

    def __init__(self, count=50):
        self.loaded = np.zeros(count, int)

    def __len__(self):
        return len(self.loaded)

    def load_batch(self, indices, size):
        np.add.at(self.loaded, indices, 1)
        rows = np.random.default_rng(0).integers(0, 256, (len(self), size, size, 3), np.uint8)
        return rows[indices]


class Calls(keras.callbacks.Callback):
    """The steps of each stretch, as a callback is told of them."""

    def __init__(self, every=None):
        super().__init__()
        self.stretches, self.every, self.began = [], every, None

    def next_due(self, step):
        return math.inf if self.every is None else (step // self.every + 1) * self.every

    def on_train_batch_begin(self, batch, logs=None):
        self.began = batch, self.model.steps_per_execution

    def on_train_batch_end(self, batch, logs=None):
        first, count = self.began
        assert batch == first + count - 1 and len(logs.earlier) == count - 1
        self.stretches.append(count)


def pipeline(gan, pictures, last):
    batches = iter(make_dataset(pictures, 8, 4, int(gan.step), last, seed=3, flips=True))

    def next_batch(step):
        return next(batches)

    return lambda: next_batch


def trained(tmp_path, name, last=30, longest=None, callbacks=(), source=None, **settings):
    gan = make_small_gan(**settings) if settings else small_gan(traced=True)
    history = cb.History(tmp_path / f"{name}.csv", 4)
    train(gan, source or pipeline(gan, Colored(), last), last, [*callbacks, history], longest=longest)
    logs = {k: v for k, v in read_history(tmp_path / f"{name}.csv").items() if k not in ("seconds", "images_per_second")}
    return gan, logs


def test_the_length_of_a_stretch_changes_nothing_and_no_step_is_lost(tmp_path):
    gan, logs = trained(tmp_path, "keras", 0)
    history = cb.History(tmp_path / "plain.csv", 4)
    gan.fit(make_dataset(Colored(), 8, 4, 0, 30, 3, True), shuffle=False, verbose=0, callbacks=[history])
    expected, plain = weights(gan), read_history(tmp_path / "plain.csv")
    for longest in (1, 7, None):
        calls = Calls()
        other, logs = trained(tmp_path, str(longest), longest=longest, callbacks=[calls])
        assert sum(calls.stretches) == 30 and max(calls.stretches) <= (longest or 30)
        assert longest == 1 or max(calls.stretches) > 3
        assert same(weights(other), expected)
        for name, values in logs.items():
            assert np.array_equal(values, plain[name]), name
        assert other.steps_per_execution == 1


def test_a_stretch_ends_where_something_is_due(tmp_path):
    class Due(Periodic):
        steps = ()

        def on_train_batch_end(self, batch, logs=None):
            self.steps += (self.step,) * self.is_due()

    due, calls = [Due(7), Due(10)], Calls()
    trained(tmp_path, "due", 32, callbacks=[*due, calls])
    assert [one.steps for one in due] == [(7, 14, 21, 28), (10, 20, 30)]
    ends = {int(step) for step in np.cumsum(calls.stretches)}
    assert {7, 10, 14, 20, 21, 28, 30, 32} <= ends and len(ends) < 32


@pytest.mark.parametrize(
    "foreign",
    [
        keras.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: None),
        keras.callbacks.ModelCheckpoint("unused.keras", save_freq=1000),
    ],
    ids=["LambdaCallback", "ModelCheckpoint"],
)
def test_a_callback_that_knows_no_stretches_gets_every_step(foreign, tmp_path):
    calls = Calls()
    trained(tmp_path, "foreign", 6, callbacks=[foreign, calls])
    assert calls.stretches == [1] * 6
    waiting = Calls()
    trained(tmp_path, "epochs", 6, callbacks=[keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate), waiting])
    assert len(waiting.stretches) < 6


def test_a_value_that_is_not_finite_is_found_with_its_step(tmp_path):
    class Wrong(tf.keras.optimizers.SGD):
        def apply(self, gradients, variables=None):
            spoil = tf.where(self.iterations == 4, math.nan, 0.0)
            super().apply([gradient + tf.cast(spoil, gradient.dtype) for gradient in gradients], variables)

    calls = Calls(16)
    with pytest.raises(NonFiniteError, match="step 5: g_loss is nan"):
        trained(tmp_path, "nan", 16, callbacks=[calls, cb.StopOnNonFinite()], d_optimizer=Wrong(1e-3))
    assert calls.stretches[-1] > 2  # it was within a stretch


def test_what_was_done_before_an_error_is_counted(tmp_path):
    """Of a stretch in whose middle the pictures end."""
    gan, history = small_gan(traced=True), cb.History(tmp_path / "history.csv", 4)
    with pytest.raises(tf.errors.OutOfRangeError):
        train(gan, pipeline(gan, Colored(), 13), 30, [history])
    assert int(gan.step) == 13 and read_history(tmp_path / "history.csv")["step"].tolist() == list(range(1, 14))
    expected = weights(gan)
    assert same(weights(trained(tmp_path, "other", 13)[0]), expected)


def test_a_callback_that_cannot_work_is_refused(tmp_path):
    with pytest.raises(InputError, match="TerminateOnNaN"):
        trained(tmp_path, "refused", callbacks=[keras.callbacks.TerminateOnNaN()])


def test_epochs_logs_are_means_over_the_steps(tmp_path):
    gan, logs = trained(tmp_path, "means", 20)
    for name in ("d_loss", "g_loss", "real_score"):
        assert gan.history.history[name] == [pytest.approx(logs[name].mean())]


def test_resident_pictures_give_the_pipelines_batches():
    """To the bit, over the ends of epochs, mirrored or not, and beside the pipeline's own threads."""
    pictures = Colored(10)
    kept = RememberedPictures(pictures, 8)
    for flips in (False, True):
        expected = [batch.numpy() for batch in make_dataset(kept, 8, 4, 3, 15, seed=5, flips=flips)]
        assert kept.complete  # two threads may load one picture at the same time
        next_batch = tf.function(resident_batches(kept.images, 4, seed=5, flips=flips))
        for step, batch in enumerate(expected, 3):
            assert np.array_equal(next_batch(tf.constant(step, tf.int64)), batch)


def test_a_step_is_traced_once_though_the_pictures_come_from_elsewhere(tmp_path, monkeypatch):
    gan, traced, kept = make_small_gan(), [], RememberedPictures(Colored(12), 8)
    step, lazy = gan.train_step, pipeline(gan, kept, 20)()
    monkeypatch.setattr(gan, "train_step", lambda data: traced.append(data.shape) or step(data))
    resident = resident_batches(kept.images, 4, seed=3, flips=True)  # not filled yet
    used = []

    def source():
        used.append(resident if kept.complete else lazy)
        return used[-1]

    train(gan, source, 20, [])
    assert used[0] is lazy and used[-1] is resident
    assert traced == [(4, 8, 8, 3)]


def test_pictures_are_remembered_as_they_come():
    pictures = Colored(6)
    kept = RememberedPictures(pictures, 4)
    assert len(kept) == 6
    for indices in ([4, 2, 4], [2, 2, 5], [0, 1], [3]):
        assert not kept.complete
        assert np.array_equal(kept.load_batch(indices, 4), Colored(6).load_batch(indices, 4))
    assert kept.complete and pictures.loaded.tolist() == [1] * 6
