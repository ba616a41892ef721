"""Finding faces in illustrations, with OpenCV's cascade classifier."""

import os
import threading

import numpy as np

from ganime.data.decode import fit_square
from ganime.data.names import show
from ganime.errors import GanimeError, InputError
from ganime.files import fetch, hash_file

# By nagadomi, MIT license. Found in it: 99 of 100 faces pasted into pages, and one thing that is none.
CASCADE = "lbpcascade_animeface.xml"
URL = f"https://raw.githubusercontent.com/nagadomi/lbpcascade_animeface/4433ab1ae1166ea75acfe99eb0f18709dac329a0/{CASCADE}"
SHA256 = "9376d30ac38db6bda2a68b88b3b76bbd7e6aa33af47f7f5c76bc88ca75f1ce30"
MAX_BYTES = 2**24  # of a cascade
SCALE_STEP = 1.05
MIN_NEIGHBORS = 3
MAX_SIDE = 4096  # pixels; larger pictures are searched at this size
MARGIN = 0.1  # on each side of a found square, as a share of its side
MIN_BOX = 24  # pixels; the window that the cascade was trained on


class FaceDetector:
    """Finds faces from the front; several threads may use one.

    Args:
        cascade: Path of a cascade for `cv2.CascadeClassifier`. By default nagadomi's for anime faces, which is fetched once.

    Attributes:
        sha256: Of the cascade.

    Raises:
        InputError: If that file is no cascade, or is named as the default one and is another.
        GanimeError: If OpenCV is missing or the cascade cannot be fetched.
    """

    def __init__(self, cascade: str | os.PathLike | None = None):
        try:
            import cv2

            cv2.CascadeClassifier  # noqa: B018 (version 5 has none)
        except (ImportError, AttributeError):
            raise GanimeError(
                "finding faces needs OpenCV 4: pip install 'opencv-python-headless<5' (without: --no-detect)"
            ) from None
        self._cv2 = cv2
        self._path = os.fspath(cascade or fetch(CASCADE, URL, SHA256, "give its path with --cascade"))
        self._own = threading.local()
        if not os.path.isfile(self._path) or os.path.getsize(self._path) > MAX_BYTES:
            raise InputError(f"{show(self._path)} is no cascade for finding faces")
        self.sha256 = hash_file(self._path)
        if os.path.basename(self._path) == CASCADE and self.sha256 != SHA256:
            raise InputError(f"{show(self._path)} is damaged: its SHA-256 is not that of {CASCADE}; get it anew from {URL}")
        self._classifier()

    def find(
        self, picture: np.ndarray, min_box: int = MIN_BOX, min_neighbors: int = MIN_NEIGHBORS
    ) -> list[tuple[int, int, int]]:
        """Squares that hold a face, from the hair to the chin, from left to right.

        Args:
            picture: uint8 [height, width, 3], RGB. In larger ones than `MAX_SIDE` only the larger faces are found.
            min_box: Smallest square to look for, in pixels. The time grows with pixels / min_box ** 2.
            min_neighbors: How many overlapping findings make a face; more are stricter.

        Returns:
            (left, top, side) in pixels.
        """
        grey = self._cv2.cvtColor(picture, self._cv2.COLOR_RGB2GRAY)
        scale = max(1.0, max(grey.shape) / MAX_SIDE)
        if min(grey.shape) < scale * MIN_BOX:
            return []
        if scale > 1:
            grey = self._cv2.resize(grey, None, fx=1 / scale, fy=1 / scale, interpolation=self._cv2.INTER_AREA)
        side = max(round(min_box / scale), MIN_BOX)
        boxes = self._classifier().detectMultiScale(grey, SCALE_STEP, min_neighbors, minSize=(side, side))
        return sorted(tuple(int(scale * value) for value in box[:3]) for box in boxes)

    def _classifier(self):
        """One for each thread, since it remembers what it looks at."""
        if not hasattr(self._own, "classifier"):
            self._cv2.setNumThreads(1)
            try:
                self._own.classifier = self._cv2.CascadeClassifier(self._path)
                empty = self._own.classifier.empty()
            except (self._cv2.error, SystemError):
                empty = True
            if empty:
                raise InputError(f"{show(self._path)} is no cascade for finding faces")
        return self._own.classifier


def find_crops(
    picture: np.ndarray, detector: FaceDetector | None, least_side: int, margin: float = MARGIN
) -> list[tuple[int, int, int]]:
    """The squares to crop a picture to: one for each face, with a margin, or without a detector that in the middle.

    Args:
        picture: uint8 [height, width, 3], RGB.
        detector: Finds the faces.
        least_side: Crops of half this side, in pixels, are still found.
        margin: What is added on each side of a face, as a share of its side.

    Returns:
        (left, top, side) in pixels, within the picture.
    """
    height, width = picture.shape[:2]
    if detector is None:
        side = min(width, height)
        return [((width - side) // 2, (height - side) // 2, side)]
    grow = 1 + 2 * margin
    found = detector.find(picture, min_box=int(least_side / grow / 2))
    return [_grown(box, grow, width, height) for box in found]


def crop_largest_face(picture: np.ndarray, detector: FaceDetector, size: int) -> np.ndarray | None:
    """The largest face in a picture, uint8 [size, size, 3], cropped as `data prepare` does it; None if none is found."""
    crops = find_crops(picture, detector, size)
    if not crops:
        return None
    left, top, side = max(crops, key=lambda crop: crop[2])
    return fit_square(picture[top : top + side, left : left + side], size)


def _grown(box, grow, width, height):
    """The square of the same middle that is `grow` times as wide, moved and made smaller until it lies in the picture."""
    left, top, side = box
    new = min(round(side * grow), width, height)
    shift = (new - side) // 2
    return min(max(left - shift, 0), width - new), min(max(top - shift, 0), height - new), new
