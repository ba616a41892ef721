"""Pictures that are decoded once (no TensorFlow)."""

import numpy as np


class RememberedPictures:
    """Pictures that are kept as pixels once they have been loaded.

    Memory is taken as they come: 3 bytes for each pixel of what has been loaded.

    Args:
        pictures: `PictureFolder` or any other set.
        size: Side of the pictures in pixels, the only one that can be loaded then.

    Attributes:
        images: uint8 [count, size, size, 3]; zeros where a picture has not been loaded yet.
    """

    def __init__(self, pictures, size: int):
        self.pictures, self.size = pictures, size
        self.images = np.zeros((len(pictures), size, size, 3), np.uint8)
        self._known, self.complete = np.zeros(len(pictures), bool), False

    def __len__(self):
        return len(self.pictures)

    @property
    def labels(self) -> tuple[str, ...]:
        """Those of the pictures (see `LabelledPictures`), if they have any."""
        return getattr(self.pictures, "labels", ())

    @property
    def numbers(self) -> np.ndarray:
        """The label of each picture."""
        return self.pictures.numbers

    def numbers_of(self, indices: list[int]) -> np.ndarray:
        """As the pictures' own."""
        return self.pictures.numbers_of(indices)

    def load_batch(self, indices: list[int], size: int) -> np.ndarray:
        """The pictures of these indices: uint8 [count, size, size, 3], RGB."""
        if not self.complete:
            if new := [index for index in dict.fromkeys(indices) if not self._known[index]]:
                self.images[new] = self.pictures.load_batch(new, size)
                self._known[new] = True  # last: other threads load at the same time
            self.complete = bool(self._known.all())
        return self.images[indices]
