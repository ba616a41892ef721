"""What XLA has compiled is kept between programs, and only where it is whole."""

import os
import subprocess
import sys

import pytest

from ganime.training.compiled import keep_compiled, seal_compiled

COMPILE = """
from ganime.training.compiled import keep_compiled, seal_compiled
folder = keep_compiled("one GPU", "CPU")
import tensorflow as tf
for add in (1.0, 2.0):
    print(float(tf.function(lambda x: tf.reduce_sum(x + add), jit_compile=True)(tf.zeros(3))))
seal_compiled(folder)
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("TF_XLA_FLAGS", "")  # noted, so that what is set by the program is taken back
    monkeypatch.delenv("TF_XLA_FLAGS")
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    return tmp_path / "ganime" / "xla"


def test_what_is_compiled_is_kept_and_used(cache):
    """TensorFlow writes it, finds it again, and does not meet what is damaged."""
    times = []
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", COMPILE], capture_output=True, text=True)
        assert done.stdout.split() == ["3.0", "6.0"], done.stderr
        kept, damaged = sorted(cache.glob("*/*.pb"))
        times.append([path.stat().st_mtime_ns for path in (kept, damaged)])
        damaged.write_bytes(damaged.read_bytes()[:100])
    assert times[0][0] == times[1][0] and times[0][1] < times[1][1]


def test_what_is_not_whole_or_old_is_removed(cache, monkeypatch):
    folder = keep_compiled("one GPU")
    for i in range(25):
        (folder / f"{i}.pb").write_bytes(b"program")
        os.utime(folder / f"{i}.pb", (i, i))
    seal_compiled(folder)
    (folder / "24.pb").write_bytes(b"progra")
    (folder / "25.pb").write_bytes(b"killed while it was written")
    monkeypatch.delenv("TF_XLA_FLAGS")
    assert keep_compiled("one GPU") == folder
    assert {path.stem for path in folder.glob("*.pb")} == {path.stem for path in folder.glob("*.sha256")}
    assert sorted(int(path.stem) for path in folder.glob("*.pb")) == list(range(6, 24))


def test_it_is_kept_apart_for_each_gpu_and_where_nobody_else_decides(cache, monkeypatch):
    assert keep_compiled("") is None
    first = keep_compiled("one GPU")
    assert os.environ["TF_XLA_FLAGS"].split()[0] == f"--tf_xla_persistent_cache_directory={first}"
    assert keep_compiled("another GPU") is None  # the flags are set now, as if by the user
    monkeypatch.delenv("TF_XLA_FLAGS")
    assert keep_compiled("another GPU") != first
    monkeypatch.delenv("TF_XLA_FLAGS")
    monkeypatch.setenv("KERAS_HOME", str(cache / "with a space"))
    assert keep_compiled("one GPU") is None
    monkeypatch.setenv("KERAS_HOME", os.devnull)
    assert keep_compiled("one GPU") is None
    assert "TF_XLA_FLAGS" not in os.environ
