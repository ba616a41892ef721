import os
import signal
import threading
import time
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from ganime import files
from ganime.errors import GanimeError, NonFiniteError
from ganime.run import read_history
from ganime.training import callbacks as cb
from ganime.training.fit import build_gan


@pytest.fixture
def gan(tiny):
    gan = build_gan(tiny)
    gan.run_eagerly = True
    return gan


@pytest.fixture
def dataset(images):
    return tf.data.Dataset.from_tensors(images)


def fit(gan, dataset, steps, *callbacks):
    gan.fit(dataset.repeat(steps), shuffle=False, verbose=0, callbacks=list(callbacks))


def test_all_work_in_somebody_elses_fit(gan, dataset, tmp_path):
    fit(
        gan,
        dataset,
        5,
        cb.SampleGrid(tmp_path / "samples", every=2, count=4),
        cb.History(tmp_path / "history.csv", batch_size=4),
        cb.Checkpoint(tmp_path / "gan.weights.h5", tmp_path / "generator.keras", every=2),
        cb.Plots(tmp_path / "history.csv", tmp_path, every=4),
        cb.ProgressGif(tmp_path / "samples", tmp_path / "progress.gif"),
    )
    assert sorted(p.name for p in tmp_path.glob("samples/*")) == [f"step-00000{i}.png" for i in (0, 2, 4, 5)]
    assert sorted(p.name for p in tmp_path.glob("*.*")) == [
        *("gan.weights.h5", "generator.keras", "history.csv", "losses.png", "progress.gif", "scores.png")
    ]
    history = read_history(tmp_path / "history.csv")
    assert history["step"].tolist() == [1, 2, 3, 4, 5]
    assert {"seconds", "images_per_second", "d_loss", "g_loss", "real_score", "fake_score", "d_accuracy"} < set(history)
    latents = np.ones((2, 8), np.float32)
    generator = keras.models.load_model(tmp_path / "generator.keras")
    assert np.array_equal(generator(latents), gan.averaged_generator(latents))


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


def test_a_full_disk_is_noticed_before_writing(gan, dataset, tmp_path, monkeypatch):
    checkpoint = cb.Checkpoint(tmp_path / "gan.weights.h5", tmp_path / "generator.keras", every=1)
    fit(gan, dataset, 1, checkpoint)
    before = (tmp_path / "gan.weights.h5").read_bytes()
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1_000_000))
    with pytest.raises(GanimeError, match="no room to save step 2"):
        fit(gan, dataset, 1, checkpoint)
    assert (tmp_path / "gan.weights.h5").read_bytes() == before


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
    monkeypatch.setattr(files, "PATIENCE", -1)
    (tmp_path / "history.csv").write_text("step,d_loss,g_loss,real_score,fake_score\n1,1,1,0.5,0.5\n")
    (tmp_path / "samples").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "samples" / "step-000000.png")
    grid, plots = cb.SampleGrid(tmp_path / "samples", count=1), cb.Plots(tmp_path / "history.csv", tmp_path)
    gif = cb.ProgressGif(tmp_path / "samples", tmp_path / "progress.gif")
    checkpoint = cb.Checkpoint(tmp_path / "gan.weights.h5", tmp_path / "generator.keras")
    for callback in (grid, plots, checkpoint):
        callback.set_model(gan)
    for _ in range(2):
        grid.save(5)
        plots.save()
        gif.on_train_end()
    assert caplog.messages == [
        f"{path} stays as it is (it cannot be replaced, another program may hold it open); training goes on"
        for path in (tmp_path / "samples" / "step-000005.png", tmp_path / "losses.png", tmp_path / "progress.gif")
    ]
    with pytest.raises(PermissionError, match="another program may hold it open"):
        checkpoint.save()
