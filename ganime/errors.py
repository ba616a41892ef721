"""What can go wrong through no fault of the program."""

import shlex

LONGEST = 1000  # characters of a message


def printable(text: str) -> str:
    """The text with everything escaped that is no plain character of a line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def one_line(text: str, longest: int | None = LONGEST) -> str:
    """The text as a line that cannot command a terminal, whatever a file or a library has put into it.

    Args:
        text: Its line breaks become spaces; what else is not printable is escaped.
        longest: Of more characters than these the middle is left out; None keeps all.

    Example:
        >>> one_line("a file's\\n\\x1b[31mname")
        "a file's \\\\x1b[31mname"
    """
    line = printable(" ".join(text.splitlines()))
    if longest and len(line) > longest:
        return f"{line[: longest // 2]} [...] {line[-longest // 2 :]}"
    return line


class GanimeError(Exception):
    """The work could not be done; the message is one line that says why and what to do."""

    def __init__(self, message: str):
        super().__init__(one_line(message))


class InputError(GanimeError, ValueError):
    """What the user gave cannot be used: a wrong option, file or folder."""


class NonFiniteError(GanimeError, ArithmeticError):
    """A loss or a weight became infinite or not a number."""


def missing(*packages: str) -> GanimeError:
    """The error where optional packages are not installed: `raise missing("onnx", "onnxruntime") from error`."""
    return GanimeError(f"this needs {' and '.join(packages)}: pip install {' '.join(map(shlex.quote, packages))}")
