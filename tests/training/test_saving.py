"""Steps that a training keeps, and what starts or continues from them."""

import os
import shutil
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

import ganime
from ganime import files
from ganime.data.drawn import DrawnFaces
from ganime.errors import GanimeError, InputError
from ganime.files import hash_file
from ganime.run import Run
from ganime.snapshots import kept_steps, open_run, snapshot_paths
from ganime.state import read_state
from ganime.training import callbacks as cb
from ganime.training.fit import fit
from ganime.training.loading import load_gan, open_start
from tests.training.small import PICTURES, one_gan, small_gan  # noqa: F401
from tests.training.test_fit import assert_same_training
from tests.training.test_start import flip

DRAWN = DrawnFaces(20)


@pytest.fixture(scope="module")
def kept(plain, tmp_path_factory):
    """A run of seven steps, of which it keeps every second one; it saves every third."""
    run = Run(tmp_path_factory.mktemp("runs") / "kept")
    fit(run, plain, DRAWN, steps=7, sample_every=4, save_every=3, verbose=0, keep_every=2)
    return run


@pytest.fixture(scope="module")
def stopped(kept, plain):
    """A run that was stopped at step 4 and has kept nothing so far."""
    run = Run(kept.path.with_name("stopped"))
    fit(run, plain, DRAWN, steps=4, verbose=0)
    return run


@pytest.fixture
def copy(kept, tmp_path):
    """The run of seven steps, to be harmed."""
    return Run(shutil.copytree(kept.path, tmp_path / "kept"))


def same_state(one, other):
    """Whether two states hold the same to the bit, and belong to the same; apart from the time that they took."""
    one, other = (read_state(path) for path in (one, other))
    assert one.about["config"] == other.about["config"] and one.about["history"]["step"] == other.about["history"]["step"]
    return len(one.weights) > 10_000 and one.weights == other.weights


def same_generator(one, other):
    pairs = zip(*(keras.models.load_model(path).get_weights() for path in (one, other)), strict=True)
    return all(np.array_equal(*pair) for pair in pairs)


def test_a_kept_step_is_what_a_run_that_is_stopped_there_saves(kept, stopped):
    assert kept_steps(kept.snapshots_path) == [0, 2, 4, 6]
    state, generator = snapshot_paths(kept.snapshots_path, 4)
    assert same_state(state, stopped.state_path) and same_generator(generator, stopped.generator_path)
    assert "snapshots" not in kept.config_path.read_text() and kept.read_config() == stopped.read_config()
    assert int(load_gan(kept).step) == 7 and not stopped.snapshots_path.exists()


def test_a_kept_state_in_place_of_the_runs_own_goes_on_to_the_bit(kept, copy, plain, caplog):
    """Steps that come again are kept again, as they were."""
    shutil.copyfile(snapshot_paths(copy.snapshots_path, 2)[0], copy.state_path)
    copy.previous_path.unlink()
    for path in snapshot_paths(copy.snapshots_path, 4):
        path.unlink()  # by hand
    fit(copy, plain, DRAWN, steps=7, verbose=0, keep_every=2)
    assert_same_training(copy, kept)
    assert not caplog.messages
    for step in (0, 2, 4, 6):
        (state, generator), (other, made) = (snapshot_paths(run.snapshots_path, step) for run in (kept, copy))
        assert same_state(state, other) and same_generator(generator, made)


def test_a_run_that_is_continued_can_begin_to_keep(kept, stopped, plain, tmp_path):
    run = Run(shutil.copytree(stopped.path, tmp_path / "run"))
    fit(run, plain, DRAWN, steps=7, verbose=0, keep_every=2)
    assert kept_steps(run.snapshots_path) == [4, 6]  # the step from which it goes on is one of them
    for step in (4, 6):
        (state, generator), (other, made) = (snapshot_paths(one.snapshots_path, step) for one in (kept, run))
        assert same_state(state, other) and same_generator(generator, made)
    assert_same_training(kept, run)


def test_a_new_run_starts_from_a_kept_step(kept, stopped, plain, tmp_path):
    run, name = Run(tmp_path / "branch"), f"{kept.path}@4"
    gan = fit(run, plain, DRAWN, steps=0, seed=5, start=name, verbose=0)
    known = load_gan(stopped)
    for network in ("generator", "discriminator", "averaged_generator"):
        pairs = zip(getattr(gan, network).get_weights(), getattr(known, network).get_weights(), strict=True)
        assert all(np.array_equal(*pair) for pair in pairs)
    origin = {"name": "kept@4", "step": 4, "sha256": hash_file(snapshot_paths(kept.snapshots_path, 4)[0])}
    assert run.read_config()["from"] == origin and str(open_start(name, run)) == "kept@4"
    assert int(load_gan(name).step) == 4 and int(load_gan(open_run(name)).step) == 4
    with pytest.raises(InputError, match=r"branch, which started from kept@4, has saved nothing yet: there is no run kept@4"):
        open_start(None, run)  # it is looked for by its name
    shutil.copytree(kept.state_path.parent, run.state_path.parent)  # any state of its own
    for start in (None, name, "kept@4", tmp_path / "gone" / "kept@4"):
        found = open_start(start, run)
        assert (found.origin, found.weights) == (origin, None)
    with pytest.raises(InputError, match=r"kept keeps nothing of step 5: there are 0, 2, 4, 6$"):
        open_start(f"{kept.path}@5", Run(tmp_path / "other"))


def test_a_run_goes_on_although_the_step_that_it_started_from_is_not_kept_any_more(copy, plain, tmp_path, monkeypatch):
    (tmp_path / "checkpoints").mkdir()
    monkeypatch.chdir(tmp_path)
    shutil.move(copy.path, "checkpoints/kept")
    fit("branch", plain, DRAWN, steps=0, start="kept@4", verbose=0)
    shutil.copytree("checkpoints/kept/state", "checkpoints/branch/state")
    shutil.rmtree("checkpoints/kept/snapshots")
    for start in (None, "kept@4"):
        assert open_start(start, Run("branch")).origin["name"] == "kept@4"


def test_a_damaged_kept_state_is_named(copy):
    state, generator = snapshot_paths(copy.snapshots_path, 4)
    flip(state), flip(generator)
    with pytest.raises(GanimeError, match=r"step-000004\.weights\.h5 is damaged: its checksum is another one$"):
        load_gan(f"{copy.path}@4")
    with pytest.raises(InputError, match=r"step-000004\.keras is damaged"):
        ganime.load_generator(f"{copy.path}@4")


def test_nothing_is_trained_under_the_name_of_a_kept_step(kept, plain, tmp_path):
    for run in (f"{kept.path}@4", open_run(f"{kept.path}@4"), tmp_path / "new@5"):
        with pytest.raises(InputError, match=r"@\d: a name that ends in @ and a number is a step"):
            fit(run, plain, DRAWN, steps=1)
    for wrong in ({"keep_every": 0}, {"keep_every": 2.5}, {"keep_every": 2, "keep_at_most": 0}):
        with pytest.raises(InputError, match="is not a whole number of 1 or more"):
            fit(tmp_path / "new", plain, DRAWN, steps=1, **wrong)
    assert not (tmp_path / "new").exists() and not (tmp_path / "new@5").exists()


@pytest.fixture
def gan():
    return small_gan()


def train(gan, folder, steps, *others, every=2, most=None, save_every=3):
    checkpoint = cb.Checkpoint(folder / "state" / "gan.weights.h5", folder / "generator.keras", save_every)
    (folder / "state").mkdir(parents=True, exist_ok=True)
    callbacks = [cb.Snapshots(checkpoint, folder / "snapshots", every, most), checkpoint, *others]
    data = tf.data.Dataset.from_tensors(PICTURES[:4]).repeat(steps)
    gan.fit(data, shuffle=False, verbose=0, callbacks=callbacks)
    return kept_steps(folder / "snapshots")


def test_no_more_stay_than_were_asked_for(gan, tmp_path):
    assert train(gan, tmp_path, 9, most=3, every=1) == [0, 4, 6, 8]
    assert train(gan, tmp_path, 1, most=2, every=1) == [0, 4, 8]  # at once
    assert train(gan, tmp_path, 2, every=1) == [0, 4, 8, 10, 11, 12]  # what is there is no reason to drop any by default
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["gan.weights.h5"]


def test_ctrl_c_at_a_kept_step_keeps_it(gan, tmp_path):
    class Press(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(gan.step) == 4:
                os.kill(os.getpid(), signal.SIGINT)

    stop = cb.StopOnSignal()
    assert train(gan, tmp_path, 9, Press(), stop, save_every=100) == [0, 2, 4]
    assert stop.received == signal.SIGINT and int(gan.step) in (4, 5)
    gan.load_weights(snapshot_paths(tmp_path / "snapshots", 4)[0])
    assert int(gan.step) == 4


def test_what_cannot_be_kept_ends_no_training(gan, tmp_path, caplog):
    """Folders stand where two files should be, and later there is no room."""
    state, generator = snapshot_paths(tmp_path / "snapshots", 2)[0], snapshot_paths(tmp_path / "snapshots", 4)[1]
    for path in (state, generator):
        path.mkdir(parents=True)
    train(gan, tmp_path, 6)
    assert read_state(snapshot_paths(tmp_path / "snapshots", 6)[0]).weights and state.is_dir() and generator.is_dir()
    assert [message for message in caplog.messages if "cannot be written" in message] == [
        f"{state} cannot be written (Is a directory); training goes on"
    ]


def test_a_step_is_kept_before_its_state_says_that_it_is_done(gan, tmp_path, monkeypatch):
    """So a kill in between loses none; and each is a file of its own, whatever is done with the state afterwards."""
    train(gan, tmp_path, 2)
    state = tmp_path / "state" / "gan.weights.h5"
    assert all(path.stat().st_nlink == 1 for path in (state, *snapshot_paths(tmp_path / "snapshots", 2)))
    state.unlink()
    state.mkdir()
    monkeypatch.setattr(files, "PATIENCE", 0)
    with pytest.raises(GanimeError, match="step 4 cannot be saved"):
        train(gan, tmp_path, 2, save_every=100)
    assert kept_steps(tmp_path / "snapshots") == [0, 2, 4]
    assert read_state(snapshot_paths(tmp_path / "snapshots", 4)[0]).weights


def test_what_would_leave_no_room_for_the_next_state_is_not_kept(gan, tmp_path, monkeypatch, caplog):
    free = 10**9
    monkeypatch.setattr("ganime.training.saving.shutil.disk_usage", lambda folder: shutil._ntuple_diskusage(0, 0, free))
    assert train(gan, tmp_path, 2) == [0, 2]
    free = sum(path.stat().st_size for path in snapshot_paths(tmp_path / "snapshots", 2)) // 2
    assert train(gan, tmp_path, 2) == [0, 2] and read_state(tmp_path / "state" / "gan.weights.h5").weights
    lost = snapshot_paths(tmp_path / "snapshots", 4)[0]
    assert caplog.messages == [f"{lost} cannot be written (No space left on device); training goes on"]
    free = 10**9
    assert train(gan, tmp_path, 2) == [0, 2, 4, 6]
