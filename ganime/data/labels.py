"""What `dataset.json` in the form of StyleGAN, and the names of folders, say of pictures (no TensorFlow)."""

import json
from array import array
from collections.abc import Iterable

LABELS = "dataset.json"
MAX_EXTRA = 2**26  # bytes of it, which is enough for two million pictures; parsed it may take 25 times as much memory
LONGEST = 100  # characters of a class's name
SPLITS = frozenset(("train", "training", "val", "valid", "validation", "test", "testing"))
PLAIN = frozenset(("image", "images", "img", "imgs"))  # names of folders that say nothing of what is in them


class Labels:
    """The class of each picture, in a few bytes each.

    Args:
        content: Of `dataset.json`: `{"labels": [["00000/img00000000.png", 3], ...]}`, or `{"labels": null}` if there are none.
        names: Of all pictures, in their order.

    Attributes:
        unmatched: A name that has a class, if there are such and no picture has any of them; else empty.

    Raises:
        ValueError: If it is something else.
    """

    def __init__(self, content: bytes, names: Iterable[str]):
        try:
            found = _parse(content)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError('not of the form {"labels": [["00000/face.png", 3], ...]}') from error
        self._classes = [None, *dict.fromkeys(found.values())]
        numbers = {label: number for number, label in enumerate(self._classes)}
        self._numbers = array("l", (numbers[found.get(name)] for name in names))
        self.unmatched = next(iter(found), "") if not any(self._numbers) else ""

    def __getitem__(self, index: int) -> str | None:
        return self._classes[self._numbers[index]]


def split_and_class(name: str) -> tuple[str | None, str | None]:
    """What the folders of a picture say, by its name within the source: the split and the class, each None if they do not.

    The class is the first folder from the top that is called neither like a split nor `images`; the split is the first one
    above it that is called like one. Capital letters are as good as small ones.

    Example:
        >>> split_and_class("Train/images/cats/1.png"), split_and_class("cats/test/1.png"), split_and_class("val/1.png")
        (('Train', 'cats'), (None, 'cats'), ('val', None))
    """
    split = None
    for folder in name.split("/")[:-1]:
        if folder.lower() in SPLITS:
            split = split or folder
        elif folder.lower() not in PLAIN:
            return split, folder
    return split, None


def read_labels(content: bytes) -> dict[str, str]:
    """The label of each name in a JSON file: of StyleGAN's form (see `Labels`), or `{"face.png": "blonde", ...}`.

    Raises:
        ValueError: If it is something else.
    """
    try:
        if len(content) > MAX_EXTRA:
            raise ValueError("too long")
        known = json.loads(content)
        return _take(known["labels"] or () if "labels" in known else known.items())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError('not of the form {"labels": [["00000/face.png", 3], ...]} or {"face.png": "blonde", ...}') from error


def _parse(content):
    if len(content) > MAX_EXTRA:
        raise ValueError("too long")
    return _take(json.loads(content)["labels"] or ())


def _take(pairs):
    """The class of each name that has one: whole numbers and words."""
    found = {}
    for name, label in pairs:
        if not isinstance(name, str):
            raise TypeError("a name that is none")
        # Lists of numbers, which StyleGAN takes too, are conditions and no classes.
        if isinstance(label, int | str) and not isinstance(label, bool) and len(label := str(label)) <= LONGEST:
            found[name.replace("\\", "/")] = label
    return found
