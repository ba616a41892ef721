"""What a source of encoded pictures holds: names, sizes and places, in few bytes each (no TensorFlow)."""

import hashlib
import logging
import os
import re
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from ganime.data import foreign
from ganime.data.account import COMPRESSED, GIVEN, find_companions, find_marked, tell
from ganime.data.decode import SUFFIXES, decode_picture, describe_picture, fit_square, is_picture
from ganime.data.labels import LABELS, Labels, split_and_class
from ganime.data.names import show

CONTACT_SHEET = "contact-sheet.png"  # an overview that `data prepare` and `data check` write; not a picture to train on
NAMED = 10  # files of each kind among what is no picture
HEAD = 16  # bytes of a file that tell whether it is a picture
_SUFFIXES, _SHEET = tuple(map(str.encode, SUFFIXES)), CONTACT_SHEET.encode()
_TEXTS = (b".txt", b".caption")
_NOTES = (b"index.csv", b"prepare.json")  # of `data prepare`
_SYSTEM = frozenset(  # what systems and drives on the network put beside people's files, in small letters
    (
        *(b"__macosx", b".trashes", b".spotlight-v100", b".fseventsd", b".appledouble", b"lost+found"),
        *(b"$recycle.bin", b"recycler", b"system volume information", b"@eadir", b"#recycle", b"#snapshot", b"@recycle"),
    )
)
_UNSEEN = frozenset((*_SYSTEM, b"thumbs.db", b"ehthumbs.db", b"desktop.ini", b"lock.mdb"))
_PART = re.compile(r"-\d+-of-\d+$")  # as in faces.tfrecord-00000-of-00012

log = logging.getLogger("ganime")


class Others:
    """What is no picture in a source, for `Listing`: how many there are, the names of texts, and some others' names.

    Attributes:
        left_out, texts, named: As `Listing` has them.
        unseen: Folders that are hidden, and were not looked into.
    """

    def __init__(self):
        self.left_out, self.texts, self.named, self.unseen = Counter(), [], {}, []

    def add(self, name: bytes) -> None:
        """Take in a file of this name within the source, which is left out for what it is called or how it begins."""
        if is_text(name) and not any(map(is_hidden, name.split(b"/"))):
            self.texts.append(name)
            return
        reason, ending = why_left_out(name)
        self.left_out[reason, ending] += 1
        if reason == "not looked into":
            self._note(ending, name)
        elif reason == "hidden folder":
            parts = name.split(b"/")
            first = next(i for i, part in enumerate(parts) if is_hidden(part))
            self._note(reason, b"/".join(parts[: first + 1]))

    def _note(self, kind, name):
        names = self.named.setdefault(kind, [])
        if (name := os.fsdecode(name)) not in names:
            names[:] = sorted([*names, name])[:NAMED]


class Listing:
    """The encoded pictures of a source, in the order of their names, and an account of what else is in it.

    A folder and the archives of it list the same names and sizes: they have one order and one fingerprint. A subclass finds
    them and reads one of them.

    Args:
        path: Where the source is.
        found: Of each picture its name within the source, with `/` on every system, its size in bytes, and its place, bytes of
            one length that say where a subclass finds it; with `place_size` 0 there are none.
        left_out: How many other files there are, by (reason, ending); `why_left_out` gives both.
        place_size: Length of a place.
        texts: Names of text files, which are counted as captions if a picture has the same name but for its ending. It may be
            filled while `found` is gone through.

    Attributes:
        name: What a run of it is called.
        fingerprint: Hash of all names and sizes.
        named: Names of some of what is not looked into, by their endings; of some hidden folders, by "hidden folder".
        is_archive: Whether what is in it must be unpacked before it can be given itself.
    """

    named: Mapping[str, Sequence[str]] = {}
    is_archive = True

    def __init__(
        self,
        path: Path,
        found: Iterable[tuple[bytes, int, bytes]],
        left_out: Counter,
        place_size: int = 0,
        texts: Sequence[bytes] = (),
    ):
        self.path, self.left_out = path, left_out
        self.name = path.resolve().name
        # One byte string per file while they are sorted, one for all of them afterwards: 30 MB for a million.
        entries = sorted(b"%s\0%d\0%s" % file for file in found)
        left_out.update(_caption_or_not(text, entries) for text in texts)
        self._place_size, self._ends, names, places = place_size, array("q"), bytearray(), bytearray()
        entries.reverse()
        while entries:  # each goes as soon as it is taken in
            entry = entries.pop()
            names += entry[: len(entry) - place_size]
            places += entry[len(entry) - place_size :]
            self._ends.append(len(names))
        self._entries, self._places = bytes(names), bytes(places)
        self.fingerprint = hashlib.sha256(self._entries).hexdigest()

    def __len__(self):
        return len(self._ends)

    def __str__(self):
        return f"{len(self):,} pictures in {self.where}"

    @property
    def where(self) -> str:
        """The place that was looked at, in words."""
        return show(self.path)

    def name_of(self, index: int) -> str:
        """The name of a picture within the source."""
        entry = self._entry(index)
        return os.fsdecode(entry[: entry.index(b"\0")])

    def size_of(self, index: int) -> int:
        """How many bytes a picture has, encoded; 0 if that is not known."""
        entry = self._entry(index)
        return int(entry[entry.index(b"\0") + 1 : -1])

    def place_of(self, index: int) -> bytes:
        """Where a subclass finds a picture."""
        return self._places[index * self._place_size : (index + 1) * self._place_size]

    def read(self, index: int) -> bytes:
        """The content of a picture's file.

        Raises:
            UnreadablePicture: If it alone cannot be had.
            GanimeError: If the source is gone, or the disk or the network fails for longer than `insist` waits.
        """
        raise NotImplementedError

    def decode(self, data: bytes, at_least: int | None = None) -> np.ndarray:
        """What `read` gave as a picture, uint8 [height, width, 3], RGB; arguments and errors are those of `decode_picture`."""
        return decode_picture(data, at_least)

    def describe(self, data: bytes) -> tuple[str, tuple[int, int]]:
        """Format, and width and height in pixels, of what `decode` took."""
        return describe_picture(data)

    def load(self, index: int, size: int) -> np.ndarray:
        """Read, decode and fit a picture: uint8 [size, size, 3], RGB.

        Raises:
            UnreadablePicture, GanimeError: As `read` and `decode_picture` do.
        """
        return fit_square(self.decode(self.read(index), at_least=size), size)

    def label_of(self, index: int) -> str | None:
        """The class of a picture: what the source's `dataset.json` says, else its folders (`split_and_class`).

        Raises:
            GanimeError: If the source is gone.
        """
        if self._labels is not None:
            return self._labels[index]
        return split_and_class(self.name_of(index))[1]

    def read_extra(self, name: str) -> bytes | None:
        """The content of another file in the source, such as `dataset.json`; None if there is none of that name. Of a long
        one the beginning, a byte more than `ganime.data.labels.MAX_EXTRA`."""
        raise NotImplementedError

    def read_extras(self, names: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Those of other files of these names that there are, and their content as `read_extra` gives it, in any order."""
        for name in names:
            if (content := self.read_extra(name)) is not None:
                yield name, content

    def describe_left_out(self, brief: bool = True) -> str:
        """What is not taken for a picture, and what perhaps should not be, in a line; empty if there is nothing to say.

        Args:
            brief: Whether hidden files and the like are passed over.
        """
        told = tell(self.left_out, self.named, brief, None if self.is_archive else os.fspath(self.path))
        doubted = [*find_companions(len(self), self.name_of)] or find_marked(len(self), self.name_of)
        return "; ".join((*told, *doubted))

    @cached_property
    def _labels(self):
        if (content := self.read_extra(LABELS)) is None:
            return None
        try:
            labels = Labels(content, map(self.name_of, range(len(self))))
        except ValueError as error:
            log.warning("%s in %s gives no picture a class: it is %s", LABELS, show(self.path), error)
            return None
        if labels.unmatched:
            named = show(labels.unmatched)
            log.warning("%s in %s gives no picture a class: none is called %s, say", LABELS, show(self.path), named)
        return labels

    def _entry(self, index):
        return self._entries[self._ends[index - 1] if index else 0 : self._ends[index]]


def is_hidden(name: bytes) -> bool:
    """Whether a file or folder of this name (without those above it) is passed over, whatever it holds."""
    return name.startswith(b".") or name == _SHEET or name.lower() in _UNSEEN


def is_named_as_picture(name: bytes) -> bool:
    """Whether a name has the ending of a picture."""
    return name.lower().endswith(_SUFFIXES)


def is_backup(name: bytes) -> bool:
    """Whether a name is what editors give to a file's content before the last change, as in `face.png~`."""
    return name.endswith(b"~")


def looks_like_picture(name: bytes, head: bytes) -> bool:
    """Whether a file of this name that begins with these (`HEAD`) bytes is taken for a picture until it is decoded."""
    return is_named_as_picture(name) or (not is_backup(name) and is_picture(head))


def is_text(name: bytes) -> bool:
    """Whether a name has the ending of a text that may describe a picture."""
    return name.lower().endswith(_TEXTS)


def why_left_out(name: bytes) -> tuple[str, str]:
    """Why a file of this name within the source, which does not look like a picture, is left out; and the name's ending."""
    *folders, last = name.split(b"/")
    if any(folder.lower() in _SYSTEM for folder in folders):
        return "system folder", ending_of(last)
    if b"." in folders or b".." in folders:
        return "elsewhere", ending_of(last)
    if any(map(is_hidden, folders)):
        return "hidden folder", ending_of(last)
    if is_hidden(last):
        return "hidden", ending_of(last)
    if name in _NOTES:
        return "note", ending_of(last)
    if name == LABELS.encode():
        return "labels", ending_of(last)
    if is_backup(last):
        return "backup", ending_of(last)
    ending = ending_of(last)
    return "not looked into" if ending in (*GIVEN, *COMPRESSED) or foreign.of_ending(ending) else "no picture", ending


def ending_of(name: bytes) -> str:
    """The ending of a name in lower case, with its dot and without a part's number; empty if there is none."""
    return show(_PART.sub("", os.path.splitext(os.fsdecode(name))[1].lower()))


def _caption_or_not(text, entries):
    """The reason for which a text is left out and its ending, given the sorted entries of all pictures."""
    stem = text[: text.rindex(b".") + 1]
    place = bisect_left(entries, stem)
    described = place < len(entries) and entries[place].startswith(stem) and b"/" not in entries[place][len(stem) :]
    return ("caption", ending_of(text)) if described else why_left_out(text)
