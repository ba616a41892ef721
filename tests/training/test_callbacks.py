import os
import resource
import signal
import sys
import threading
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ganime import files
from ganime.errors import GanimeError, InputError, NonFiniteError
from ganime.history import MEANS, Summary, read_history
from ganime.state import read_about
from ganime.training import callbacks as cb
from ganime.training.forms import own_statistics
from ganime.training.periodic import Periodic
from tests.training.small import PICTURES, make_small_gan, small_gan


@pytest.fixture
def gan():
    return small_gan()


@pytest.fixture
def dataset():
    return tf.data.Dataset.from_tensors(PICTURES[:4])


def fit(gan, dataset, steps, *callbacks):
    gan.fit(dataset.repeat(steps), shuffle=False, verbose=0, callbacks=list(callbacks))


def test_all_work_in_somebody_elses_fit(gan, dataset, tmp_path):
    fit(
        gan,
        dataset,
        5,
        cb.SampleGrid(tmp_path / "samples", every=2, count=4),
        history := cb.History(tmp_path / "history.csv", batch_size=4),
        cb.Checkpoint(tmp_path / "gan.weights.h5", tmp_path / "generator.keras", every=2),
        cb.Plots(history, tmp_path, every=4),
        cb.ProgressGif(tmp_path / "samples", tmp_path / "progress.gif"),
    )
    assert sorted(p.name for p in tmp_path.glob("samples/*")) == [f"step-00000{i}.png" for i in (0, 2, 4, 5)]
    assert sorted(p.name for p in tmp_path.glob("*.*")) == [
        *("gan.weights.h5", "generator.keras", "history.csv", "losses.png", "progress.gif", "scores.png")
    ]
    history = read_history(tmp_path / "history.csv")
    assert history["step"].tolist() == [1, 2, 3, 4, 5]
    assert {"seconds", "images_per_second", "d_loss", "g_loss", "real_score", "fake_score", "d_accuracy"} < set(history)
    latents = np.ones((2, 4), np.float32)
    generator = keras.models.load_model(tmp_path / "generator.keras")
    with own_statistics(gan.averaged_generator) as average:
        assert np.array_equal(generator(latents), average(latents))


def test_tensorboard_counts_the_runs_steps(gan, dataset, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for _ in range(2):
        fit(gan, dataset, 3, cb.TensorBoard(tmp_path, update_freq=1))
    events = EventAccumulator(str(tmp_path / "train"))
    events.Reload()
    assert [event.step for event in events.Tensors("batch_g_loss")] == [1, 2, 3, 4, 5, 6]


def test_history_drops_the_rows_after_a_state(gan, dataset, tmp_path):
    history = cb.History(tmp_path / "history.csv", 4)
    fit(gan, dataset, 3, history)
    before = (tmp_path / "history.csv").read_text().splitlines()
    gan.step.assign(2)
    fit(gan, dataset, 2, history)
    after = (tmp_path / "history.csv").read_text().splitlines()
    assert after[:3] == before[:3]
    assert read_history(tmp_path / "history.csv")["step"].tolist() == [1, 2, 3, 4]
    assert np.diff(read_history(tmp_path / "history.csv")["seconds"]).min() > 0


@pytest.mark.parametrize("left", ["rows", "nothing"])
def test_a_history_that_lost_rows_is_named(gan, dataset, tmp_path, caplog, left):
    path = tmp_path / "history.csv"
    history = cb.History(path, 4)
    fit(gan, dataset, 3, history)
    header, *rows = path.read_text().splitlines(keepends=True)
    path.unlink() if left == "nothing" else path.write_text(header + "".join(rows[1:])[:-9])
    kept = "as it was, it is kept as history-damaged-1.csv" if left == "rows" else "it is not there any more"
    fit(gan, dataset, 1, history)
    assert caplog.messages == [f"{path} lacks rows of this training, or has some that cannot be read: {kept}"]
    assert read_history(path)["step"].tolist() == ([2, 4] if left == "rows" else [4])
    assert history.summary.rows == 4  # the plots know all


def test_history_takes_columns_that_come_later(gan, dataset, tmp_path):
    class Scores(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if gan.step.numpy() == self.step:
                logs["score"] = float(self.step)

    scores, history = Scores(), cb.History(tmp_path / "history.csv", 4)
    for scores.step in (2, 5):
        fit(gan, dataset, 3, scores, history)
    fit(gan, dataset, 1, history)  # and goes on without
    columns = read_history(tmp_path / "history.csv")
    nan = np.nan
    assert np.array_equal(columns["score"], [nan, 2, nan, nan, 5, nan, nan], equal_nan=True)
    assert columns["step"].tolist() == [1, 2, 3, 4, 5, 6, 7] and np.isfinite(columns["d_loss"]).all()


def test_a_loss_that_is_not_finite_stops_at_once(gan, dataset, tmp_path):
    checkpoint = cb.Checkpoint(tmp_path / "gan.weights.h5", tmp_path / "generator.keras", every=1)
    fit(gan, dataset, 1, cb.StopOnNonFinite(), checkpoint)
    good = (tmp_path / "gan.weights.h5").read_bytes()
    gan.discriminator.trainable_variables[0].assign_add(np.full(gan.discriminator.trainable_variables[0].shape, np.nan))
    with pytest.raises(NonFiniteError, match=r"step 2: (real|fake)_loss is nan.*learning_rate"):
        fit(gan, dataset, 1, cb.StopOnNonFinite(), checkpoint)
    assert (tmp_path / "gan.weights.h5").read_bytes() == good


def test_weights_that_are_not_finite_are_not_saved(gan, dataset, tmp_path):
    gan.generator.trainable_variables[0].assign(np.full(gan.generator.trainable_variables[0].shape, np.inf))
    with pytest.raises(NonFiniteError, match="weight"):
        fit(gan, dataset, 1, cb.Checkpoint(tmp_path / "gan.weights.h5", tmp_path / "generator.keras", every=1))
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_up_while_a_state_is_written_costs_that_state_alone(gan, dataset, tmp_path, monkeypatch):
    """A limit on the length of a process' files fails a write in the middle, as a full disk does, and with other words."""
    checkpoint = cb.Checkpoint(tmp_path / "gan.weights.h5", tmp_path / "generator.keras", every=1)
    fit(gan, dataset, 1, checkpoint)
    names, before = sorted(tmp_path.iterdir()), (tmp_path / "gan.weights.h5").read_bytes()
    monkeypatch.setattr(files, "PATIENCE", 0)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        with pytest.raises(GanimeError, match=r"step 2 cannot be saved \(.*File too large.*\); the state of step 1 is saved"):
            fit(gan, dataset, 1, checkpoint)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert sorted(tmp_path.iterdir()) == names and (tmp_path / "gan.weights.h5").read_bytes() == before


def test_saving_is_tried_again_until_the_drive_is_back(gan, tmp_path, monkeypatch, caplog):
    folder, pauses = tmp_path / "drive", []

    def come_back(seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            folder.unlink()

    folder.touch()  # no folder can be there, for a while
    monkeypatch.setattr(files.time, "sleep", come_back)
    checkpoint = cb.Checkpoint(folder / "gan.weights.h5", folder / "generator.keras")
    checkpoint.set_model(gan)
    checkpoint.on_train_begin()
    checkpoint.save()
    assert checkpoint.kept == "the state of step 0 is saved" and (folder / "gan.weights.h5").exists()
    assert pauses == [0.1, 0.2, 0.4]
    assert len(caplog.messages) == 1 and "step 0 cannot be saved" in caplog.messages[0]


def test_the_state_before_the_last_is_kept(gan, dataset, tmp_path):
    last, before = tmp_path / "gan.weights.h5", tmp_path / "previous.weights.h5"
    checkpoint = cb.Checkpoint(last, tmp_path / "generator.keras", 1, lambda: {"step": int(gan.step)}, before)
    for step in (1, 2, 3):
        fit(gan, dataset, 1, checkpoint)
        assert read_about(last) == {"step": step} and read_about(before) == ({"step": step - 1} if step > 1 else {})


def test_what_is_due_after_executions_of_several_steps(dataset):
    """The last execution of an epoch may be shorter than the others."""

    class Due(Periodic):
        steps = ()

        def on_train_batch_end(self, batch, logs=None):
            self.steps += (self.step,) * self.is_due()

    due = Due(4)
    gan = make_small_gan(steps_per_execution=3)
    gan.fit(dataset.repeat(5), epochs=2, shuffle=False, verbose=0, callbacks=[due])
    assert due.steps == (5, 8)  # of the steps 3, 5, 8 and 10


def test_a_signal_ends_training_after_the_step(gan, dataset):
    stop = cb.StopOnSignal()

    class Kill(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.step) == 3:
                threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGTERM)).start()
                time.sleep(0.2)

    before = signal.getsignal(signal.SIGTERM)
    fit(gan, dataset, 1000, stop, Kill())
    assert stop.received == signal.SIGTERM
    assert 3 <= int(gan.step) <= 4
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_is_open_in_a_viewer_stays_as_it_is_and_ends_no_training(gan, tmp_path, monkeypatch, caplog):
    def refuse(part, path):
        raise PermissionError(13, "Access is denied", os.fspath(part), None, os.fspath(path))

    monkeypatch.setattr(os, "replace", refuse)
    monkeypatch.setattr(files, "HELD_OPEN", -1)
    monkeypatch.setattr(files, "PATIENCE", -1)
    (tmp_path / "samples").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "samples" / "step-000000.png")
    history = cb.History(tmp_path / "history.csv", 4, Summary())
    history.summary.add(dict.fromkeys(MEANS, 1.0))
    grid, plots = cb.SampleGrid(tmp_path / "samples", count=1), cb.Plots(history, tmp_path)
    gif = cb.ProgressGif(tmp_path / "samples", tmp_path / "progress.gif")
    checkpoint = cb.Checkpoint(tmp_path / "gan.weights.h5", tmp_path / "generator.keras")
    for callback in (grid, plots, checkpoint):
        callback.set_model(gan)
    for _ in range(2):
        grid.save(5)
        plots.save()
        gif.on_train_end()
    assert caplog.messages == [
        f"{path} cannot be written (it cannot be replaced, another program may hold it open); training goes on"
        for path in (tmp_path / "samples" / "step-000005.png", tmp_path / "losses.png", tmp_path / "progress.gif")
    ]
    checkpoint.saved_step = None
    with pytest.raises(GanimeError, match=r"step 0 cannot be saved .*another program may hold it open.*; nothing is saved yet"):
        checkpoint.save()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cb.SampleGrid("samples", every=0), "every: 0 is not"),
        (lambda: cb.SampleGrid("samples", count=0), "count: 0 is not"),
        (lambda: cb.Checkpoint("gan.weights.h5", "generator.keras", every="9"), "every: '9' is not"),
        (lambda: cb.Checkpoint("ck.h5", "gen.keras"), r"state_path: 'ck\.h5' does not end in \.weights\.h5"),
        (lambda: cb.Checkpoint("gan.weights.h5", "gen.h5"), r"generator_path: 'gen\.h5' does not end in \.keras"),
        (lambda: cb.Plots(cb.History("history.csv", 4), ".", every=0), "every: 0 is not"),
        (lambda: cb.History("history.csv", 0), "batch_size: 0 is not"),
        (lambda: cb.ProgressGif("samples", "progress.gif", most=0), "most: 0 is not"),
    ],
)
def test_callbacks_that_could_not_work_are_refused_at_once(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_an_animation_of_nothing_is_said(tmp_path, caplog):
    cb.ProgressGif(tmp_path / "elsewhere", tmp_path / "progress.gif").on_train_end()
    assert len(caplog.messages) == 1 and "progress.gif is not made: there are no grids" in caplog.text
    assert not [*tmp_path.iterdir()]


def test_tensorboard_says_what_it_lacks(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(GanimeError, match=r"^this needs tensorboard: pip install tensorboard$"):
        cb.TensorBoard(tmp_path)


def test_images_per_second_are_those_of_the_step(tmp_path):
    """Not of what comes between two steps, before the history and after it; the seconds go on."""

    class Slow(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            time.sleep(0.2)

    history = cb.History(tmp_path / "history.csv", batch_size=4)
    small_gan().fit(PICTURES, batch_size=4, verbose=0, callbacks=[history.clock, Slow(), history, Slow()])
    columns = read_history(tmp_path / "history.csv")
    assert (4 / columns["images_per_second"]).sum() < columns["seconds"][1] - 0.6
