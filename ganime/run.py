"""A run: the directory in which everything about one training lives (no TensorFlow)."""

import json
import os
import re
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ganime import __version__
from ganime.errors import InputError
from ganime.files import atomic_write, exclusive
from ganime.recipes import Recipe

ROOT = Path("checkpoints")
SAMPLE = re.compile(r"step-(\d+)\.png")


class Run:
    """Paths and bookkeeping of one training run.

    Args:
        name: Name of a run below `checkpoints/`, or a path (anything with a separator in it) to keep it elsewhere.

    Example:
        >>> Run("my-faces").config_path.as_posix()
        'checkpoints/my-faces/config.json'
    """

    def __init__(self, name: str | os.PathLike):
        text = os.fspath(name)
        self.path = Path(text) if os.path.dirname(text) else ROOT / text
        self.name = text
        self.config_path = self.path / "config.json"
        self.history_path = self.path / "history.csv"
        self.samples_path = self.path / "samples"
        self.gif_path = self.path / "progress.gif"
        self.generator_path = self.path / "generator.keras"
        self.best_path = self.path / "best.keras"
        self.evaluations_path = self.path / "evaluations.jsonl"
        self.state_path = self.path / "state" / "gan.weights.h5"

    def __repr__(self):
        return f"<Run {self.name}: {self.path}>"

    def lock(self):
        """Hold the run for this process, in a `with` statement.

        Raises:
            GanimeError: If another process trains it.
        """
        busy = f"run {self.name} is being trained by another process; use --run for another one"
        return exclusive(self.path / ".lock", busy)

    def open(self, config: dict) -> None:
        """Write the configuration of a new run, or compare it with the existing run's.

        Args:
            config: What identifies the training, of JSON's types. `versions` and the data's `name` are not compared, and a run
                from before a field of the recipe was added has that field's default.

        Raises:
            InputError: If the run exists with another configuration; the message names what differs.
        """
        config = json.loads(json.dumps(config))
        if not self.config_path.exists():
            with atomic_write(self.config_path) as part:
                part.write_text(json.dumps(config, indent=2) + "\n")
            return
        before, now = (
            {key: value for key, value in _flatten(tree).items() if key != "data.name" and not key.startswith("versions.")}
            for tree in (self.read_config(), config)
        )
        fields = json.loads(json.dumps({"recipe": asdict(Recipe())}))
        before = {key: value for key, value in _flatten(fields).items() if key in now} | before
        if differing := differences(before, now):
            raise InputError(
                f"run {self.name} was started differently: {differing}. Train as before, or use --run with a new name"
            )

    def read_config(self) -> dict:
        """The run's configuration.

        Raises:
            InputError: If there is no such run or its file is damaged.
        """
        try:
            return json.loads(self.config_path.read_text())
        except FileNotFoundError:
            raise InputError(f"there is no run {self.name}: {self.config_path} does not exist") from None
        except ValueError as error:
            raise InputError(f"{self.config_path} is damaged: {error}") from None

    def samples(self) -> list[tuple[int, Path]]:
        """Steps and paths of the sample grids, in the order of their steps."""
        return list_samples(self.samples_path)

    def last_trained(self) -> float:
        """When a step was last made, in seconds since the epoch of the clock."""
        written = (path for path in (self.history_path, self.config_path, self.path) if path.exists())
        return next(written).stat().st_mtime


def latest_run() -> Run:
    """The run in `checkpoints/` that was trained last.

    Raises:
        InputError: If there is none.
    """
    found = [Run(path.parent.name) for path in ROOT.glob("*/config.json")]
    if not found:
        raise InputError(f"there is no run in {ROOT.resolve()}; train one with `fit`")
    return max(found, key=Run.last_trained)


def list_samples(folder: Path) -> list[tuple[int, Path]]:
    """Steps and paths of the grids in a folder, `step-000100.png` and so on, in the order of their steps."""
    found = [(SAMPLE.fullmatch(path.name), path) for path in Path(folder).glob("step-*.png")]
    return sorted((int(match[1]), path) for match, path in found if match)


def read_history(path: Path) -> dict[str, np.ndarray]:
    """The columns of a history file, float64; empty if there is no such file or no whole row in it."""
    if not Path(path).exists():
        return {}
    with open(path) as file:
        names = file.readline().strip().split(",")
        rows = [line for line in file if line.count(",") == len(names) - 1 and line.endswith("\n")]
    return dict(zip(names, np.loadtxt(rows, delimiter=",", ndmin=2).T, strict=True)) if rows else {}


def library_versions() -> dict[str, str]:
    """Versions of ganime and of the libraries that results depend on."""
    import importlib.metadata  # 40 ms, which `gif` can do without

    packages = ("tensorflow", "keras", "numpy", "pillow", "simplejpeg")
    return {"ganime": __version__, **{package: importlib.metadata.version(package) for package in packages}}


def differences(before: dict, now: dict) -> str:
    """What differs between two flat dictionaries, in words; empty if nothing does.

    Example:
        >>> differences({"size": 64, "seed": 1}, {"size": 32, "seed": 1})
        'size (was 64, is 32)'
    """
    changed = (key for key in {**before, **now} if before.get(key) != now.get(key))
    return "; ".join(f"{key} (was {before.get(key)}, is {now.get(key)})" for key in changed)


def _flatten(tree, prefix=""):
    if not isinstance(tree, dict):
        return {prefix.removesuffix("."): tree}
    return {key: value for name, part in tree.items() for key, value in _flatten(part, f"{prefix}{name}.").items()}
