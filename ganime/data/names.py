"""Names of files as a terminal may show them (no TensorFlow)."""

import os

from ganime.errors import printable


def show(path: str | os.PathLike) -> str:
    """A path as one line of printable text; two different paths never look the same."""
    path = os.fspath(path)
    return printable(path if os.sep == "\\" else path.replace("\\", r"\\"))
