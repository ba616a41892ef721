"""Animations: of any frames, and of a training's sample grids; one picture in memory at a time (no TensorFlow)."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ganime.errors import GanimeError, InputError
from ganime.files import atomic_write
from ganime.pictures.gif import write_gif


def save_frames(path: Path, frames: Iterable[np.ndarray], count: int, fps: float, hold: float = 0.0) -> None:
    """Write an animation, whole or not at all. A GIF and a WebP are endless.

    Args:
        path: A `.gif`, a `.webp` or, if imageio's ffmpeg plugin is installed, an `.mp4`, whose sides are to be even.
        frames: Pictures of one size, uint8 [height, width, 3], RGB; each is asked for when it is written.
        count: How many.
        fps: Frames per second, 0.1 to 50.
        hold: Seconds for which the last one stays longer than the others.

    Raises:
        InputError: If the path ends in none of these.
        GanimeError: If the plugin for MP4 is missing.
    """
    write = {".gif": write_gif, ".mp4": partial(_write_mp4, fps=fps), ".webp": _write_webp}[check_animation(path)]
    seconds = [1 / fps] * (count - 1) + [1 / fps + hold]
    with atomic_write(path) as part:
        write(part, map(Image.fromarray, frames), seconds)


def check_animation(path: Path) -> str:
    """The kind of animation that a name stands for, `.gif`, `.mp4` or `.webp`.

    Raises:
        InputError: If the path ends in none of them.
        GanimeError: If the plugin for MP4 is missing.
    """
    kind = Path(path).suffix.lower()
    if kind not in (".gif", ".mp4", ".webp"):
        raise InputError(f"{path}: the name of an animation must end in .gif, .mp4 or .webp")
    if kind == ".mp4":
        try:
            import imageio_ffmpeg  # noqa: F401
        except ImportError:
            raise GanimeError('MP4 needs ffmpeg: pip install "imageio[ffmpeg]", or name a .gif') from None
    return kind


def save_animation(
    path: Path, samples: Iterable[tuple[int, Path]], fps: float = 10, max_size: int = 800, hold: float = 2.0
) -> None:
    """Make an animation of pictures, the step's number on each.

    Args:
        path: A `.gif`, a `.webp`, or an `.mp4` if imageio's ffmpeg plugin is installed.
        samples: Steps and picture files, in order.
        fps: Pictures per second, 0.1 to 50.
        max_size: The longer side in pixels, at most.
        hold: Seconds for which the last picture stays longer than the others, up to 600.

    Raises:
        InputError: If the path ends in none of these.
        GanimeError: If there is no picture, one is damaged, or the plugin for MP4 is missing.
    """
    path, samples = Path(path), list(samples)
    if not samples:
        raise GanimeError(f"no samples to make {path} of; `fit --sample-every` says when they are saved")
    check_animation(path)
    first = _frame(*samples[0], max_size)
    frames = (first if i == 0 else _frame(*sample, max_size, first.size) for i, sample in enumerate(samples))
    save_frames(path, map(np.asarray, frames), len(samples), fps, hold)


def _frame(step, path, max_size, size=None):
    """A sample, scaled, over a strip with the step's number; sides are even, as video needs them, or as given."""
    try:
        with Image.open(path) as image:
            image = image.convert("RGB")
    except OSError as error:
        raise GanimeError(f"{path}: {error}; delete it to make the animation without it") from error
    strip = max(14, min(max_size, image.height) // 24)
    image.thumbnail((max_size, max_size - strip - 2), Image.Resampling.LANCZOS)
    frame = Image.new("RGB", size or (image.width // 2 * 2, (image.height + strip + 1) // 2 * 2), "white")
    frame.paste(image)
    ImageDraw.Draw(frame).text((4, frame.height - strip), f"step {step:,}", "black", ImageFont.load_default(strip * 0.75))
    return frame


def _write_webp(path, frames, seconds):
    durations = [1000 * shown for shown in seconds]
    _Stream(frames, len(seconds)).save(path, "WEBP", save_all=True, duration=durations, loop=0, quality=90)


class _Stream(Image.Image):
    """Frames in the form in which Pillow has those of a file: each is loaded when it is sought."""

    def __init__(self, frames, count):
        super().__init__()
        self._frames, self.n_frames, self._index = frames, count, -1
        self.seek(0)

    def tell(self):
        return self._index

    def seek(self, frame):
        if frame == self._index + 1:
            image = next(self._frames)
            self._index, self.im, self._mode, self._size = frame, image.im, image.mode, image.size


def _write_mp4(path, frames, seconds, fps):
    import imageio.v2 as imageio

    # Without a size of its own for macro blocks imageio would resize the frames; 18 is hardly told from the original.
    quality = ["-crf", "18"]
    with imageio.get_writer(path, fps=fps, macro_block_size=2, format="FFMPEG", quality=None, output_params=quality) as movie:
        for frame, shown in zip(frames, seconds, strict=True):
            for _ in range(round(shown * fps)):
                movie.append_data(np.asarray(frame))
