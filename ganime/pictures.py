"""Pictures for people: grids, animations and plots (no TensorFlow)."""

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ganime.errors import GanimeError
from ganime.runs import atomic_write


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Images in [-1, 1] as uint8, rounded; values beyond are clipped."""
    return np.clip(np.rint((np.asarray(images) + 1.0) * 127.5), 0, 255).astype(np.uint8)


def make_grid(images: np.ndarray, columns: int | None = None, gap: int = 2) -> np.ndarray:
    """Lay pictures out in rows, on white.

    Args:
        images: uint8 [count, height, width, 3].
        columns: Pictures per row; as near to a square as it goes by default.
        gap: Pixels between and around the pictures.

    Returns:
        uint8 [rows * (height + gap) + gap, columns * (width + gap) + gap, 3].

    Example:
        >>> make_grid(np.zeros((6, 64, 64, 3), np.uint8)).shape
        (134, 200, 3)
    """
    count, height, width, _ = images.shape
    columns = min(count, columns or math.ceil(math.sqrt(count)))
    rows = math.ceil(count / columns)
    grid = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, np.uint8)
    for i, image in enumerate(images):
        top, left = (gap + place * (side + gap) for place, side in zip(divmod(i, columns), (height, width), strict=True))
        grid[top : top + height, left : left + width] = image
    return grid


def save_picture(path: Path, image: np.ndarray) -> None:
    """Write a uint8 picture, whole or not at all; the name's ending decides the format."""
    with atomic_write(path) as part:
        Image.fromarray(image).save(part)


def save_animation(
    path: Path, samples: Iterable[tuple[int, Path]], fps: float = 10, max_size: int = 800, hold: float = 2.0
) -> None:
    """Make an animation of pictures, the step's number on each; one picture at a time is in memory.

    Args:
        path: A `.gif`, or an `.mp4` if imageio's ffmpeg plugin is installed.
        samples: Steps and picture files, in order.
        fps: Pictures per second, above 0.
        max_size: The longer side is scaled down to this many pixels.
        hold: Seconds for which the last picture stays.

    Raises:
        GanimeError: If there is no picture, one is damaged, or the plugin for MP4 is missing.
    """
    import imageio.v2 as imageio

    samples = list(samples)
    if not samples:
        raise GanimeError(f"no samples to make {path} of; `fit --sample-every` says when they are saved")
    held = [1 / fps] * (len(samples) - 1) + [1 / fps + hold]
    movie = Path(path).suffix.lower() == ".mp4"
    if movie:
        _require_ffmpeg()
    with atomic_write(path) as part:
        if movie:
            writer = imageio.get_writer(part, fps=fps, macro_block_size=2, format="FFMPEG")
        else:
            writer = imageio.get_writer(part, duration=held, loop=0, format="GIF-PIL")
        with writer:
            for (step, sample), seconds in zip(samples, held, strict=True):
                frame = _frame(step, sample, max_size)
                for _ in range(round(seconds * fps) if movie else 1):
                    writer.append_data(frame)


def save_plots(history: dict[str, np.ndarray], folder: Path) -> None:
    """Draw `losses.png` and `scores.png` (the mean sigmoid of the logits of real and of generated pictures) into a folder.

    Args:
        history: Columns `step`, `d_loss`, `g_loss`, `real_score` and `fake_score`. Long ones are drawn as means of 500 parts.
    """
    from matplotlib.figure import Figure

    for name, columns in {"losses": ("d_loss", "g_loss"), "scores": ("real_score", "fake_score")}.items():
        figure = Figure(figsize=(8, 4.5), dpi=100, layout="constrained")
        axes = figure.subplots()
        for column in columns:
            axes.plot(_thin(history["step"]), _thin(history[column]), label=column.replace("_", " "), linewidth=1)
        axes.set(xlabel="step", ylabel=name.removesuffix("s"), ylim=(0, 1) if name == "scores" else None)
        axes.grid(alpha=0.3)
        axes.legend()
        with atomic_write(Path(folder) / f"{name}.png") as part:
            figure.savefig(part)


def _frame(step, path, max_size):
    """A sample, scaled, with a strip for the step's number; the sides are even, as video codecs need them."""
    try:
        with Image.open(path) as image:
            image = image.convert("RGB")
    except OSError as error:
        raise GanimeError(f"{path}: {error}; delete it to make the animation without it") from error
    image.thumbnail((max_size, max_size), Image.Resampling.LANCZOS)
    strip = max(14, image.height // 24)
    frame = Image.new("RGB", (image.width + image.width % 2, (image.height + strip + 1) // 2 * 2), "white")
    frame.paste(image)
    font = ImageFont.load_default(strip * 0.75)
    ImageDraw.Draw(frame).text((4, image.height), f"step {step:,}", fill="black", font=font)
    return np.asarray(frame)


def _require_ffmpeg():
    try:
        import imageio_ffmpeg  # noqa: F401
    except ImportError:
        raise GanimeError('MP4 needs ffmpeg: pip install "imageio[ffmpeg]", or name a .gif') from None


def _thin(values, parts=500):
    """Means of at most so many parts of equal length."""
    length = math.ceil(len(values) / parts)
    return [float(np.mean(values[i : i + length])) for i in range(0, len(values), length)]
