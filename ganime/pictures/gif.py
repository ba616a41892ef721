"""Animated GIFs, written as their frames come, some of which are in memory at a time (Pillow and NumPy, no TensorFlow).

Pillow maps the colors and encodes; its own writer of animations holds all frames. A GIF has 256 colors, and a background that
is drawn anew in each frame shimmers. So some frames share their colors, and what a pixel shows stays as long as it is hardly
further from the truth than the best color. There is no dithering: on faces its pattern is more visible than steps of color.
"""

import itertools
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import GifImagePlugin, Image

KEEP = 255  # the index of what stays as it is
BLOCK = 25  # frames that share their colors
LOOKED_AT = 8_000  # of their pixels, to choose the colors
TOLERANCE = 6.0  # how much further from the truth what stays may be than the best color, in levels of 255 (Euclidean, RGB)


def write_gif(path: Path, frames: Iterable[Image.Image], seconds: Iterable[float]) -> None:
    """Write an endless GIF.

    Args:
        path: Where to.
        frames: RGB pictures of one size.
        seconds: For how long each is seen (to a hundredth, GIF's unit).
    """
    frames, past, drawn, first = zip(frames, seconds, strict=True), 0.0, None, True
    with open(path, "wb") as file:
        while block := list(itertools.islice(frames, BLOCK)):
            palette = _choose_colors([image for image, _ in block])
            colors = np.zeros((256, 3), np.uint8)
            colors[:KEEP] = np.resize(np.array(palette.getpalette("RGB"), np.uint8).reshape(-1, 3), (KEEP, 3))
            for image, shown in block:
                best = np.asarray(image.quantize(palette=palette, dither=Image.Dither.NONE))
                stays, drawn = _keep(drawn, np.asarray(image), colors[best])
                box = _bounds(~stays)
                part = Image.fromarray(np.where(stays, KEEP, best).astype(np.uint8)).crop(box)
                part.putpalette(colors.tobytes())
                if first:
                    file.writelines(GifImagePlugin.getheader(part, info={"loop": 0, "optimize": False})[0])
                hundredths = round(100 * (past + shown)) - round(100 * past)
                options = {"transparency": KEEP, "disposal": 1, "duration": 10 * hundredths, "include_color_table": True}
                file.writelines(GifImagePlugin.getdata(part, box[:2], **options))
                past, first = past + shown, False
        file.write(b";")


def _choose_colors(images):
    """255 colors for some pictures of one size, as a palette picture: the most different ones, then moved to where they are of
    most use."""
    pixels = np.concatenate([np.asarray(image).reshape(-1, 3) for image in images])
    some = pixels[:: len(pixels) // LOOKED_AT | 1]  # an odd number, so that not all are of the same columns
    return Image.fromarray(some[None]).quantize(KEEP, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)


def _keep(drawn, truth, ideal):
    """Which pixels stay as they are drawn, and what is drawn then."""
    if drawn is None:
        return np.zeros(truth.shape[:2], bool), ideal
    stays = _distance(drawn, truth) <= _distance(ideal, truth) + TOLERANCE
    return stays, np.where(stays[..., None], drawn, ideal)


def _distance(colors, truth):
    return np.sqrt(np.square(np.subtract(colors, truth, dtype=np.int32)).sum(2, dtype=np.float32))


def _bounds(changed):
    """The rectangle in which pixels change, (left, top, right, bottom); one pixel if none does."""
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    return (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1) if len(rows) else (0, 0, 1, 1)
