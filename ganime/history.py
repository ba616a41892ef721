"""The history of a run: a CSV file with a row for every step, and what it comes to (no TensorFlow)."""

import math
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

MEANS = ("step", "d_loss", "g_loss", "real_score", "fake_score")
PARTS = 1000
_LAST = 2**16  # bytes of a file's end that certainly hold its last row


@dataclass
class Summary:
    """What a history comes to, in a size that does not grow with it, so that a run of a million steps is saved and opened as
    quickly as one of a thousand.

    Attributes:
        rows: How many it has.
        step, seconds: Of its last row.
        names: Its columns.
        size: Bytes of its file up to the end of the last row.
        width: Rows in each of the parts of which there are sums; twice as many whenever there would be more than `PARTS`.
        sums: Of the columns `MEANS`, for each part.
        scores: The step and the scores (of `ganime.metrics`) of each row that has any.
    """

    rows: int = 0
    step: int = 0
    seconds: float = 0.0
    names: list[str] = field(default_factory=list)
    size: int = 0
    width: int = 1
    sums: list[list[float]] = field(default_factory=list)
    scores: list[dict[str, float]] = field(default_factory=list)

    def add(self, row: dict[str, float]) -> None:
        """Take in the values of the next step."""
        if self.rows == PARTS * self.width:
            self.sums = [
                [x + y for x, y in zip(*pair, strict=True)] for pair in zip(self.sums[::2], self.sums[1::2], strict=True)
            ]
            self.width *= 2
        if self.rows == len(self.sums) * self.width:
            self.sums.append([0.0] * len(MEANS))
        part = self.sums[-1]
        for i, name in enumerate(MEANS):
            part[i] += row.get(name, math.nan)
        self.rows += 1
        self.step, self.seconds = int(row["step"]), row.get("seconds", 0.0)
        if scores := {name: value for name, value in row.items() if is_score(name) and math.isfinite(value)}:
            self.scores.append({"step": self.step, **scores})

    def means(self) -> dict[str, np.ndarray]:
        """The columns `MEANS`, float64, as means of at most `PARTS` parts."""
        counts = np.full(len(self.sums), self.width, float)
        counts[-1:] += self.rows - self.width * len(self.sums)
        return dict(zip(MEANS, np.reshape(self.sums, (-1, len(MEANS))).T / counts, strict=True))

    def score_table(self) -> dict[str, np.ndarray]:
        """The column `step` and one for each score, float64, not a number where a row lacks it; empty if there are none."""
        names = dict.fromkeys(name for row in self.scores for name in row)
        return {name: np.array([row.get(name, math.nan) for row in self.scores]) for name in names}


def is_score(name: str) -> bool:
    """Whether a column holds one of the scores of `ganime.metrics`."""
    return "-" in name or name.isupper()


def read_history(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The columns of a history file, float64; empty if there is no such file or no whole row in it. Rows that cannot be read
    are left out."""
    names, rows, table, _ = read_rows(path)
    return dict(zip(names, table.T, strict=True)) if rows else {}


def read_rows(path: str | os.PathLike) -> tuple[list[str], list[str], np.ndarray, bool]:
    """The names of a history file's columns, its readable rows as text and as float64 [rows, columns], and whether there are
    others. An unfinished last row, which a kill may leave, does not count."""
    if not Path(path).exists():
        return [], [], np.empty((0, 0)), False
    with open(path, encoding="utf-8", errors="replace", newline="\n") as file:
        names = file.readline().rstrip("\r\n").split(",")
        lines = [line for line in file if line.endswith("\n")]
    if "step" not in names:
        return [], [], np.empty((0, 0)), bool(lines)
    rows = [line for line in lines if line.count(",") == len(names) - 1]
    try:
        table = np.loadtxt(rows, delimiter=",", ndmin=2) if rows else np.empty((0, len(names)))
    except ValueError:
        rows = [row for row in rows if _is_readable(row)]
        table = np.array([[float(value) for value in row.split(",")] for row in rows]).reshape(-1, len(names))
    return names, rows, table, len(rows) < len(lines)


def summarize(path: str | os.PathLike, last: float = math.inf) -> Summary:
    """The summary of a whole file, read from its beginning, up to a step."""
    names, _, table, _ = read_rows(path)
    summary = Summary()
    for values in table.tolist():
        if (row := dict(zip(names, values, strict=True)))["step"] <= last:
            summary.add(row)
    return summary


def last_row(path: str | os.PathLike) -> dict[str, float]:
    """The values of a file's last whole row; empty if there is none.

    Raises:
        ValueError: If it is damaged.
    """
    if not Path(path).exists():
        return {}
    with open(path, "rb") as file:
        names = file.readline().decode().strip().split(",")
        begin = file.tell()
        file.seek(max(begin, file.seek(0, os.SEEK_END) - _LAST))
        rows = file.read().decode().splitlines(keepends=True)
    whole = [row for row in rows if row.endswith("\n")]
    return dict(zip(names, map(float, whole[-1].split(",")), strict=True)) if whole else {}


def cut_after(path: str | os.PathLike, summary: Summary) -> bool:
    """Drop the rows of a file that came after those of a summary; False, and nothing is done, if it is not the same file."""
    try:
        with open(path, "r+b") as file:
            header = file.readline()
            file.seek(max(0, summary.size - _LAST))
            row = file.read(min(summary.size, _LAST)).splitlines(keepends=True)[-1:]
            if header.decode().strip().split(",") != summary.names or file.tell() != summary.size:
                return False
            if not row or not row[0].startswith(b"%d," % summary.step) or not row[0].endswith(b"\n"):
                return False
            file.truncate(summary.size)
            return True
    except (FileNotFoundError, ValueError):
        return False


def _is_readable(row):
    try:
        [float(value) for value in row.split(",")]
    except ValueError:
        return False
    return True
