import os
import signal
from types import SimpleNamespace

import pytest
import tensorflow as tf

from ganime.training.interrupts import StopOnSignal


@pytest.fixture
def stop():
    callback = StopOnSignal()
    callback.set_model(SimpleNamespace(stop_votes=tf.Variable(0.0), distribute_strategy=tf.distribute.get_strategy()))
    yield callback
    callback.close()


@pytest.mark.skipif(os.name != "posix", reason="Windows has no SIGHUP")
def test_a_training_outlives_its_terminal(stop):
    before = signal.getsignal(signal.SIGHUP)
    stop.on_train_begin()
    os.kill(os.getpid(), signal.SIGHUP)
    stop.on_train_batch_end(0)
    assert stop.received is None
    stop.on_train_end()
    assert signal.getsignal(signal.SIGHUP) == before


def test_signals_that_were_ignored_stay_so(stop):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        stop.on_train_begin()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN and signal.getsignal(signal.SIGTERM) == stop._stop
        stop.on_train_end()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_message_that_cannot_be_written_does_not_end_the_training(stop, monkeypatch):
    for stderr in (None, SimpleNamespace(write=lambda text: os.write(-1, b""))):
        monkeypatch.setattr("sys.stderr", stderr)
        stop.on_train_begin()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.received == signal.SIGTERM
        stop.on_train_end()
