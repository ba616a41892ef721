"""Animations: of any frames, and of a training's sample grids; one picture in memory at a time (no TensorFlow)."""

import io
import itertools
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ganime.data.decode import UnreadablePicture, decode_picture, read_picture
from ganime.data.encoded import NAMED_AT_MOST
from ganime.data.names import show
from ganime.errors import GanimeError, InputError, missing
from ganime.files import atomic_write
from ganime.pictures.gif import write_gif
from ganime.pictures.grids import check_sides

log = logging.getLogger("ganime")


def save_frames(path: Path, frames: Iterable[np.ndarray], count: int, fps: float, hold: float = 0.0) -> None:
    """Write an animation, whole or not at all. A GIF and a WebP are endless.

    Args:
        path: A `.gif`, a `.webp` or, if imageio's ffmpeg plugin is installed, an `.mp4`, whose sides are to be even.
        frames: Pictures of one size, uint8 [height, width, 3], RGB; each is asked for when it is written.
        count: How many.
        fps: Frames per second, 0.1 to 50.
        hold: Seconds for which the last one stays longer than the others, up to 600.

    Raises:
        InputError: If the path ends in none of these, a number is out of bounds, or the frames are too large for the format.
        GanimeError: If the plugin for MP4 is missing.
    """
    write = {".gif": write_gif, ".mp4": partial(_write_mp4, fps=fps), ".webp": partial(_write_webp, count=count)}
    if not 0.1 <= fps <= 50 or not 0 <= hold <= 600:
        raise InputError(f"{fps} frames per second are not from 0.1 to 50, or {hold} seconds not from 0 to 600")

    def picture(frame):
        check_sides(path, frame.shape[1], frame.shape[0])
        return Image.fromarray(frame)

    seconds = itertools.chain(itertools.repeat(1 / fps, count - 1), [1 / fps + hold])
    write = write[check_animation(path)]
    with atomic_write(path) as part:
        write(part, map(picture, frames), seconds)


def check_animation(path: Path) -> str:
    """The kind of animation that a name stands for, `.gif`, `.mp4` or `.webp`.

    Raises:
        InputError: If the path ends in none of them.
        GanimeError: If the plugin for MP4 is missing.
    """
    kind = Path(path).suffix.lower()
    if kind not in (".gif", ".mp4", ".webp"):
        raise InputError(f"{show(path)}: the name of an animation must end in .gif, .mp4 or .webp")
    if kind == ".mp4":
        try:
            import imageio_ffmpeg  # noqa: F401
        except ImportError:
            raise missing("imageio[ffmpeg]") from None
    return kind


def save_animation(
    path: Path, samples: Iterable[tuple[int, Path]], fps: float = 10, max_size: int = 800, hold: float = 2.0
) -> int:
    """Make an animation of pictures, the step's number on each. What is damaged, or of another size than most, is passed over;
    the log names it.

    Args:
        path: A `.gif`, a `.webp`, or an `.mp4` if imageio's ffmpeg plugin is installed.
        samples: Steps and picture files, in order.
        fps: Pictures per second, 0.1 to 50.
        max_size: The longer side in pixels, at most.
        hold: Seconds for which the last picture stays longer than the others, up to 600.

    Returns:
        How many pictures there are in it.

    Raises:
        InputError: If the path ends in none of these, or a number is out of bounds.
        GanimeError: If there is no picture, none can be used, or the plugin for MP4 is missing.
    """
    path, samples = Path(path), list(samples)
    if not samples:
        raise GanimeError(f"no samples to make {show(path)} of; `fit --sample-every` says when they are saved")
    check_animation(path)
    sound = _sound(samples)
    save_frames(path, (_frame(*sample, max_size) for sample in sound), len(sound), fps, hold)
    return len(sound)


def choose_evenly(things: Sequence, most: int) -> list:
    """At most so many of some things, evenly chosen, in their order; of two or more the first and the last are among them."""
    return [things[i] for i in np.unique(np.linspace(0, len(things) - 1, most).round().astype(int))]


def _sound(samples):
    """The samples that can be decoded and are of the usual size. One after the other is decoded here, and again for its frame:
    how many there are must be known before the first is written."""
    sizes, reasons = {}, {}
    for _, path in samples:
        try:
            data = read_picture(path)
            sizes[path] = decode_picture(data).shape[1::-1]
            Image.open(io.BytesIO(data)).verify()  # a PNG's checksums, which decoding does not compare
        except (UnreadablePicture, SyntaxError) as error:
            reasons[path] = show(str(error))
    usual = Counter(sizes.values()).most_common(1)[0][0] if sizes else None
    for path, size in sizes.items():
        if size != usual:
            reasons[path] = "{}x{} pixels, not {}x{} as most".format(*size, *usual)
    if not sizes:
        path, reason = next(iter(reasons.items()))
        raise GanimeError(f"no sample is left to make an animation of; {show(path)}: {reason}")
    for path in sorted(reasons)[:NAMED_AT_MOST]:
        log.warning("passed over %s: %s", show(path), reasons[path])
    if len(reasons) > NAMED_AT_MOST:
        log.warning("passed over %s more", f"{len(reasons) - NAMED_AT_MOST:,}")
    return [(step, path) for step, path in samples if path not in reasons]


def _frame(step, path, max_size):
    """The frame of a sample."""
    try:
        picture = decode_picture(read_picture(path))
    except UnreadablePicture as error:
        raise GanimeError(f"{show(path)}: {show(str(error))}; it was changed meanwhile, make the animation again") from error
    return number(picture, step, max_size)


def number(picture: np.ndarray, step: int, max_size: int) -> np.ndarray:
    """A frame: a picture over a line with a step's number.

    Args:
        picture: uint8 [height, width, 3], RGB.
        step: The step.
        max_size: The frame's longer side in pixels, at most.

    Returns:
        uint8 [height, width, 3]; the sides are even, as video needs them.
    """
    image = Image.fromarray(picture)
    strip = max(14, min(max_size, image.height) // 24)
    image.thumbnail((max_size, max_size - strip - 2), Image.Resampling.LANCZOS)
    frame = Image.new("RGB", (image.width // 2 * 2, (image.height + strip + 1) // 2 * 2), "white")
    frame.paste(image)
    ImageDraw.Draw(frame).text((4, frame.height - strip), f"step {step:,}", "black", ImageFont.load_default(strip * 0.75))
    return np.asarray(frame)


def _write_webp(path, frames, seconds, count):
    durations = [1000 * shown for shown in seconds]
    _Stream(frames, count).save(path, "WEBP", save_all=True, duration=durations, loop=0, quality=90)


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
