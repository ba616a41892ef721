import random
import resource
import signal
import time

import h5py
import keras
import numpy as np
import pytest

from ganime import state
from ganime.files import atomic_write
from ganime.state import MARK, DamagedState, newest_state, read_about, read_state, sealed

ABOUT = {"config": {"seed": 1}, "note": "ä"}


def save_state(model, path, about, before=None):
    with sealed(model, about) as write:
        write(path, before)


def make_model(units=3):
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(units)])
    model.set_weights([np.arange(2.0 * units).reshape(2, units), np.ones(units)])
    return model


@pytest.fixture
def saved(tmp_path):
    save_state(make_model(), tmp_path / "gan.weights.h5", ABOUT)
    return tmp_path / "gan.weights.h5"


def test_a_state_holds_what_was_saved(saved):
    read, model = read_state(saved), make_model()
    model.set_weights([np.zeros((2, 3)), np.zeros(3)])
    read.load_into(model)
    assert all(np.array_equal(*pair) for pair in zip(model.get_weights(), make_model().get_weights(), strict=True))
    assert read.about == read_about(saved) == ABOUT
    with h5py.File(saved) as file:  # other programs open it
        assert file["layers/dense/vars/0"].shape == (2, 3)
    keras.models.clone_model(model).load_weights(saved)


def test_every_flipped_bit_is_found(saved):
    """In all parts of the file: HDF5's own, the weights, what else is kept, the checksum, the length and the mark."""
    whole = saved.read_bytes()
    rng = random.Random(0)
    end = len(whole) - len(MARK) - 40
    places = [0, 8, 40, end - 5, end, end + 31, end + 32, end + 39, len(whole) - 1, *rng.sample(range(len(whole)), 40)]
    for place in places:
        saved.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << rng.randrange(8)]) + whole[place + 1 :])
        with pytest.raises(DamagedState, match=r"gan\.weights\.h5 is damaged"):
            read_state(saved)
    for length in (0, 1, 100, len(whole) // 2, end, len(whole) - 1):
        saved.write_bytes(whole[:length])
        with pytest.raises(DamagedState):
            read_state(saved)
        assert read_about(saved) == {}


def test_a_state_that_keras_alone_wrote_is_taken_if_it_has_its_length(tmp_path):
    path = tmp_path / "gan.weights.h5"
    make_model().save_weights(path)
    assert read_state(path).about == read_about(path) == {}
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DamagedState):
        read_state(path)


def test_weights_of_another_model_are_named(saved):
    with pytest.raises(DamagedState, match=r"gan\.weights\.h5 cannot be loaded: [^\n]*$"):
        read_state(saved).load_into(make_model(4))


def test_a_damaged_last_state_leaves_the_one_before(saved, caplog):
    before = saved.with_name("previous.weights.h5")
    assert newest_state(before, saved.with_name("none")) is None
    save_state(make_model(), saved, {"step": 2}, before)
    assert newest_state(saved, before).about == {"step": 2} and not caplog.messages
    saved.write_bytes(b"")
    assert newest_state(saved, before).about == ABOUT
    assert "gan.weights.h5 is damaged" in caplog.text and "from the state before" in caplog.text
    before.write_bytes(b"")
    with pytest.raises(
        DamagedState, match=r"gan\.weights\.h5 is damaged.*previous\.weights\.h5 is damaged.*to begin the run again"
    ):
        newest_state(saved, before)
    saved.unlink()
    with pytest.raises(DamagedState, match=r"gan\.weights\.h5 is not there; .*previous\.weights\.h5 is damaged"):
        newest_state(saved, before)


def test_a_file_system_without_links_keeps_the_state_before_too(saved, monkeypatch):
    before = saved.with_name("previous.weights.h5")

    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    for step in (2, 3):
        save_state(make_model(), saved, {"step": step}, before)
    assert read_about(saved) == {"step": 3} and read_about(before) == {"step": 2}


def test_two_that_write_one_file_both_succeed(tmp_path):
    path = tmp_path / "file"
    with atomic_write(path) as one, atomic_write(path) as other:
        one.write_text("first to begin, last to end")
        other.write_text("the other")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("file", "first to begin, last to end")]


def test_a_write_that_fails_while_the_checksum_is_made_is_an_os_error(saved, monkeypatch):
    digest = state._digest

    def slow(*parts):
        with memoryview(parts[0]):  # as hashlib holds it
            time.sleep(0.3)
        return digest(*parts)

    before = saved.read_bytes()
    monkeypatch.setattr(state, "_digest", slow)
    ignored, limits = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            save_state(make_model(100_000), saved, ABOUT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)
    assert [file.read_bytes() for file in saved.parent.iterdir()] == [before]
