"""What is in a set of pictures, and what should not be (no TensorFlow)."""

import contextlib
import hashlib
import itertools
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ganime.data.copies import NearCopies, perceptual_hash
from ganime.data.decode import UnreadablePicture, fit_square
from ganime.data.formats import holds_several
from ganime.data.labels import split_and_class
from ganime.data.listing import Listing
from ganime.data.parallel import in_order
from ganime.pictures.grids import make_grid, save_picture


@dataclass
class Findings:
    """What `check` found; all names are within the source, of several sources after its own name and a slash.

    Attributes:
        good: The pictures that are readable and no copy of an earlier one, as numbers that count through all sources.
        formats: Number of readable pictures of each format.
        sizes: Number of readable pictures of each (width, height).
        classes: Number of readable pictures of each class (`Listing.label_of`).
        splits: Number of readable pictures in each folder such as `train` (`split_and_class`).
        several: Number of readable files of each format that hold more than one picture (`holds_several`).
        unreadable: Reason for each file that cannot be read.
        exact_copies: The earlier picture for each file with the same content.
        near_copies: The earlier picture for each one that looks the same (`perceptual_hash`).
    """

    good: list[int] = field(default_factory=list)
    formats: Counter = field(default_factory=Counter)
    sizes: Counter = field(default_factory=Counter)
    classes: Counter = field(default_factory=Counter)
    splits: Counter = field(default_factory=Counter)
    several: Counter = field(default_factory=Counter)
    unreadable: dict[str, str] = field(default_factory=dict)
    exact_copies: dict[str, str] = field(default_factory=dict)
    near_copies: dict[str, str] = field(default_factory=dict)


class Sources:
    """The pictures of some sources, counted through.

    Args:
        sources: What a person calls each, and what is in it.
    """

    def __init__(self, sources: Sequence[tuple[str, Listing]]):
        self._sources = sources
        self._starts = [0, *itertools.accumulate(len(listing) for _, listing in sources)]

    def __len__(self):
        return self._starts[-1]

    def at(self, number: int) -> tuple[str, Listing, int]:
        """What a picture's source is called, the source, and the picture's index there."""
        place = bisect_right(self._starts, number) - 1
        return *self._sources[place], number - self._starts[place]

    def name_of(self, number: int) -> str:
        """The name of a picture within its source; of several sources after the source's own name."""
        title, listing, index = self.at(number)
        name = listing.name_of(index)
        return f"{title.rstrip('/')}/{name}" if len(self._sources) > 1 else name

    def label_of(self, number: int) -> str | None:
        """What `Listing.label_of` gives."""
        _, listing, index = self.at(number)
        return listing.label_of(index)

    def split_of(self, number: int) -> str | None:
        """The split that a picture's folders name, within its source (`split_and_class`)."""
        _, listing, index = self.at(number)
        return split_and_class(listing.name_of(index))[0]

    def load(self, number: int, size: int) -> np.ndarray:
        """What `Listing.load` gives."""
        _, listing, index = self.at(number)
        return listing.load(index, size)


def check(pictures: Listing | Sources, report: Callable[[int, int], None] = lambda done, total: None) -> Findings:
    """Read every picture of one source or several, on all cores; nothing is changed.

    Args:
        pictures: What to look at.
        report: Called with the numbers of pictures done and to do.
    """
    pictures = pictures if isinstance(pictures, Sources) else Sources([("", pictures)])
    findings, contents, looks = Findings(), {}, NearCopies()
    for number, result in enumerate(in_order(lambda number: _look_at(*pictures.at(number)[1:]), range(len(pictures)))):
        report(number + 1, len(pictures))
        name = pictures.name_of(number)
        if isinstance(result, UnreadablePicture):
            findings.unreadable[name] = str(result)
            continue
        digest, look, (kind, size), several = result
        findings.formats[kind] += 1
        findings.sizes[size] += 1
        findings.several.update([kind] * several)
        if (label := pictures.label_of(number)) is not None:
            findings.classes[label] += 1
        if split := pictures.split_of(number):
            findings.splits[split] += 1
        # A name may be there twice in an archive, so it is the number that says whether this is the first one.
        if (original := contents.setdefault(digest, number)) != number:
            findings.exact_copies[name] = pictures.name_of(original)
        elif original := looks.find(look):
            findings.near_copies[name] = original
        else:
            looks.add(name, look)
            findings.good.append(number)
    return findings


def save_contact_sheet(path: Path, count: int, load: Callable[[int], np.ndarray]) -> None:
    """Write a grid of (at most) 100 pictures, evenly spaced; nothing if none is readable.

    Args:
        path: Where to write it.
        count: How many there are.
        load: Gives the one of an index, uint8 [64, 64, 3], or raises `UnreadablePicture`.
    """
    shown = []
    for index in np.linspace(0, count - 1, min(count, 100)).astype(int).tolist():
        with contextlib.suppress(UnreadablePicture):
            shown.append(load(index))
    if shown:
        save_picture(path, make_grid(np.stack(shown)))


def _look_at(listing, index):
    try:
        data = listing.read(index)
        look = perceptual_hash(fit_square(listing.decode(data, at_least=64), 64))
    except UnreadablePicture as error:
        return error
    about = listing.describe(data)
    return hashlib.sha256(data).digest(), look, about, holds_several(data, about[0])
