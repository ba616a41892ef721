"""Pictures and a label for each: by their folders, a file, their captions or a list (no TensorFlow)."""

import hashlib
import json
import logging
import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ganime.data.captions import MOST_TAGS, choose_tags, read_tags
from ganime.data.encoded import EncodedPictures
from ganime.data.joined import JoinedPictures, as_pictures
from ganime.data.labels import LABELS, MAX_EXTRA, read_labels, split_and_class
from ganime.data.listing import Listing
from ganime.data.names import show
from ganime.errors import InputError
from ganime.labels import check_labels, list_labels, quote

FEW = 50  # pictures of a label, with which a generator learns little of it
_CAPTIONS = re.compile(r"captions(?::(\d{1,4}))?")

log = logging.getLogger("ganime")


class LabelledPictures:
    """Pictures of which each has a label; those without one are left out.

    Args:
        pictures: `PictureFolder` or any other set.
        labels: The names of the labels.
        numbers: For each picture which of them is its own, counted from 0; -1 for none.

    Attributes:
        labels: The names, a tuple.
        numbers: Those of the pictures that are here, int32 [count].
        fingerprint: That of all pictures; a hash is added if some are left out. It does not depend on the labels: see
            `hash_labels`.

    Raises:
        InputError: If the names cannot be labels, or no picture has one.
    """

    def __init__(self, pictures, labels: Sequence[str], numbers: np.ndarray):
        check_labels(labels)
        self.pictures, self.labels, self._all = pictures, tuple(labels), np.asarray(numbers, np.int32)
        self.indices = np.flatnonzero(self._all >= 0)
        self.numbers = self._all[self.indices]
        self.name, self.size = getattr(pictures, "name", "pictures"), getattr(pictures, "size", None)
        self.fingerprint = pictures.fingerprint
        if len(self.indices) < len(pictures):
            self.fingerprint += f"/{_hash(self.indices)}"

    def __len__(self):
        return len(self.indices)

    def __str__(self):
        chosen = f"{len(self):,} of " * (len(self) < len(self.pictures))
        return f"{chosen}{self.pictures}, {len(self.labels)} labels"

    def __repr__(self):
        return f"<LabelledPictures: {self}>"

    @property
    def unreadable(self):
        return getattr(self.pictures, "unreadable", {})

    def load_batch(self, indices: list[int], size: int) -> np.ndarray:
        """As the pictures': uint8 [count, size, size, 3], RGB."""
        return self.pictures.load_batch(self.indices[indices].tolist(), size)

    def numbers_of(self, indices: Sequence[int]) -> np.ndarray:
        """The label of what `load_batch` has given for these indices: where another picture stands in for an unreadable one,
        that one's."""
        numbers = self.numbers[indices]
        if self.unreadable and hasattr(self.pictures, "stand_in"):
            shown = self._all[[self.pictures.stand_in(index) for index in self.indices[indices].tolist()]]
            numbers = np.where(shown >= 0, shown, numbers)
        return numbers


def label_pictures(pictures, labels: str | os.PathLike | Sequence[str | None]) -> LabelledPictures:
    """Give each picture a label; those for which there is none are left out, and counted on the log.

    Args:
        pictures: What `ganime.fit` takes.
        labels: `"folders"`: the name of the first folder from the top that is called neither like a split nor `images`, as
            `data check` counts them. `"captions"` or `"captions:N"`: of the N tags (8 by default) that most captions have, text
            files beside the pictures, but for those that more than half have, the rarest in the picture's own. The path of a
            JSON file, or the name of one within the source: `{"labels": [["00000/face.png", 3], ...]}` as StyleGAN has it, or
            `{"face.png": "blonde", ...}`; or of a CSV file whose first line begins with `file,label`. Or a label for each
            picture, None for no label.

    Raises:
        InputError: If the pictures are not of such a kind, the file is not, no picture gets a label, or all get the same.

    Example:
        >>> faces = label_pictures(np.zeros((4, 32, 32, 3), np.uint8), ["blonde", "black", "black", None])
        >>> faces.labels, len(faces)
        (('black', 'blonde'), 3)
    """
    pictures = as_pictures(pictures)
    if isinstance(labels, str | os.PathLike):
        what = f"--labels {show(labels)}"
        found = _find(pictures, os.fspath(labels), what)
    else:
        what, found = "labels", [None if label is None else str(label) for label in labels]
        if len(found) != len(pictures):
            raise InputError(f"{len(found):,} labels are not one for each of {len(pictures):,} pictures")
    counts = Counter(label for label in found if label is not None)
    if not counts:
        raise InputError(f"{what}: none of {pictures} has a label")
    names = sorted(counts, key=lambda name: (0, int(name), name) if name.isdecimal() else (1, 0, name))
    numbers = {name: number for number, name in enumerate(names)}
    try:
        labelled = LabelledPictures(pictures, names, np.array([numbers.get(label, -1) for label in found], np.int32))
    except InputError as error:
        raise InputError(f"{what}: {error}") from None
    if left_out := len(pictures) - len(labelled):
        log.warning("%s: %s of %s pictures have no label, and are left out", what, f"{left_out:,}", f"{len(pictures):,}")
    if few := [name for name in names if counts[name] < FEW]:
        log.warning("%s: fewer than %d pictures are little to learn a label from: %s", what, FEW, list_labels(few))
    return labelled


def renumber(pictures, labels: Sequence[str], whose: str) -> np.ndarray:
    """For each number of the labels of some pictures, which of other names it is.

    Args:
        pictures: Labelled ones.
        labels: The other names.
        whose: Whose these are, in words.

    Raises:
        InputError: If a label of the pictures is none of them.
    """
    if unknown := [name for name in pictures.labels if name not in labels]:
        raise InputError(f"the pictures' label {quote(unknown[0])} is none of {whose}: {list_labels(labels)}")
    return np.array([labels.index(name) for name in pictures.labels], np.int32)


def hash_labels(pictures) -> str:
    """What changes when a picture of these gets another label, in whatever order the labels are."""
    names = sorted(pictures.labels)
    return _hash(renumber(pictures, names, "its own")[pictures.numbers], json.dumps(names).encode())


def _hash(numbers, more=b""):
    return hashlib.sha256(np.ascontiguousarray(numbers, "<i8").tobytes() + more).hexdigest()[:16]


def _find(pictures, how, what):
    """The label of each picture, None for none."""
    listings = _listings(pictures)
    if listings is None:
        raise InputError(f"{what}: {pictures} have no names to go by; ganime.label_pictures takes a list of labels too")
    if how == "folders":
        return [label and show(label) for listing in listings for label in map(_folder, _names(listing))]
    if captions := _CAPTIONS.fullmatch(how):
        count = int(captions[1] or MOST_TAGS)
        if count < 2:
            raise InputError(f"{what}: two tags or more are needed to tell pictures apart")
        return choose_tags([tags for listing in listings for tags in read_tags(listing)], count, what)
    return _read_file(listings, how, what)


def _folder(name):
    return split_and_class(name)[1]


def _names(listing):
    return map(listing.name_of, range(len(listing)))


def _listings(pictures) -> list[Listing] | None:
    if isinstance(pictures, JoinedPictures):
        parts = [_listings(part) for part in pictures.parts]
        return None if None in parts else [listing for part in parts for listing in part]
    return [pictures.listing] if isinstance(pictures, EncodedPictures) else None


def _read_file(listings, how, what):
    """What a file says of all pictures, or the file of that name in each source of its own."""
    path = Path(how)
    if path.is_file():
        with open(path, "rb") as file:
            contents = [file.read(MAX_EXTRA + 1)] * len(listings)
    else:
        contents = [listing.read_extra(how) for listing in listings]
        if None in contents:
            known = "it is neither folders nor captions nor a file that is there, beside or in the source"
            raise InputError(f"{what}: {known}")
    found, known, used = [], {}, set()
    for listing, content in zip(listings, contents, strict=True):
        try:
            by_name = read_labels(content, path.suffix.lower() == ".csv")
        except ValueError as error:
            raise InputError(f"{what}: it {error}") from None
        known |= by_name
        names = [*_names(listing)]
        used |= by_name.keys() & {*names}
        found += map(by_name.get, names)
    if unmatched := known.keys() - used:
        lacking = f"{len(unmatched):,} of its {len(known):,} names are of no picture"
        log.warning("%s: %s, such as %s", what, lacking, show(min(unmatched)))
    return [label and show(label) for label in found]


__all__ = ["LABELS", "LabelledPictures", "hash_labels", "label_pictures", "renumber"]
