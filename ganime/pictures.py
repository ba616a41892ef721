"""Pictures for people: grids and plots (no TensorFlow)."""

import math
from pathlib import Path

import numpy as np
from PIL import Image

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


def save_plots(history: dict[str, np.ndarray], folder: Path) -> None:
    """Draw `losses.png` and `scores.png` (the mean sigmoid of the logits of real and of generated pictures) into a folder.

    Args:
        history: Columns `step`, `d_loss`, `g_loss`, `real_score` and `fake_score`. Long ones are drawn as means of 500 parts.
    """
    from matplotlib.figure import Figure

    plots = {"losses": ("loss", ("d_loss", "g_loss")), "scores": ("mean sigmoid", ("real_score", "fake_score"))}
    for name, (meaning, columns) in plots.items():
        figure = Figure(figsize=(8, 4.5), dpi=100, layout="constrained")
        axes = figure.subplots()
        for column in columns:
            axes.plot(_thin(history["step"]), _thin(history[column]), label=column.replace("_", " "), linewidth=1)
        axes.set(xlabel="step", ylabel=meaning, ylim=(0, 1) if name == "scores" else None)
        axes.grid(alpha=0.3)
        axes.legend()
        with atomic_write(Path(folder) / f"{name}.png") as part:
            figure.savefig(part)


def _thin(values, parts=500):
    """Means of at most so many parts of equal length."""
    length = math.ceil(len(values) / parts)
    return [float(np.mean(values[i : i + length])) for i in range(0, len(values), length)]
