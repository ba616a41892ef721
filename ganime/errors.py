"""What can go wrong through no fault of the program."""


class GanimeError(Exception):
    """The work could not be done; the message is one line that says why and what to do."""


class InputError(GanimeError, ValueError):
    """What the user gave cannot be used: a wrong option, file or folder."""


class NonFiniteError(GanimeError, ArithmeticError):
    """A loss or a weight became infinite or not a number."""


def missing(package: str) -> GanimeError:
    """The error where an optional package is not installed: `raise missing("onnx") from error`."""
    return GanimeError(f'this needs {package}: pip install "{package}"')
