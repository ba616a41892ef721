"""TensorFlow's start-up notes, kept from those who did not ask for them (no TensorFlow)."""

import os
import sys
from contextlib import contextmanager, suppress
from importlib.util import find_spec


class AroundImport:
    """An entry of `sys.meta_path` by which a module is imported within a context, whoever imports it.

    Args:
        name: Of the module.
        context: Makes the context manager.
    """

    def __init__(self, name, context):
        self.name, self.context = name, context

    def find_spec(self, name, path=None, target=None):
        """The module's spec with a loader that does so; None for all other modules."""
        if name != self.name:
            return None
        sys.meta_path.remove(self)  # it has done its work
        if spec := find_spec(name):
            load = spec.loader.exec_module

            def load_within(module):
                with self.context():
                    load(module)

            spec.loader.exec_module = load_within
        return spec


@contextmanager
def without_notes():
    """Hold back what libraries write to the standard error, and let it through at the end without the notes.

    TensorFlow 2.21 writes some before it reads that TF_CPP_MIN_LOG_LEVEL forbids them.
    """
    import re  # these are not needed by those who only import ganime
    import tempfile

    with suppress(AttributeError, OSError):
        sys.stderr.flush()
    try:
        stderr, written = os.dup(2), tempfile.TemporaryFile()  # noqa: SIM115
    except OSError:  # no standard error, as in a program with windows only, or no place for the file
        yield
        return
    with written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            with suppress(AttributeError, OSError):
                sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            written.seek(0)
            if rest := re.sub(rb"(WARNING: All log messages before absl::InitializeLog|[IW]\d{4} ).*\n?", b"", written.read()):
                with suppress(OSError):
                    os.write(2, rest)


QuietImport = AroundImport("tensorflow", without_notes)
