"""Animations of sample grids, one picture in memory at a time (no TensorFlow)."""

import io
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ganime.errors import GanimeError, InputError
from ganime.files import atomic_write


def save_animation(
    path: Path, samples: Iterable[tuple[int, Path]], fps: float = 10, max_size: int = 800, hold: float = 2.0
) -> None:
    """Make an animation of pictures, the step's number on each.

    Args:
        path: A `.gif`, or an `.mp4` if imageio's ffmpeg plugin is installed.
        samples: Steps and picture files, in order.
        fps: Pictures per second, 0.1 to 50.
        max_size: The longer side in pixels, at most.
        hold: Seconds for which the last picture stays longer than the others, up to 600.

    Raises:
        InputError: If the path ends in neither.
        GanimeError: If there is no picture, one is damaged, or the plugin for MP4 is missing.
    """
    path, samples = Path(path), list(samples)
    if not samples:
        raise GanimeError(f"no samples to make {path} of; `fit --sample-every` says when they are saved")
    writers = {".gif": _write_gif, ".mp4": _write_mp4}
    if path.suffix.lower() not in writers:
        raise InputError(f"{path}: the name of an animation must end in .gif or .mp4")
    first = _frame(*samples[0], max_size)
    frames = (first if i == 0 else _frame(*sample, max_size, first.size) for i, sample in enumerate(samples))
    seconds = [1 / fps] * (len(samples) - 1) + [1 / fps + hold]
    with atomic_write(path) as part:
        writers[path.suffix.lower()](part, zip(frames, seconds, strict=True), first.size, fps)


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


def _write_gif(path, frames, size, fps):
    """A looping GIF89a. Pillow encodes each frame as a GIF of its own; its color table becomes the frame's local one.

    (Pillow's own writer holds all frames in memory, and imageio's writes broken files for frames of few colors.)
    """
    with open(path, "wb") as gif:
        gif.write(b"GIF89a" + struct.pack("<HHBBB", *size, 0, 0, 0))
        gif.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00")  # loops for ever
        for frame, seconds in frames:
            buffer = io.BytesIO()
            frame.quantize(256, Image.Quantize.FASTOCTREE).save(buffer, "GIF", optimize=False, interlace=False)
            encoded = buffer.getvalue()
            depth = encoded[10] & 7  # the color table has 2 ** (depth + 1) entries and follows the header of 13 bytes
            start = 13 + 3 * 2 ** (depth + 1)
            colors = encoded[13:start]
            while encoded[start] == 0x21:  # an extension: two bytes and blocks, each led by its length, up to an empty one
                start += 2
                while encoded[start]:
                    start += encoded[start] + 1
                start += 1
            gif.write(b"\x21\xf9\x04" + struct.pack("<BHBB", 0, round(seconds * 100), 0, 0))
            gif.write(encoded[start : start + 9] + bytes([0x80 | depth]) + colors)
            gif.write(encoded[start + 10 : -1])
        gif.write(b";")


def _write_mp4(path, frames, size, fps):
    try:
        import imageio_ffmpeg  # noqa: F401
    except ImportError:
        raise GanimeError('MP4 needs ffmpeg: pip install "imageio[ffmpeg]", or name a .gif') from None
    import imageio.v2 as imageio

    with imageio.get_writer(path, fps=fps, macro_block_size=2, format="FFMPEG") as movie:
        for frame, seconds in frames:
            for _ in range(round(seconds * fps)):
                movie.append_data(np.asarray(frame))
