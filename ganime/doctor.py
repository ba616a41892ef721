"""What is wrong with a run (no TensorFlow)."""

import json
import os
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from ganime.history import Summary, is_score, read_history
from ganime.illnesses import RECENT, Finding, Record, examine, unseen
from ganime.pictures.grids import GAP
from ganime.recipes import Recipe
from ganime.run import Run, latest_run

SHOWN = 64  # pictures that are kept to be looked at
SIDE = 64  # pixels of one, at most
ROW = 600  # bytes of a row of the history, at most


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """What is wrong with a run, and how far that could be seen; its `repr` says it in lines.

    Attributes:
        run: Its name.
        step: The last one of its history.
        findings: What is found wrong, what is to be mended first before the rest; empty if nothing is.
        looked_at: What that is told by.
        not_seen: What could not be looked at, and why.
    """

    run: str
    step: int
    findings: list[Finding] = field(default_factory=list)
    looked_at: list[str] = field(default_factory=list)
    not_seen: list[str] = field(default_factory=list)

    def __repr__(self):
        lines = [str(finding) for finding in self.findings] or ["nothing found wrong"]
        lines += [f"looked at: {', '.join(self.looked_at) or 'nothing'}"]
        return "\n".join([f"{self.run}, step {self.step:,}", *lines, *(f"not seen: {what}" for what in self.not_seen)])


def diagnose(run: Run | str | os.PathLike | None = None) -> Diagnosis:
    """Look for what is wrong with a run: a discriminator that wins, collapse, copying, a plateau, losses that diverge, pictures
    that are no faces. Nothing is changed, and a run that is being trained can be looked at too.

    Args:
        run: A run, its name or its path; the one in `checkpoints/` that was trained last by default.

    Raises:
        InputError: If there is no such run, or its configuration is damaged.

    Example:
        >>> diagnose("my-faces")  # doctest: +SKIP
        my-faces, step 20,000
        nothing found wrong
        looked at: losses of 500 steps, 20 scores, the grid of step 20,000, 64 training pictures
    """
    run = latest_run() if run is None else run if isinstance(run, Run) else Run(run)
    record = read_record(run)
    return Diagnosis(run.name, record.step, [*examine(record)], _describe(record), [*unseen(record)])


def read_record(run: Run, summary: Summary | None = None) -> Record:
    """What a run has recorded.

    Args:
        run: The run.
        summary: Its history's, where that is known: then only the end of the file is read.

    Raises:
        InputError: If there is no such run, or its configuration is damaged.
        OSError: If something cannot be read.
    """
    config = run.read_config()
    recipe = Recipe(**config["recipe"])
    columns = read_end(run.history_path, RECENT) if summary else read_history(run.history_path)
    record = Record(int(columns["step"][-1]) if columns else 0, recipe, config["data"]["pictures"])
    record.recent = {name: values[-RECENT:] for name, values in columns.items()}
    changed = max((data["step"] for data in config.get("data_before", [])), default=0)
    scores = summary.scores if summary else _score_rows(columns)
    record.scores = [row for row in scores if row["step"] > changed]  # those by other pictures are not to be compared
    record.evaluations = _read_evaluations(run)
    record.pictures = read_grid(pictures_path(run), min(recipe.image_size, SIDE))
    for step, path in reversed(run.samples()):
        if (faces := read_grid(path, recipe.image_size)) is not None:
            record.faces, record.faces_step = faces, step
            break
    return record


def read_end(path: os.PathLike, count: int) -> dict[str, np.ndarray]:
    """The columns of a history's last rows, so many at most, float64; empty if there are none that can be read."""
    try:
        with open(path, "rb") as file:
            names = file.readline().decode().strip().split(",")
            begin = file.tell()
            file.seek(max(begin, file.seek(0, os.SEEK_END) - count * ROW))
            rows = file.read().decode().splitlines(keepends=True)
        whole = [row for row in rows if row.endswith("\n") and row.count(",") == len(names) - 1][-count:]
        table = np.loadtxt(whole, delimiter=",", ndmin=2) if whole and "step" in names else np.empty((0, 0))
    except (FileNotFoundError, ValueError):
        return {}
    return dict(zip(names, table.T, strict=True)) if len(table) else {}


def pictures_path(run: Run):
    """The grid of pictures that a run is trained on."""
    return run.path / "training-pictures.png"


def read_grid(path: os.PathLike, side: int) -> np.ndarray | None:
    """The pictures of a grid that `make_grid` made: uint8 [count, side, side, 3]; None if there is none that can be read."""
    try:
        with Image.open(path) as image:
            grid = np.asarray(image.convert("RGB"))
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
    whole = side + GAP
    rows, columns = ((length - GAP) // whole for length in grid.shape[:2])
    if min(rows, columns) < 1 or grid.shape[:2] != (rows * whole + GAP, columns * whole + GAP):
        return None
    cells = grid[GAP:, GAP:].reshape(rows, whole, columns, whole, 3)[:, :side, :, :side].swapaxes(1, 2)
    cells = cells.reshape(-1, side, side, 3)
    return cells[(cells < 255).any((1, 2, 3))]  # the last row may not be full


def small_pictures(pictures, side: int) -> np.ndarray:
    """Some of a set's pictures, evenly spread over it, to be looked at: uint8 [count, side, side, 3], of 64 pixels at most."""
    chosen = np.unique(np.linspace(0, len(pictures) - 1, SHOWN).astype(int)).tolist()
    images = pictures.load_batch(chosen, side)
    if side <= SIDE:
        return images
    small = (Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.LANCZOS) for image in images)
    return np.stack([np.asarray(image) for image in small])


def _score_rows(columns):
    names = [name for name in columns if is_score(name)]
    there = np.any([np.isfinite(columns[name]) for name in names], 0) if names else []
    table = np.array([columns[name] for name in ("step", *names)]).T[np.flatnonzero(there)] if names else []
    return [{name: value for name, value in zip(("step", *names), row, strict=True) if np.isfinite(value)} for row in table]


def _read_evaluations(run):
    """The lines of `evaluate` that can be read."""
    found = []
    if run.evaluations_path.exists():
        for line in run.evaluations_path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                found.append(json.loads(line))
            except (ValueError, RecursionError):
                continue
    return [line for line in found if isinstance(line, dict)]


def _describe(record):
    """What a record has, in words."""
    rows, scores, pictures = len(record.recent.get("step", ())), len(record.scores), record.pictures
    found = [f"losses of the last {rows} steps"] * bool(rows)
    found += [f"scores at {scores} steps"] * bool(scores)
    times = len(record.evaluations)
    found += [f"what `evaluate` found {'once' if times == 1 else f'{times} times'}"] * bool(times)
    found += [f"the grid of step {record.faces_step:,}"] * (record.faces is not None)
    return found + ([f"{len(pictures)} of {record.trained_on:,} training pictures"] if pictures is not None else [])
