"""What else is in a source of pictures than pictures, in words (no TensorFlow)."""

import itertools
import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from ganime.data.names import show

SHOWN = 3  # names of archives
ENDINGS = 10  # that are counted one by one
GIVEN = (".zip", ".tar", ".parquet", ".npz", ".npy")  # archives that `--data` takes
PACKED = (".7z", ".rar", ".gz", ".tgz", ".bz2", ".xz", ".zst")  # and those that it does not
COMPANIONS = {
    name.encode()
    for word in ("mask", "label", "annotation", "segmentation", "edge", "sketch", "landmark", "trimap", "depth", "alpha")
    for plural in (word, f"{word}s")
    for name in (plural, plural.capitalize())
}
CHILDREN = 100  # folders that are looked at on each level for such companions

# Reasons in the order in which they are told, and what is said of files that are left out for each.
REASONS = {
    "hidden": "hidden",
    "backup": "editors' backups",
    "caption": "captions of pictures",
    "labels": "labels",
    "note": "notes of `data prepare`",
    "no picture": "no pictures",
    "link": "links",
    "broken link": "broken links",
    "no regular file": "no regular files",
    "replaced": "replaced by later ones of their name",
    "no bytes": "rows without a picture",
    "too large": "too large",
}


def tell(left_out: Counter, archives: Iterable[str], brief: bool, inside: bool) -> Iterator[str]:
    """Sentences about what is left out.

    Args:
        left_out: How many files, by (reason, ending).
        archives: Names of some of the archives among them.
        brief: Whether to pass over what nobody asks for.
        inside: Whether all these are in an archive.
    """
    endings = {}
    for (reason, ending), count in sorted(left_out.items()):
        endings.setdefault(reason, Counter())[ending or "(no ending)"] += count
    told = [reason for reason in REASONS if reason in endings and not (brief and reason in ("hidden", "labels", "note"))]
    told += sorted(endings.keys() - REASONS.keys() - {"archive"})
    if told:
        counted = (f"as {REASONS.get(reason, reason)} {count_all(endings[reason])}" for reason in told)
        yield f"left out {'; '.join(counted)}"
    unpacked = "unpack what they are in, then give each with --data"
    for kinds, advice in (
        (GIVEN, unpacked if inside else "give each with --data"),
        (PACKED, "unpack them, or pack them anew as .zip or .tar"),
    ):
        count = sum(count for ending, count in endings.get("archive", {}).items() if ending in kinds)
        if count:
            names = sorted(name for name in archives if name.lower().endswith(kinds))[:SHOWN]
            named = f" ({', '.join(map(show, names))}{', ...' * (count > len(names))})" * bool(names)
            yield f"{count:,} archive{'s' * (count > 1)}{named} not looked into: {advice}"


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
