"""The whole: training in a run's directory, killed and continued."""

import multiprocessing
import random
import signal
import sys
import time

import h5py
import keras
import numpy as np
import psutil
import pytest

from ganime.cli import main
from ganime.data.drawn import DrawnFaces
from ganime.data.folder import PictureFolder
from ganime.data.packed import pack
from ganime.data.pipeline import make_dataset
from ganime.errors import InputError, NonFiniteError
from ganime.recipes import RECIPES
from ganime.run import Run, read_history
from ganime.training.fit import build_gan, fit
from tests.conftest import FACES64, TINY


def arrays(path):
    """All data sets of an HDF5 file by name."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def assert_same_training(one, other):
    a, b = arrays(one.state_path), arrays(other.state_path)
    assert a.keys() == b.keys() and len(a) > 60
    assert any("optimizer" in name for name in a)
    for name in a:
        assert np.array_equal(a[name], b[name]), name
    generators = [keras.models.load_model(run.generator_path).get_weights() for run in (one, other)]
    assert all(np.array_equal(x, y) for x, y in zip(*generators, strict=True))
    a, b = (read_history(run.history_path) for run in (one, other))
    assert a.keys() == b.keys()
    for name in a.keys() - {"seconds", "images_per_second"}:
        assert np.array_equal(a[name], b[name]), name


def test_a_run_is_extended_as_if_it_had_never_stopped(tiny, faces, tmp_path):
    """And as if its pictures had not been packed in between."""
    whole, parts = Run(tmp_path / "whole"), Run(tmp_path / "parts")
    folder = PictureFolder(faces)
    packed = pack(folder, tmp_path / "faces.npy", tiny.image_size)
    fit(whole, tiny, folder, steps=7, sample_every=3, save_every=100)
    for steps, pictures in ((2, folder), (7, packed)):
        fit(parts, tiny, pictures, steps=steps, sample_every=3, save_every=100)
    assert_same_training(whole, parts)
    for step in (0, 3, 6, 7):
        assert (whole.samples_path / f"step-{step:06d}.png").read_bytes() == (
            parts.samples_path / f"step-{step:06d}.png"
        ).read_bytes()
    assert int(fit(parts, tiny, folder, steps=5).step) == 7  # nothing left to do


def test_sigkill_at_any_moment_loses_nothing(tmp_path):
    """Five real processes killed at random moments, saves included, and continued; one that was left alone."""
    options = ["--steps", "40", "--save-every", "2", "--sample-every", "9", "--seed", "5"]
    options += [word for text in TINY for word in ("--set", text)]
    # Each forks off a process that has imported everything, and so is in the training three seconds earlier.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["ganime.cli", "ganime.training.fit"])

    def start(run):
        process = processes.Process(target=call_fit, args=[run.path, options])
        process.start()
        return process

    alone, killed = Run(tmp_path / "alone"), Run(tmp_path / "killed")
    untouched = start(alone)
    rng, steps_reached = random.Random(0), []
    for _ in range(5):
        process = start(killed)
        before = rows(killed)
        enough = before + rng.randint(1, 4)
        while process.is_alive() and (rows(killed) < enough or rows(killed) == before):
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.2))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        steps_reached.append(rows(killed))
    assert max(steps_reached) < 40  # every kill hit a training that was under way
    for process in (untouched, start(killed)):
        process.join(120)
        assert process.exitcode == 0
    assert_same_training(alone, killed)
    assert read_history(killed.history_path)["step"].tolist() == list(range(1, 41))


def call_fit(path, options):
    sys.argv = ["cli.py", "fit", "--run", str(path), *options]
    main()


def rows(run):
    try:
        return run.history_path.read_text().count("\n") - 1
    except FileNotFoundError:
        return 0


def test_another_recipe_or_data_set_is_refused(tiny, faces, tmp_path):
    run = Run(tmp_path / "run")
    fit(run, tiny, PictureFolder(faces), steps=1)
    with pytest.raises(InputError, match=r"recipe\.batch_size \(was 4, is 8\)"):
        fit(run, tiny.override("batch_size=8"), PictureFolder(faces), steps=2)
    (faces / "face00.png").unlink()
    with pytest.raises(InputError, match=r"data\.pictures \(was 12, is 11\)"):
        fit(run, tiny, PictureFolder(faces), steps=2)


def test_a_broken_picture_in_the_middle_of_training_is_passed_over(tiny, faces, tmp_path):
    (faces / "face05.png").write_bytes((faces / "face05.png").read_bytes()[:300])
    pictures = PictureFolder(faces)
    fit(Run(tmp_path / "run"), tiny, pictures, steps=4)
    assert set(pictures.unreadable) == {"face05.png"}


def test_pictures_that_vanish_end_training_in_one_line(tiny, faces, tmp_path):
    pictures = PictureFolder(faces)
    for path in faces.iterdir():
        path.unlink()
    with pytest.raises(InputError, match="no usable picture is left"):
        fit(Run(tmp_path / "run"), tiny, pictures, steps=4)


def test_a_training_that_explodes_keeps_its_last_good_state(tiny, tmp_path):
    """The learning rate, raised in the middle, ruins the weights; the state of the step before stays to the byte."""
    run, good = Run(tmp_path / "run"), []

    class Explode(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if int(self.model.step.numpy()) == 3:
                good.append(run.state_path.read_bytes())
                for optimizer in (self.model.g_optimizer, self.model.d_optimizer):
                    optimizer.learning_rate = 1e38

    with pytest.raises(NonFiniteError, match=r"step [4-9]"):
        fit(run, tiny, DrawnFaces(50), steps=100, save_every=3, callbacks=(Explode(),))
    assert run.state_path.read_bytes() == good[0]


def test_what_a_kill_at_the_end_left_out_is_made_up_for(tiny, tmp_path):
    run = Run(tmp_path / "run")
    fit(run, tiny, DrawnFaces(50), steps=4, sample_every=3, save_every=4)
    last = run.samples_path / "step-000004.png"
    picture = last.read_bytes()
    for path in (last, run.gif_path, run.path / "losses.png"):
        path.unlink()
    fit(run, tiny, DrawnFaces(50), steps=4, sample_every=3, save_every=4)
    assert last.read_bytes() == picture
    assert run.gif_path.exists() and (run.path / "losses.png").exists()


def test_memory_does_not_grow(tiny, tmp_path):
    """Neither with the steps nor with the pictures that were read: 250 of 256x256 are 49 MB."""
    process, seen = psutil.Process(), {}

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen[int(self.model.step.numpy())] = process.memory_info().rss

    run = Run(tmp_path / "run")
    fit(run, tiny, DrawnFaces(2000), steps=200, sample_every=50, save_every=50, callbacks=(Watch(),))
    assert seen[200] - seen[60] < 20e6
    batches = iter(make_dataset(DrawnFaces(10_000), 256, 10))
    rss = [process.memory_info().rss for _ in range(25) if next(batches) is not None]
    assert rss[-1] - rss[5] < 20e6


@pytest.mark.slow
@pytest.mark.skipif(not FACES64.is_dir(), reason="no real faces here")
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_trains_on_real_faces(name, tmp_path):
    fit(Run(tmp_path / "run"), RECIPES[name], PictureFolder(FACES64), steps=100)
    history = read_history(tmp_path / "run" / "history.csv")
    assert len(history["step"]) == 100 and all(np.isfinite(column).all() for column in history.values())


def test_first_weights_follow_the_seed(tiny):
    a, b, c = (build_gan(tiny, seed).generator.get_weights()[0] for seed in (1, 1, 2))
    assert np.array_equal(a, b) and not np.array_equal(a, c)
