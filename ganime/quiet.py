"""TensorFlow's start-up notes, kept from those who did not ask for them (no TensorFlow)."""

import os
import sys
from contextlib import contextmanager
from importlib.util import find_spec


class QuietImport:
    """An entry of `sys.meta_path` by which TensorFlow is imported without its notes, whoever imports it."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        """TensorFlow's spec with a loader that is quiet; None for all other modules."""
        if name != "tensorflow":
            return None
        sys.meta_path.remove(cls)  # it has done its work
        if spec := find_spec(name):
            load = spec.loader.exec_module

            def load_quietly(module):
                with without_notes():
                    load(module)

            spec.loader.exec_module = load_quietly
        return spec


@contextmanager
def without_notes():
    """Hold back what is written to the standard error, by libraries too, and let it through at the end without the notes.

    TensorFlow 2.21 writes some before it reads that TF_CPP_MIN_LOG_LEVEL forbids them.
    """
    import re  # these are not needed by those who only import ganime
    import tempfile

    try:
        sys.stderr.flush()
        stderr = os.dup(2)
    except (AttributeError, OSError):  # there is none, as in a program with windows only
        yield
        return
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            written.seek(0)
            if rest := re.sub(rb"(WARNING: All log messages before absl::InitializeLog|[IW]\d{4} ).*\n?", b"", written.read()):
                os.write(2, rest)
