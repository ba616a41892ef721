"""Faces as a picture or an animation that a notebook shows by itself (no TensorFlow)."""

import base64
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ganime.errors import InputError
from ganime.files import atomic_write
from ganime.pictures.animation import save_frames
from ganime.pictures.grids import enlarge, make_grid, to_uint8

WIDTH, LARGEST = 640, 4  # pixels that pictures are enlarged to by default, and how many times, at most


def show(faces: np.ndarray | Iterable[np.ndarray], scale: int | None = None, columns: int | None = None) -> Image.Image:
    """Faces as one picture, which a notebook shows where it is the last line of a cell.

    Args:
        faces: [count, height, width, 3], or one face [height, width, 3]: uint8, or float in [-1, 1] as a generator makes them.
        scale: How many times as large; by default as large as fits into 640 pixels, and at most 4 times.
        columns: Faces in a row; as near to a square as it goes by default.

    Raises:
        InputError: If these are no faces, or in another range.

    Example:
        >>> show([draw_face(seed, 64) for seed in range(6)]).size  # doctest: +SKIP
        (584, 390)
    """
    faces = _check(faces)
    scale = scale or _fitting(make_grid(faces, columns).shape[1])
    return Image.fromarray(make_grid(enlarge(faces, scale), columns))


def animate(
    frames: np.ndarray | Iterable[np.ndarray], fps: float = 25, scale: int = 1, columns: int | None = None
) -> "Animation":
    """Frames one after the other, over and over, such as `walk` makes them; a notebook shows them where they are the last line
    of a cell.

    Args:
        frames: As `show` takes faces, a face for each frame; or several for each, [frames, count, height, width, 3], such as
            `over_time` makes them, which are laid out in rows.
        fps: Frames per second, 0.1 to 50.
        scale: How many times as large; a notebook shows small frames enlarged anyway.
        columns: Faces in a row, where there are several in a frame; as near to a square as it goes by default.

    Raises:
        InputError: If these are no pictures, or in another range.

    Example:
        >>> animate(np.zeros((3, 64, 64, 3), np.uint8))
        <an animation of 3 frames, 64x64>
    """
    frames = [*frames] if isinstance(frames, Iterator) else frames
    if _are_several(frames):
        frames = [make_grid(_check(faces), columns) for faces in frames]
    frames = enlarge(_check(frames), scale)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "animation.gif")
        save_frames(path, frames, len(frames), fps)
        return Animation(path.read_bytes(), len(frames), frames.shape[2], frames.shape[1])


@dataclass(frozen=True, repr=False)
class Animation:
    """A GIF in memory, which a notebook shows.

    Attributes:
        gif: The file's bytes.
        frames, width, height: How many frames, and their size in pixels.
    """

    gif: bytes
    frames: int
    width: int
    height: int

    def __repr__(self):
        return f"<an animation of {self.frames} frames, {self.width}x{self.height}>"

    def _repr_html_(self):
        width, data = self.width * _fitting(self.width), base64.b64encode(self.gif).decode()
        return f'<img src="data:image/gif;base64,{data}" width="{width}">'

    def save(self, path: str | os.PathLike) -> None:
        """Write it as a `.gif`, whole or not at all."""
        with atomic_write(path) as part:
            part.write_bytes(self.gif)


def _are_several(frames):
    """Whether there are several faces in each frame."""
    try:
        return np.ndim(frames[0]) == 4
    except (TypeError, LookupError, ValueError):
        return False


def _fitting(width):
    """How many times as large a picture is shown."""
    return max(1, min(LARGEST, WIDTH // width))


def _check(faces):
    """As uint8 [count, height, width, 3]."""
    try:
        faces = np.asarray([*faces] if isinstance(faces, Iterator) else faces)
    except ValueError as error:
        raise InputError("faces are of one size") from error
    faces = faces[None] if faces.ndim == 3 else faces
    if faces.ndim != 4 or faces.shape[3] != 3 or not faces.size:
        raise InputError(f"faces are [count, height, width, 3], not {[*faces.shape]}")
    if faces.dtype == np.uint8:
        return faces
    faces = faces.astype(np.float32)
    if not np.abs(faces).max() <= 1.001:  # some rounding is no fault; what is not a number is one
        raise InputError(f"faces are uint8, or float in [-1, 1]; these are from {faces.min():g} to {faces.max():g}")
    return to_uint8(faces)
