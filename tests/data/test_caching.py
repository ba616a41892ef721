import os

import numpy as np
import pytest

from ganime.data.caching import _write, cached
from ganime.data.drawn import DrawnFaces


@pytest.fixture
def load(tmp_path, monkeypatch):
    """What is computed of 20 pictures, and kept in a folder."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return lambda value=1.0: cached("some", DrawnFaces(20), 8, {}, lambda: np.full((20, 2), value), (20, 2), np.float64)


@pytest.mark.parametrize(
    "other",
    [np.ones((20, 3)), np.ones((19, 2)), np.ones((20, 2), np.float32), np.full((20, 2), np.nan), np.full((20, 2), np.inf)],
)
def test_what_cannot_be_is_made_anew(load, tmp_path, caplog, other):
    load()
    (path,) = (tmp_path / "keras" / "ganime").iterdir()
    whole = path.read_bytes()
    _write(path, other)
    assert np.array_equal(load(), np.ones((20, 2)))
    assert path.read_bytes() == whole
    assert "computed anew" in caplog.text and path.name in caplog.text and len(caplog.records) == 1


def test_a_file_of_an_earlier_build_is_made_anew(load, tmp_path, caplog):
    load()
    (path,) = (tmp_path / "keras" / "ganime").iterdir()
    np.save(path, np.ones((20, 2)))
    assert np.array_equal(load(2.0), np.full((20, 2), 2.0))
    assert "of an earlier build): computed anew" in caplog.text
    assert np.array_equal(load(3.0), np.full((20, 2), 2.0))


def test_a_cache_that_cannot_be_written_is_said_and_no_error(load, tmp_path, caplog):
    (tmp_path / "keras").write_text("no folder")
    assert np.array_equal(load(), np.ones((20, 2)))
    assert "it cannot be kept" in caplog.text


def test_a_full_disk_leaves_no_litter(load, tmp_path, caplog, monkeypatch):
    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    assert np.array_equal(load(), np.ones((20, 2)))
    assert not list((tmp_path / "keras" / "ganime").iterdir())
    assert "No space left" in caplog.text
