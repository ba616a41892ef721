"""What `dataset.json` in the form of StyleGAN, tables of labels and the names of folders say of pictures (no TensorFlow)."""

import csv
import io
import json
from array import array
from collections.abc import Iterable

from ganime.data.names import show

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


def read_labels(content: bytes, table: bool = False) -> dict[str, str]:
    """The label of each name in a file.

    Args:
        content: JSON, of StyleGAN's form (see `Labels`) or `{"face.png": "blonde", ...}`; or a table.
        table: Whether it is a table: CSV in UTF-8 whose first two columns are called `file` and `label`. An empty cell is no
            label.

    Raises:
        ValueError: If it is something else, or gives a name two labels. The message goes on after the file's name.
    """
    found = {}
    for name, label in _read_table(content) if table else _read_json(content):
        if found.setdefault(name, label) != label:
            raise ValueError(f"gives {show(name)} two labels")
    return found


def _read_json(content):
    try:
        if len(content) > MAX_EXTRA:
            raise ValueError("too long")
        known = json.loads(content)
        return [*_take(known["labels"] or () if "labels" in known else known.items())]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        form = '{"labels": [["00000/face.png", 3], ...]} or {"face.png": "blonde", ...}'
        raise ValueError(f"is not of the form {form}") from error


def _read_table(content):
    if len(content) > MAX_EXTRA:
        raise ValueError(f"is larger than {MAX_EXTRA >> 20} MB")
    try:
        rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), skipinitialspace=True)
        heads = [head.strip().lower() for head in next(rows, [])]
        if heads[:2] != ["file", "label"]:
            raise ValueError("lacks the columns file and label: its first line has to begin with file,label")
        for row in rows:
            if len(row) == 1:
                raise ValueError(f"lacks a label in line {rows.line_num}: there is no comma")
            if row and (label := row[1].strip()):
                yield row[0].replace("\\", "/"), label
    except UnicodeDecodeError as error:
        raise ValueError("is no text in UTF-8") from error
    except csv.Error as error:
        raise ValueError(f"is no table in CSV: line {rows.line_num}: {error}") from error


def _parse(content):
    if len(content) > MAX_EXTRA:
        raise ValueError("too long")
    return dict(_take(json.loads(content)["labels"] or ()))


def _take(pairs):
    """Each name that has a class, and this: whole numbers and words."""
    for name, label in pairs:
        if not isinstance(name, str):
            raise TypeError("a name that is none")
        # Lists of numbers, which StyleGAN takes too, are conditions and no classes.
        if isinstance(label, int | str) and not isinstance(label, bool) and len(label := str(label)) <= LONGEST:
            yield name.replace("\\", "/"), label
