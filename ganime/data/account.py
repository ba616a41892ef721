"""What else is in a source of pictures than pictures, in words (no TensorFlow)."""

import itertools
import os
import re
import shlex
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from ganime.data import foreign
from ganime.data.names import show

SHOWN = 3  # names of files that are not looked into
ENDINGS = 10  # that are counted one by one
LONG = 100  # characters of a command
GIVEN = (".zip", ".tar", ".parquet", ".npz", ".npy")  # what may hold pictures and is given itself
COMPRESSED = (".gz", ".tgz", ".bz2", ".xz", ".zst")
WORDS = (
    "mask",
    "label",
    "annotation",
    "segmentation",
    "seg",
    "edge",
    "sketch",
    "landmark",
    "trimap",
    "depth",
    "alpha",
    "matte",
)
COMPANIONS = {
    name.encode() for word in WORDS for plural in (word, f"{word}s") for name in (plural, plural.capitalize())
}  # what folders are called
MARKED = re.compile(rb"[^/]([._-](?:%s)s?\.\w+)$" % "|".join(WORDS).encode(), re.IGNORECASE)  # and files, as in 001.mask.png
CHILDREN = 100  # folders that are looked at on each level for such companions
PROBES = 300  # places in a list of names that are looked at for them

# Reasons in the order in which they are told, and what is said of files that are left out for each.
REASONS = {
    "hidden folder": "in hidden folders",
    "hidden": "as hidden",
    "system folder": "in folders of the system",
    "elsewhere": "as names with . or .. in them",
    "backup": "as editors' backups",
    "caption": "as captions of pictures",
    "labels": "as labels",
    "note": "as notes of `data prepare`",
    "no picture": "as no pictures",
    "link": "as links",
    "broken link": "as broken links",
    "no regular file": "as no regular files",
    "replaced": "as replaced by later ones of their name",
    "no bytes": "as rows without a picture",
    "too large": "as too large",
}
UNASKED = ("hidden folder", "hidden", "system folder", "labels", "note")  # which nobody asks for, where there are pictures


def tell(left_out: Counter, named: Mapping[str, Sequence[str]], brief: bool, place: str | None) -> Iterator[str]:
    """Sentences about what is left out, that of which a source can be made first.

    Args:
        left_out: How many files, by (reason, ending).
        named: Names of some of those that are not looked into, by their endings, and of some hidden folders ("hidden folder").
        brief: Whether to pass over what nobody asks for.
        place: The folder that all these are in; None if it is an archive.
    """
    endings = {}
    for (reason, ending), count in sorted(left_out.items()):
        endings.setdefault(reason, Counter())[ending or "(no ending)"] += count
    yield from _tell_closed(endings.pop("not looked into", Counter()), named, brief, place)
    told = [reason for reason in REASONS if reason in endings and not (brief and reason in UNASKED)]
    told += sorted(endings.keys() - REASONS.keys())
    if told:
        counted = (
            f"{REASONS.get(reason, f'as {reason}')}{_name_folders(named.get(reason, ()), place)} {count_all(endings[reason])}"
            for reason in told
        )
        yield f"left out {'; '.join(counted)}"


def _tell_closed(closed, named, brief, place):
    """Sentences about files that are not looked into; a long command is told of one kind at the most."""
    others = sorted(foreign.KINDS, key=lambda kind: -sum(closed[ending] for ending in kind.endings))
    for name, kinds, remedy in (
        ("archive", GIVEN, lambda path: "give each with --data"),
        ("archive", COMPRESSED, lambda path: "unpack them, or pack them anew as .zip or .tar"),
        *((kind.name, kind.endings, kind.remedy_for) for kind in others),
    ):
        if not (count := sum(closed[ending] for ending in kinds)):
            continue
        names = sorted(name for ending in kinds for name in named.get(ending, ()))[:SHOWN]
        listed = f" ({', '.join(map(show, names))}{', ...' * (count > len(names))})" * bool(names)
        path = show(os.path.join(place or "", names[0]) if names else "FILE")
        way = remedy(path)
        if len(way) > LONG + len(path):
            way, brief = f"--data {shlex.quote(path)} says what to do" if brief else way, True
        unpack = "unpack what they are in, then " * (place is None)
        yield f"{count:,} {name}{'s' * (count > 1)}{listed} not looked into: {unpack}{way}"


def _name_folders(names, place):
    shown = ", ".join(map(show, names[:SHOWN])) + ", ..." * (len(names) > SHOWN)
    way = "; to take what is in one, give it itself with --data" * (place is not None)
    return f" ({shown}{way})" * bool(names)


def count_all(counts: Counter) -> str:
    """How many there are of each kind, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{kind} {count:,}" for kind, count in ordered[:ENDINGS]]
    return ", ".join(shown) + f" and {len(ordered) - ENDINGS:,} more" * (len(ordered) > ENDINGS)


def find_companions(count: int, name_of: Callable[[int], str]) -> Iterator[str]:
    """Sentences about folders whose names say that they hold no faces, but masks or the like for those beside them.

    A few hundred names are looked at, however many there are.

    Args:
        count: Number of pictures.
        name_of: Gives the name of one; they are sorted as bytes.
    """
    if count < 2:
        return

    def name(index):
        return os.fsencode(name_of(index))

    def place(start, low=0, high=count):
        return bisect_left(range(count), start, low, high, key=name)

    folders = zip(name(0).split(b"/")[:-1], name(count - 1).split(b"/")[:-1], strict=False)
    top = b"".join(first + b"/" for first, _ in itertools.takewhile(lambda both: both[0] == both[1], folders))
    for prefix in (top, *_children(top, count, name, place)):
        begin, end = place(prefix), place(prefix[:-1] + b"0") if prefix else count  # "0" comes after "/"
        for companion in sorted(COMPANIONS):
            first = place(prefix + companion + b"/", begin, end)
            if first == end or not name(first).startswith(prefix + companion + b"/"):
                continue
            inside = place(prefix + companion + b"0", first, end) - first
            if inside < end - begin:
                folder = show(os.fsdecode(prefix + companion))
                what = f"{folder}/ holds {inside:,} pictures that may be no faces, beside {end - begin - inside:,} others"
                yield f"{what}: all are trained on; to leave them out, give only the folder of the others with --data"


def find_marked(count: int, name_of: Callable[[int], str]) -> Iterator[str]:
    """A sentence about pictures whose own names say that they are masks or the like, as `001.mask.png` does, beside others.

    All names are looked at only if one of some hundreds is of that kind.

    Args:
        count: Number of pictures.
        name_of: Gives the name of one.
    """

    def mark(index):
        return MARKED.search(os.fsencode(name_of(index)))

    places = range(0, count, max(1, count // PROBES))
    if any(mark(index) for place in places for index in range(place, min(place + 3, count))):  # of one sample after the other
        marks = Counter(os.fsdecode(found[1].lower()) for index in range(count) if (found := mark(index)))
        if (inside := marks.total()) < count:
            endings = count_all(Counter({show(ending): number for ending, number in marks.items()}))
            what = (
                f"{inside:,} pictures may be no faces by the ends of their names ({endings}), beside {count - inside:,} others"
            )
            yield f"{what}: all are trained on; to leave them out, make a source without them"


def _children(prefix, count, name, place):
    """The folders in a folder, as prefixes."""
    index, found = place(prefix), []
    for _ in range(CHILDREN):
        if index >= count or not name(index).startswith(prefix):
            break
        child, slash, _ = name(index)[len(prefix) :].partition(b"/")
        if slash:
            found.append(prefix + child + b"/")
            index = place(prefix + child + b"0")
        else:
            index += 1
    return found
