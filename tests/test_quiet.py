"""What people see of TensorFlow's start-up: nothing, unless they ask for it or it fails."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

NOTES = b"WARNING: All log messages before absl::InitializeLog() is called\nI0000 00:00 a.cc:1] note\nE0000 fault\n"


def run(code, **environment):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    environment = {**kept, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)


@pytest.fixture
def start(tmp_path):
    """Imports a TensorFlow that writes notes and an error, and then does what it is told."""

    def start(code, then="", **environment):
        source = f"import os, sys\nos.write(2, {NOTES})\nprint('said', file=sys.stderr)\n{then}\n"
        (tmp_path / "tensorflow.py").write_text(source)
        return run(f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}", **environment)

    return start


def test_what_is_no_note_is_shown(start):
    done = start("import ganime, tensorflow; print(tensorflow.__name__)")
    assert (done.stdout, done.stderr) == ("tensorflow\n", "E0000 fault\nsaid\n")
    done = start("import ganime, tensorflow", "raise ImportError('broken')")
    assert done.stderr.startswith("E0000 fault\nsaid\nTraceback") and done.stderr.endswith("ImportError: broken\n")


def test_who_asks_for_notes_gets_them(start):
    assert "I0000" in start("import ganime, tensorflow", TF_CPP_MIN_LOG_LEVEL="0").stderr
    assert "I0000" not in start("import ganime, tensorflow", TF_CPP_MIN_LOG_LEVEL="2").stderr


def test_without_a_standard_error_it_works():
    code = (
        "import os, sys; os.close(2); sys.stderr = None\nfrom ganime.quiet import without_notes\nwith without_notes(): print(1)"
    )
    assert run(code).stdout == "1\n"
