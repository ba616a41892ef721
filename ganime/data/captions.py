"""Captions: text files beside pictures, whose tags are separated by commas (no TensorFlow)."""

import os
from collections import Counter
from collections.abc import Sequence

from ganime.data.labels import LONGEST
from ganime.data.listing import Listing
from ganime.errors import InputError

MOST_TAGS = 8  # that become labels, where no other number is given
ENDINGS = (".txt", ".caption")  # of the files, the picture's name before them


def read_tags(listing: Listing) -> list[tuple[str, ...]]:
    """The tags of each picture's caption, in small letters; none where there is no caption.

    `face.txt` or, where there is none, `face.caption` is the caption of `face.png`. Longer tags than a label may be are left
    out: they are sentences.
    """
    stems = [os.path.splitext(listing.name_of(index))[0] for index in range(len(listing))]
    texts, known = {}, {}
    for ending in ENDINGS:
        wanted = dict.fromkeys(stem + ending for stem in stems if stem not in texts)
        texts |= {name.removesuffix(ending): text for name, text in listing.read_extras(wanted)}
    found = []
    for stem in stems:
        tags = texts.get(stem, b"").decode("utf-8-sig", "replace").lower().replace("\n", ",").split(",")
        tags = dict.fromkeys(tag for tag in (" ".join(part.split()) for part in tags) if 0 < len(tag) <= LONGEST)
        found.append(tuple(known.setdefault(tag, tag) for tag in tags if tag.isprintable()))
    return found


def choose_tags(captions: Sequence[tuple[str, ...]], count: int, what: str) -> list[str | None]:
    """For each picture one of the most frequent tags: the rarest of those that its caption has.

    A tag that more than half of the captions have, as `1girl`, tells hardly any pictures apart, and is none of them.

    Args:
        captions: The tags of each picture.
        count: How many tags are to be labels.
        what: What was asked for, for messages.

    Raises:
        InputError: If there are no captions, or no two such tags.
    """
    if not (described := sum(map(bool, captions))):
        raise InputError(f"{what}: no picture has a caption with tags, as face.txt beside face.png")
    frequency = Counter(tag for tags in captions for tag in tags)
    telling = sorted((tag for tag in frequency if frequency[tag] <= described / 2), key=lambda tag: (-frequency[tag], tag))
    rank = {tag: place for place, tag in enumerate(telling[:count])}
    if len(rank) < 2:
        raise InputError(f"{what}: the captions have no two tags that tell pictures apart (that half or fewer of them have)")
    return [max((tag for tag in tags if tag in rank), key=rank.__getitem__, default=None) for tags in captions]
