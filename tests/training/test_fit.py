"""The whole: training in a run's directory, killed and continued."""

import gc
import multiprocessing
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import h5py
import keras
import numpy as np
import psutil
import pytest
import tensorflow as tf

from ganime.cli import main
from ganime.data.drawn import DrawnFaces
from ganime.data.folder import PictureFolder
from ganime.data.packed import pack
from ganime.data.pipeline import draw_batch, make_dataset
from ganime.errors import GanimeError, InputError, NonFiniteError
from ganime.history import read_history
from ganime.recipes import RECIPES
from ganime.run import Run
from ganime.training.fit import build_gan, fit
from ganime.training.forms import own_statistics
from ganime.training.loading import load_gan
from tests.conftest import FACES64, PLAIN, save_faces
from tests.training.small import build_once, one_gan, state_of  # noqa: F401


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


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of 12 pictures, one of them broken."""
    folder = save_faces(tmp_path_factory.mktemp("pictures") / "faces")
    (folder / "face05.png").write_bytes((folder / "face05.png").read_bytes()[:300])
    return PictureFolder(folder)


@pytest.fixture(scope="module")
def finished(tiny, pictures, tmp_path_factory):
    """A run of four steps, each of the last two saved."""
    run = Run(tmp_path_factory.mktemp("runs") / "finished")
    fit(run, tiny, pictures, steps=4, sample_every=3, save_every=1, verbose=0)
    return run


@pytest.fixture
def copy(finished, tmp_path):
    """The same run, to be harmed."""
    return Run(shutil.copytree(finished.path, tmp_path / "run"))


def test_a_broken_picture_in_the_middle_of_training_is_passed_over(finished, pictures):
    assert set(pictures.unreadable) == {"face05.png"}
    assert read_history(finished.history_path)["step"].tolist() == [1, 2, 3, 4]


class Vanishing(PictureFolder):
    """The drive is gone when the third batch is read, or one after it."""

    def load_batch(self, indices, size):
        if len(indices) > 1 and not self.gone.isdisjoint(indices):
            raise GanimeError("faces is not there any more")
        return super().load_batch(indices, size)


def test_a_run_is_extended_as_if_it_had_never_stopped(finished, pictures, tiny, tmp_path):
    """Whether it had come to its end, or its pictures had vanished; and as if they had not been packed in between."""
    run, given = Run(tmp_path / "run"), {"sample_every": 3, "save_every": 100, "verbose": 0}
    packed = pack(pictures, tmp_path / "faces.npy", tiny.image_size)
    fit(run, tiny, pictures, steps=1, **given)
    vanishing = Vanishing(pictures.path(0).parent)
    vanishing.gone = {*draw_batch(2, len(pictures), tiny.batch_size, seed=0, flips=True)[0].numpy().tolist()}
    with pytest.raises(GanimeError, match=r"faces is not there any more; the state of step 2 is saved"):
        fit(run, tiny, vanishing, steps=100, **given)
    fit(run, tiny, packed, steps=4, **given)  # nothing of the step that failed is in it
    assert_same_training(finished, run)
    for name in ("step-000000.png", "step-000003.png", "step-000004.png"):
        assert (finished.samples_path / name).read_bytes() == (run.samples_path / name).read_bytes()
    assert int(fit(run, tiny, pictures, steps=3, verbose=0).step) == 4  # nothing left to do


def test_sigkill_at_any_moment_loses_nothing(tmp_path):
    """Five real processes killed at random moments, saves included, and continued; one that was left alone."""
    options = ["--steps", "32", "--save-every", "2", "--sample-every", "9", "--seed", "5"]
    options += [word for text in PLAIN for word in ("--set", text)]
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
    assert max(steps_reached) < 32  # every kill hit a training that was under way
    for process in (untouched, start(killed)):
        process.join(600)
        assert process.exitcode == 0
    assert_same_training(alone, killed)
    assert read_history(killed.history_path)["step"].tolist() == list(range(1, 33))


def call_fit(path, options):
    gc.freeze()  # what is imported is no garbage
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})  # as in the tests' own process
    sys.argv = ["cli.py", "fit", "--run", str(path), *options]
    main()


def rows(run):
    try:
        return run.history_path.read_text().count("\n") - 1
    except FileNotFoundError:
        return 0


def test_another_recipe_or_data_set_is_refused(copy, pictures, tiny, tmp_path):
    with pytest.raises(InputError, match=r"recipe\.batch_size \(was 4, is 8\)"):
        fit(copy, tiny.override("batch_size=8"), pictures, steps=5)
    folder = shutil.copytree(pictures.path(0).parent, tmp_path / "faces")
    (folder / "face00.png").unlink()
    with pytest.raises(InputError, match=r"data\.pictures \(was 12, is 11\)"):
        fit(copy, tiny, PictureFolder(folder), steps=5)


def test_a_run_goes_on_with_other_pictures_whatever_kills_it_in_between(finished, pictures, tiny, tmp_path):
    """The second one is killed when it has changed its pictures and saved no state yet: what comes depends on (seed, step)."""
    one, other = (Run(shutil.copytree(finished.path, tmp_path / name)) for name in ("one", "other"))
    both = [pictures, DrawnFaces(30)]
    with pytest.raises(InputError, match=r"--changed-data \(changed_data=True\)"):
        fit(one, tiny, both, steps=6)
    fit(one, tiny, both, steps=6, changed_data=True)

    class Kill(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fit(other, tiny, both, steps=6, callbacks=[Kill()], changed_data=True)
    assert other.newest_state().about["config"]["data"]["name"] == "faces"
    fit(other, tiny, both, steps=6)  # the plain call
    assert_same_training(one, other)
    for run in (one, other):
        assert run.newest_state().about["config"]["data_before"] == run.read_config()["data_before"]
        assert [(data["step"], data["name"]) for data in run.read_config()["data_before"]] == [(4, "faces")]
    assert read_history(one.history_path)["step"].tolist() == [1, 2, 3, 4, 5, 6]


def test_pictures_that_vanish_end_training_in_one_line(tiny, faces, tmp_path):
    pictures = PictureFolder(faces)
    for path in faces.iterdir():
        path.unlink()
    with pytest.raises(GanimeError, match="faces is gone"):
        fit(Run(tmp_path / "run"), tiny, pictures, steps=4)


def test_what_a_kill_at_the_end_left_out_is_made_up_for(copy, pictures, tiny):
    last = copy.samples_path / "step-000004.png"
    picture = last.read_bytes()
    for path in (last, copy.gif_path, copy.path / "losses.png"):
        path.unlink()
    fit(copy, tiny, pictures, steps=4, sample_every=3)
    assert last.read_bytes() == picture
    assert copy.gif_path.exists() and (copy.path / "losses.png").exists()


def test_memory_does_not_grow_and_a_training_that_explodes_keeps_its_last_good_state(plain, tmp_path):
    """Neither with the steps nor with the pictures that were read: 250 of 256x256 are 49 MB. The learning rate, raised in the
    end, ruins the weights; the state of the step before stays to the byte."""
    run, process, seen, good = Run(tmp_path / "run"), psutil.Process(), {}, []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if int(self.model.step) == 200:
                good.append(run.state_path.read_bytes())
                for optimizer in (self.model.g_optimizer, self.model.d_optimizer):
                    optimizer.learning_rate = 1e38

        def on_train_batch_end(self, batch, logs=None):
            seen[int(self.model.step)] = process.memory_info().rss

    with pytest.raises(NonFiniteError, match=r"step 20[1-6]"):
        fit(run, plain, DrawnFaces(2000), steps=300, sample_every=50, save_every=50, callbacks=(Watch(),))
    assert run.state_path.read_bytes() == good[0]
    assert seen[200] - seen[60] < 20e6
    batches = iter(make_dataset(Empty(10_000), 256, 10))
    rss = [process.memory_info().rss for _ in range(25) if next(batches) is not None]
    assert rss[-1] - rss[5] < 20e6


class Empty(DrawnFaces):
    """Nothing is drawn."""

    def load_batch(self, indices, size):
        return np.full((len(indices), size, size, 3), 255, np.uint8)


@pytest.mark.slow
@pytest.mark.skipif(not FACES64.is_dir(), reason="no real faces here")
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_trains_on_real_faces(name, tmp_path):
    fit(Run(tmp_path / "run"), RECIPES[name], PictureFolder(FACES64), steps=100)
    history = read_history(tmp_path / "run" / "history.csv")
    assert len(history["step"]) == 100 and all(np.isfinite(column).all() for column in history.values())


def test_first_weights_follow_the_seed(tiny, finished):
    """And the model that all tests here train is again as a new one is."""
    new, other, used = build_gan(tiny), build_gan(tiny, 2), build_once(tiny)
    assert not np.array_equal(new.generator.get_weights()[0], other.generator.get_weights()[0])
    assert new is not used and len(state_of(used)) > 60
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(state_of(new), state_of(used), strict=True))


def test_a_damaged_last_state_costs_the_steps_since_the_one_before(finished, copy, pictures, tiny, caplog):
    data = bytearray(copy.state_path.read_bytes())
    data[len(data) // 2] ^= 4
    copy.state_path.write_bytes(data)
    copy.history_path.write_bytes(copy.history_path.read_bytes().replace(b"\n3,", b"\n\0,"))
    fit(copy, tiny, pictures, steps=4, save_every=100, verbose=0)
    assert "gan.weights.h5 is damaged" in caplog.messages[0] and "previous.weights.h5" in caplog.messages[0]
    assert "history-damaged-1.csv" in caplog.messages[1] and len(caplog.messages) == 2
    assert copy.state_path.with_name("damaged.weights.h5").read_bytes() == data
    assert read_history(copy.path / "history-damaged-1.csv")["step"].tolist() == [1, 2, 4]
    assert read_history(copy.history_path)["step"].tolist() == [1, 2, 4]  # what is left of it
    copy.history_path.write_bytes(finished.history_path.read_bytes())
    assert_same_training(copy, finished)


def test_a_clock_before_1980_is_named_before_anything_is_written(tiny, tmp_path, monkeypatch):
    """Keras' files are ZIP archives, which know no earlier dates: `model.save` fails (Keras 3.15)."""
    monkeypatch.setattr(time, "localtime", lambda seconds=0.0: time.gmtime(0))
    with pytest.raises(GanimeError, match="clock stands at 1970-01-01"):
        fit(Run(tmp_path / "run"), tiny, DrawnFaces(50), steps=4)
    assert not (tmp_path / "run").exists()


def test_a_state_says_what_it_belongs_to(copy, pictures, tiny, tmp_path):
    for change in ({"seed": 1}, {"recipe": tiny.override("batch_size=8")}, {"pictures": DrawnFaces(60)}):
        copy.config_path.unlink(missing_ok=True)
        with pytest.raises(InputError, match=r"gan\.weights\.h5 is the state of another training: "):
            fit(copy, **{"recipe": tiny, "pictures": pictures, "steps": 4, **change})
        assert not copy.config_path.exists()
    assert int(fit(copy, tiny, pictures, steps=4, verbose=0).step) == 4 and copy.config_path.exists()
    with h5py.File(copy.state_path) as file, h5py.File(tmp_path / "plain.weights.h5", "w") as plain:
        for name in file:
            file.copy(name, plain)
    copy.state_path.write_bytes((tmp_path / "plain.weights.h5").read_bytes())  # as ganime wrote it before it had checksums
    assert int(fit(copy, tiny, pictures, steps=4, verbose=0).step) == 4
    copy.config_path.unlink()
    with pytest.raises(InputError, match=r"what .* belongs to is not known"):
        fit(copy, tiny, pictures, steps=4)


def test_what_cannot_be_written_for_people_ends_no_training(finished, pictures, tiny, tmp_path, caplog):
    """Folders stand where the grids, the plots and the history should be; the last goes away in time."""
    run = Run(tmp_path / "run")
    for path in (run.samples_path / "step-000000.png", run.path / "losses.png", run.history_path, run.gif_path):
        path.mkdir(parents=True)

    class Free(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if int(self.model.step.numpy()) == 2:
                run.history_path.rmdir()

    fit(run, tiny, pictures, steps=4, save_every=1, callbacks=(Free(),), verbose=0)
    assert_same_training(run, finished)
    named = [Path(message.split(" cannot be written")[0]).name for message in caplog.messages if "cannot be" in message]
    assert named == ["history.csv", "step-000000.png", "losses.png", "progress.gif"]


def test_a_runs_gan_is_loaded_without_its_pictures(finished):
    gan = load_gan(finished.path)
    assert int(gan.step) == 4 and gan.ema_half_life == 20 and gan.settings["relativistic"]
    saved = keras.models.load_model(finished.generator_path).get_weights()
    with own_statistics(gan.averaged_generator) as average:
        assert all(np.array_equal(a, b) for a, b in zip(saved, average.get_weights(), strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(load_gan(finished).get_weights(), gan.get_weights(), strict=True))
    assert gan.optimizer.variables and int(gan.g_optimizer.iterations) == 4


def test_a_run_that_has_saved_nothing_is_said(finished, tmp_path):
    run = Run(tmp_path / "run")
    run.path.mkdir()
    shutil.copy(finished.config_path, run.config_path)
    with pytest.raises(InputError, match="has saved no state yet"):
        load_gan(run)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"recipe": {"bath_size": 8}}, "recipe: there is no field 'bath_size'; did you mean batch_size"),
        ({"recipe": {"batch_size": 0}}, "batch_size: 0 is not from 1"),
        ({"recipe": 3}, r"recipe: 3 is not a ganime\.Recipe, the name of one"),
        ({"pictures": tf.data.Dataset.range(3)}, "no set of pictures that can be read at any place"),
        ({"steps": "3"}, "steps: '3' is not a whole number"),
        ({"sample_every": 0}, "sample_every: 0 is not"),
        ({"save_every": 1.5}, "save_every: 1.5 is not"),
        ({"seed": -1}, "seed: -1 is not"),
    ],
)
def test_what_fit_cannot_take_is_refused_before_anything_is_written(given, message, tiny, tmp_path):
    with pytest.raises(InputError, match=message):
        fit(tmp_path / "run", **{"recipe": tiny, "pictures": DrawnFaces(50), "steps": 1, **given})
    assert not (tmp_path / "run").exists()


def test_an_array_and_a_dictionary_serve(finished, tmp_path):
    recipe = finished.read_config()["recipe"]
    array = DrawnFaces(50).load_batch(list(range(50)), 32)
    gan = fit(tmp_path / "run", recipe, array, steps=0, verbose=0)
    assert int(gan.step) == 0 and gan.latent_size == 8
    assert Run(tmp_path / "run").read_config()["data"]["name"] == "array"
