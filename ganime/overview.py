"""What runs there are: how far, how good, how large (no TensorFlow)."""

import contextlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ganime.errors import InputError
from ganime.history import last_row
from ganime.recipes import Recipe, name_recipe
from ganime.run import ROOT, Run, describe_origin
from ganime.snapshots import kept_steps, owner


@dataclass(frozen=True, repr=False)
class RunSummary:
    """What there is to say of a run; its `repr` says it in a line.

    Attributes:
        name: As `load_generator`, `fit` and `--run` take it.
        trained: When a step was last made.
        size: Bytes of all its files.
        step: The last one of its history.
        scores: The last kernel distance to real faces, in training or by `evaluate`; where there is none, the last losses.
        recipe: The recipe's name, and what was set.
        data: Name of the pictures.
        pictures: How many of them.
        image_size: Side of the faces in pixels.
        snapshots: How many steps it keeps.
        snapshots_size: Bytes of their files, which `size` has too.
        start: The trained weights that it started from, in words; empty if it did from first ones.
        problem: What is wrong with the run, and then all of the above but the first three may be missing; empty if nothing is.
    """

    name: str
    trained: datetime
    size: int
    step: int = 0
    scores: dict[str, float] = field(default_factory=dict)
    recipe: str = ""
    data: str = ""
    pictures: int = 0
    image_size: int = 0
    snapshots: int = 0
    snapshots_size: int = 0
    start: str = ""
    problem: str = ""

    def __repr__(self):
        about = [f"step {self.step:,}", *self.describe_scores()]
        about += [f"{self.pictures:,} pictures of {self.image_size}x{self.image_size}"] if self.recipe else []
        about += [f"from {self.start}"] if self.start else []
        about += [f"{self.size / 1e6:,.1f} MB"]
        about += [f"of these {self.snapshots_size / 1e6:,.1f} in {self.snapshots:,} snapshots"] if self.snapshots else []
        about += [f"{self.trained:%Y-%m-%d %H:%M}", *filter(None, [self.problem])]
        return f"{self.name}: {', '.join(about)}"

    def describe_scores(self) -> list[str]:
        """Each score or loss in words."""
        return [f"{name} {value:.4g}" for name, value in self.scores.items()]


class RunList(list[RunSummary]):
    """A list that shows itself with a line for each run."""

    def __repr__(self):
        return "\n".join(map(repr, self)) or f"no runs in {ROOT.resolve()}"


def runs() -> RunList:
    """What runs there are in `checkpoints/`, the last trained first. Of a damaged or half one it says what is wrong.

    Example:
        >>> [run.name for run in runs() if run.scores.get("KID-lite0", 1) < 0.01]  # doctest: +SKIP
        ['faces-default']
    """
    found = [Run(path.name) for path in ROOT.glob("*/") if not path.name.startswith(".")]
    return RunList(map(_summarize, sorted(found, key=Run.last_trained, reverse=True)))


def _summarize(run):
    known, problem = {}, "" if run.state_path.exists() else "nothing is saved yet"
    try:
        config = run.read_config()
        recipe, data = Recipe(**config["recipe"]), config["data"]
        known = {"recipe": name_recipe(recipe), "image_size": recipe.image_size}
        known |= {"data": str(data["name"]), "pictures": int(data["pictures"])}
        known |= {"start": describe_origin(config["from"])} if config.get("from") else {}
        known |= _read_history(run)
    except InputError as error:
        problem = str(error)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, OSError) as error:
        problem = f"what it has recorded is damaged: {type(error).__name__} {error}"
    known |= {"snapshots": len(kept_steps(run.snapshots_path)), "snapshots_size": _measure(run.snapshots_path)}
    trained = datetime.fromtimestamp(run.last_trained())
    return RunSummary(run.name, trained, _measure(run.path), **known, problem=problem)


def _measure(folder):
    """Bytes of all files in a folder."""
    size = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # a training renames its files
            size += path.stat().st_size if path.is_file() else 0
    return size


def _read_history(run):
    """The last step and the last scores."""
    if not (last := last_row(run.history_path)):
        return {}
    losses = {name: last[name] for name in ("d_loss", "g_loss")}
    return {"step": int(last["step"]), "scores": _distance_in_training(run) or _distance_evaluated(run) or losses}


def _distance_in_training(run):
    for row in reversed(run.summary().scores):
        if distances := {name: value for name, value in row.items() if _is_distance(name)}:
            return distances
    return {}


def _distance_evaluated(run):
    if not run.evaluations_path.exists():
        return {}
    lines = run.evaluations_path.read_text(encoding="utf-8").splitlines()
    if not lines:
        raise ValueError(f"{run.evaluations_path.name} is empty")
    for result in map(json.loads, reversed(lines)):
        if not owner(Path(result.get("model", "")))[1]:  # a step that it keeps is not how good it is now
            return {name: float(value) for name, value in result["scores"].items() if _is_distance(name)}
    return {}


def _is_distance(name):
    return name.startswith("KID") and not name.endswith("-deviation")
