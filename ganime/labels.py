"""Names of labels, and how a generator carries them (no TensorFlow).

They are the name of the layer that takes a generator's input. So they are in its own configuration: no file beside it can be
lost, and whatever saves, loads or copies the generator, Keras alone included, keeps them.
"""

import re
from collections.abc import Iterable, Sequence

from ganime.errors import InputError, one_line

MOST = 1000  # labels of a training
LONGEST = 100  # characters of a label
_FIRST = "labels>"  # how the layer's name begins; TensorFlow takes no other sign of its kind there
_PLAIN = re.compile(rb"[A-Za-z0-9_-]")


def check_labels(labels: Sequence[str]) -> None:
    """See that names can be the labels of a training: none, or two or more that differ.

    Raises:
        InputError: If not.
    """
    if len(labels) == 1:
        raise InputError(f"labels: all pictures have the label {quote(labels[0])}, so there is nothing to tell apart")
    if len(labels) > MOST:
        raise InputError(f"labels: {len(labels):,} are too many; {MOST:,} are allowed")
    for name in labels:
        if not 1 <= len(name) <= LONGEST or name != name.strip() or not name.isprintable():
            raise InputError(f"labels: {quote(name)} is no name of 1 to {LONGEST} printable characters")
    if len({*labels}) < len(labels):
        twice = next(name for i, name in enumerate(labels) if name in labels[:i])
        raise InputError(f"labels: {quote(twice)} is there twice")


def quote(name: str) -> str:
    """A label in quotes, as a message shows it."""
    return one_line(repr(name), 60)


def list_labels(labels: Iterable[str], shown: int = 8) -> str:
    """Labels in words, the first ones of many."""
    labels = [*labels]
    return ", ".join(map(quote, labels[:shown])) + f" and {len(labels) - shown:,} more" * (len(labels) > shown)


def write_layer_name(labels: Sequence[str]) -> str | None:
    """The name of the layer that takes the input of a generator with these labels; None, for any, if it has none.

    Example:
        >>> write_layer_name(["blonde", "light brown"])
        'labels>blonde>light.20brown'
    """
    if not labels:
        return None
    written = (
        "".join(chr(byte) if _PLAIN.match(bytes([byte])) else f".{byte:02x}" for byte in name.encode()) for name in labels
    )
    return _FIRST + ">".join(written)


def read_layer_name(name: str) -> tuple[str, ...]:
    """The labels that a layer's name says; none if it is another name.

    Raises:
        InputError: If it says such as cannot be.
    """
    if not name.startswith(_FIRST):
        return ()
    try:
        bytewise = (re.sub(r"\.([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), part) for part in name.split(">")[1:])
        labels = tuple(part.encode("latin-1").decode() for part in bytewise)
    except ValueError:
        labels = ("",)
    check_labels(labels)
    return labels


def labels_of(generator) -> tuple[str, ...]:
    """The labels of a generator, a Keras model or one that NumPy runs, in the order of their weights at the end of its latents;
    none if it has none.

    Example:
        >>> import ganime
        >>> labels_of(ganime.build_generator(32, labels=("blonde", "black")))
        ('blonde', 'black')
    """
    known = getattr(generator, "labels", None)
    if known is not None:
        return known
    return next(filter(None, (read_layer_name(layer.name) for layer in getattr(generator, "layers", ()))), ())
