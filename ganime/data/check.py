"""What is in a folder of pictures, and what should not be (no TensorFlow)."""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ganime.data.copies import NearCopies, perceptual_hash
from ganime.data.decode import UnreadablePicture, decode_picture, describe_picture, fit_square, read_picture
from ganime.data.folder import walk
from ganime.data.parallel import in_order


@dataclass
class Findings:
    """What `check` found; all paths are within the folder.

    Attributes:
        good: Pictures that are readable and no copy of an earlier one.
        formats: Number of readable pictures of each format.
        sizes: Number of readable pictures of each (width, height).
        unreadable: Reason for each file that cannot be read.
        exact_copies: The earlier picture for each file with the same content.
        near_copies: The earlier picture for each one that looks the same (`perceptual_hash`).
    """

    good: list[str] = field(default_factory=list)
    formats: Counter = field(default_factory=Counter)
    sizes: Counter = field(default_factory=Counter)
    unreadable: dict[str, str] = field(default_factory=dict)
    exact_copies: dict[str, str] = field(default_factory=dict)
    near_copies: dict[str, str] = field(default_factory=dict)


def check(
    folder: Path,
    subfolders: tuple[str, ...] = (),
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Findings:
    """Read every picture under a folder, on all cores; nothing is changed.

    Args:
        folder: Where to look, recursively.
        subfolders: Look only into these folders within it.
        report: Called with the numbers of pictures done and to do.

    Raises:
        InputError: If it is no folder.
    """
    folder = Path(folder)
    paths = sorted(path for path, _ in walk(folder, subfolders))
    findings, contents, looks = Findings(), {}, NearCopies()
    looked_at = in_order(lambda path: _look_at(folder / path), paths)
    for done, (path, result) in enumerate(zip(paths, looked_at, strict=True), 1):
        report(done, len(paths))
        if isinstance(result, UnreadablePicture):
            findings.unreadable[path] = str(result)
            continue
        digest, look, (kind, size) = result
        findings.formats[kind] += 1
        findings.sizes[size] += 1
        if (original := contents.setdefault(digest, path)) != path:
            findings.exact_copies[path] = original
        elif original := looks.find(look):
            findings.near_copies[path] = original
        else:
            looks.add(path, look)
            findings.good.append(path)
    return findings


def _look_at(path):
    try:
        data = read_picture(path)
        look = perceptual_hash(fit_square(decode_picture(data, at_least=64), 64))
    except UnreadablePicture as error:
        return error
    return hashlib.sha256(data).digest(), look, describe_picture(data)
