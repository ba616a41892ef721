"""Pictures that are decoded when they are needed (no TensorFlow)."""

import logging
import math

import numpy as np

from ganime.data.decode import UnreadablePicture
from ganime.data.listing import Listing
from ganime.data.names import show
from ganime.errors import InputError

NAMED_AT_MOST = 10

log = logging.getLogger("ganime")


class EncodedPictures:
    """The pictures of a listing. What turns out to be unreadable is listed in `unreadable`; another picture takes its place.

    Args:
        listing: Where they are.
        strict: Whether an unreadable picture is an error. Every one is then decoded once before training begins.

    Attributes:
        name: What a run of them is called.
        unreadable: Reason for each unreadable file, by its name within the source.
        fingerprint: Hash of all names and sizes.

    Raises:
        InputError: If there is no usable picture, or (if strict) an unreadable one.
    """

    def __init__(self, listing: Listing, strict: bool = False):
        self.listing, self.strict = listing, strict
        self.name, self.fingerprint = listing.name, listing.fingerprint
        self.unreadable, self._passed_over = {}, set()
        # From a broken picture to the next in steps of the golden ratio, so that a block of broken ones does not give its whole
        # share to one.
        steps = range(int(0.618 * len(self)) or 1, 0, -1)
        self._stride = next(step for step in steps if math.gcd(step, len(self)) == 1) if len(self) else 0
        if not self._any_usable():
            left_out = listing.describe_left_out(brief=False)
            more = f"; {left_out}" * bool(left_out)
            raise InputError(f"no usable picture: looked at {listing}{self._describe_unreadable()}{more}")
        if left_out := listing.describe_left_out():
            log.warning("%s: %s", show(listing.path), left_out)

    def __len__(self):
        return len(self.listing)

    def __str__(self):
        return str(self.listing)

    def __repr__(self):
        return f"<{type(self).__name__}: {self}>"

    def load(self, index: int, size: int) -> np.ndarray:
        """The picture of that index, or another readable one, always the same: uint8 [size, size, 3], RGB.

        Raises:
            InputError: If no picture is readable any more, or (if strict) this one is not.
            GanimeError: If the disk or the network fails, or the source is gone.
        """
        for i in range(len(self)):
            picture = self._try((index + i * self._stride) % len(self), size)
            if picture is not None:
                return picture
        raise InputError(f"no usable picture is left in {show(self.listing.path)}")

    def load_batch(self, indices: list[int], size: int) -> np.ndarray:
        """What `load` gives for each index: uint8 [count, size, size, 3]."""
        return np.stack([self.load(index, size) for index in indices])

    def stand_in(self, index: int) -> int:
        """The index of the picture that `load` has given for an index: itself, or another if that one turned out unreadable."""
        places = ((index + i * self._stride) % len(self) for i in range(len(self)))
        return next((place for place in places if place not in self._passed_over), index)

    def _try(self, index, size):
        if index in self._passed_over:
            return None
        try:
            return self.listing.load(index, size)
        except UnreadablePicture as error:
            self._pass_over(index, str(error))
            return None

    def _pass_over(self, index, reason):
        name = self.listing.name_of(index)
        self._passed_over.add(index)  # in two tars may be files of one name
        self.unreadable[name] = reason
        if self.strict:
            where = show(self.listing.path)
            raise UnreadablePicture(f"{show(name)} in {where}: {reason} (without --strict it is passed over)")
        if len(self.unreadable) <= NAMED_AT_MOST:
            log.warning("passed over %s: %s", show(name), reason)

    def _any_usable(self):
        """Whether a picture can be decoded; in strict mode all are, so that training cannot stop in the middle."""
        usable = (self._try(index, 32) is not None for index in range(len(self)))
        return sum(usable) > 0 if self.strict else any(usable)

    def _describe_unreadable(self):
        return "".join(f"; {show(name)}: {reason}" for name, reason in list(self.unreadable.items())[:1])
