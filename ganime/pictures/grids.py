"""Pictures for people: grids and plots (no TensorFlow)."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ganime.errors import InputError, one_line
from ganime.files import atomic_write

GAP = 2  # pixels between and around the pictures of a grid
SIDES = {".webp": 2**14 - 1, ".jpg": 65_500, ".jpeg": 65_500, ".gif": 2**16 - 1}  # in pixels, at most


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Images in [-1, 1] as uint8, rounded; values beyond are clipped."""
    return np.clip(np.rint((np.asarray(images) + 1.0) * 127.5), 0, 255).astype(np.uint8)


def make_grid(images: np.ndarray, columns: int | None = None, gap: int = GAP) -> np.ndarray:
    """Lay pictures out in rows, on white.

    Args:
        images: uint8 [count, height, width, 3], one or more.
        columns: Pictures per row; as near to a square as it goes by default.
        gap: Pixels between and around the pictures.

    Returns:
        uint8 [rows * (height + gap) + gap, columns * (width + gap) + gap, 3].

    Example:
        >>> make_grid(np.zeros((6, 64, 64, 3), np.uint8)).shape
        (134, 200, 3)
    """
    count, (height, width, _) = len(images), images[0].shape
    columns = min(count, columns or math.ceil(math.sqrt(count)))
    rows = math.ceil(count / columns)
    grid = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, np.uint8)
    for i, image in enumerate(images):
        top, left = (gap + place * (side + gap) for place, side in zip(divmod(i, columns), (height, width), strict=True))
        grid[top : top + height, left : left + width] = image
    return grid


def enlarge(images: np.ndarray, scale: int, sharp: bool = False) -> np.ndarray:
    """Make pictures an integer factor larger.

    Args:
        images: uint8 [count, height, width, 3].
        scale: The factor, 1 or more.
        sharp: Whether each pixel becomes a square; else what is between them is interpolated (Lanczos).

    Returns:
        uint8 [count, scale * height, scale * width, 3].
    """
    images = np.asarray(images)
    if sharp or scale == 1:
        return images.repeat(scale, axis=1).repeat(scale, axis=2)
    size = (scale * images.shape[2], scale * images.shape[1])
    return np.stack([np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)) for image in images])


def add_caption(image: np.ndarray, text: str) -> np.ndarray:
    """A picture, uint8 [height, width, 3], over a line of text on white: uint8 [height + 16, width, 3]."""
    line = Image.new("RGB", (image.shape[1], 16), "white")
    ImageDraw.Draw(line).text((2, 1), text, "black", ImageFont.load_default(12))
    return np.concatenate([image, np.asarray(line)])


def add_headings(image: np.ndarray, texts: Sequence[str]) -> np.ndarray:
    """A picture of equally wide columns, uint8 [height, width, 3], under a line with a text over each, as large as fits, up to
    18 pixels: uint8 [height + line, width, 3]."""
    column = image.shape[1] / len(texts)
    longest = max(ImageFont.load_default(18).getlength(text) for text in texts)
    size = max(6, min(18, int(18 * 0.9 * column / longest)))
    line = Image.new("RGB", (image.shape[1], size + 6), "white")
    draw, font = ImageDraw.Draw(line), ImageFont.load_default(size)
    for i, text in enumerate(texts):
        draw.text(((i + 0.5) * column, line.height / 2), text, "black", font, anchor="mm")
    return np.concatenate([np.asarray(line), image])


def add_names(grid: np.ndarray, names: Sequence[str], gap: int = GAP) -> np.ndarray:
    """A grid with a name before each of its rows, in a column on white: uint8 [height, width + 16 to 120, 3]."""
    font, pitch = ImageFont.load_default(12), (len(grid) - gap) / len(names)
    shown = [one_line(name, 18) for name in names]
    column = Image.new("RGB", (math.ceil(max(map(font.getlength, shown))) + 12, len(grid)), "white")
    draw = ImageDraw.Draw(column)
    for row, name in enumerate(shown):
        draw.text((6, gap / 2 + (row + 0.5) * pitch), name, "black", font, anchor="lm")
    return np.concatenate([np.asarray(column), grid], axis=1)


def check_sides(path: Path, width: int, height: int) -> None:
    """See that the format that a name stands for takes a picture of so many pixels.

    Raises:
        InputError: If it does not.
    """
    kind = Path(path).suffix.lower()
    if max(width, height) > (most := SIDES.get(kind, math.inf)):
        raise InputError(f"{width:,}x{height:,} pixels are too many for a {kind} file, whose sides are {most:,} at most")


def save_picture(path: Path, image: np.ndarray) -> None:
    """Write a uint8 picture, whole or not at all; the name's ending decides the format.

    Raises:
        InputError: If the picture is too large for the format.
    """
    check_sides(path, image.shape[1], image.shape[0])
    with atomic_write(path) as part:
        Image.fromarray(image).save(part)


def save_plots(means: dict[str, np.ndarray], scores: dict[str, np.ndarray], folder: Path) -> None:
    """Draw `losses.png`, `scores.png` (the mean sigmoid of real and of generated pictures' logits, or of their differences)
    and, where there are any, `quality.png` (the scores of `ganime.metrics`) into a folder.

    Args:
        means: Columns `step`, `d_loss`, `g_loss`, `real_score` and `fake_score`.
        scores: Column `step` and one for each score, which is not a number where a step has none.
    """
    _plot_steps(means, ("d_loss", "g_loss"), "loss", Path(folder) / "losses.png")
    _plot_steps(means, ("real_score", "fake_score"), "mean sigmoid", Path(folder) / "scores.png", ylim=(0, 1))
    if scores:
        scores = dict(scores)
        _plot_scores(scores.pop("step"), scores, Path(folder) / "quality.png")


def _plot_steps(means, columns, meaning, path, **limits):
    figure, (axes,) = _figure(1)
    for column in columns:
        axes.plot(means["step"], means[column], label=column.replace("_", " "), linewidth=1)
    axes.set(xlabel="step", ylabel=meaning, **limits)
    _save_figure(figure, path)


def _plot_scores(steps, scores, path):
    """The distances (FD-lite0, KID-lite0, …), each with axes of its own, then all shares (recall-lite0, …) together."""
    names = [name for name in scores if not name.endswith("-deviation")]
    distances, shares = ([name for name in names if name[0].isupper() == upper] for upper in (True, False))
    figure, (*each, together) = _figure(len(distances) + 1)
    for axes, name in [*zip(each, distances, strict=True), *((together, name) for name in shares)]:
        there = np.isfinite(scores[name])
        deviation = scores.get(f"{name}-deviation", np.zeros(len(steps)))
        axes.errorbar(steps[there], scores[name][there], deviation[there], fmt=".-", label=name)
        axes.set(xlabel="step")
    _save_figure(figure, path)


def _figure(count):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8 if count == 1 else 4.5 * count, 4.5), dpi=100, layout="constrained")
    return figure, figure.subplots(1, count, squeeze=False)[0]


def _save_figure(figure, path):
    for axes in figure.axes:
        axes.grid(alpha=0.3)
        axes.legend()
    with atomic_write(path) as part:
        figure.savefig(part)
