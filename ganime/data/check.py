"""What is in a set of pictures, and what should not be (no TensorFlow)."""

import contextlib
import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ganime.data.copies import NearCopies, perceptual_hash
from ganime.data.decode import UnreadablePicture, fit_square
from ganime.data.listing import Listing
from ganime.data.parallel import in_order
from ganime.pictures.grids import make_grid, save_picture


@dataclass
class Findings:
    """What `check` found; all names are within the source.

    Attributes:
        good: Indices of the pictures that are readable and no copy of an earlier one.
        formats: Number of readable pictures of each format.
        sizes: Number of readable pictures of each (width, height).
        unreadable: Reason for each file that cannot be read.
        exact_copies: The earlier picture for each file with the same content.
        near_copies: The earlier picture for each one that looks the same (`perceptual_hash`).
    """

    good: list[int] = field(default_factory=list)
    formats: Counter = field(default_factory=Counter)
    sizes: Counter = field(default_factory=Counter)
    unreadable: dict[str, str] = field(default_factory=dict)
    exact_copies: dict[str, str] = field(default_factory=dict)
    near_copies: dict[str, str] = field(default_factory=dict)


def check(listing: Listing, report: Callable[[int, int], None] = lambda done, total: None) -> Findings:
    """Read every picture of a source, on all cores; nothing is changed.

    Args:
        listing: What to look at.
        report: Called with the numbers of pictures done and to do.
    """
    findings, contents, looks = Findings(), {}, NearCopies()
    for index, result in enumerate(in_order(lambda index: _look_at(listing, index), range(len(listing)))):
        report(index + 1, len(listing))
        name = listing.name_of(index)
        if isinstance(result, UnreadablePicture):
            findings.unreadable[name] = str(result)
            continue
        digest, look, (kind, size) = result
        findings.formats[kind] += 1
        findings.sizes[size] += 1
        if (original := contents.setdefault(digest, name)) != name:
            findings.exact_copies[name] = original
        elif original := looks.find(look):
            findings.near_copies[name] = original
        else:
            looks.add(name, look)
            findings.good.append(index)
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
    return hashlib.sha256(data).digest(), look, listing.describe(data)
