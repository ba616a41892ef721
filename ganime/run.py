"""A run: the directory in which everything about one training lives (no TensorFlow)."""

import json
import logging
import math
import os
import re
import shutil
from dataclasses import asdict
from pathlib import Path

from ganime import __version__
from ganime.errors import InputError
from ganime.files import atomic_write, exclusive, remove_parts
from ganime.history import Summary, summarize
from ganime.plan import Plan
from ganime.recipes import Recipe
from ganime.state import State, newest_state, read_about

ROOT = Path("checkpoints")
SAMPLE = re.compile(r"step-(\d+)\.png")
_DATA = {"pictures": int, "fingerprint": str, "name": str, "labels": str}  # what is known of pictures; labels not always
_FROM = {"name": str, "sha256": str}  # what is known of the weights that a run started from

log = logging.getLogger("ganime")


class Run:
    """Paths and bookkeeping of one training run.

    Args:
        name: Name of a run below `checkpoints/`, or a path (anything with a separator in it) to keep it elsewhere.

    Raises:
        InputError: If it names no folder of its own.

    Example:
        >>> Run("my-faces").config_path.as_posix()
        'checkpoints/my-faces/config.json'
    """

    def __init__(self, name: str | os.PathLike):
        text = os.fspath(name)
        if not Path(text).name.strip(".") or "\0" in text:
            raise InputError(f"{text!r} names no folder of its own, as a run does")
        self.path = Path(text) if os.path.dirname(text) else ROOT / text
        self.name, self.short_name = text, self.path.name
        self.config_path = self.path / "config.json"
        self.history_path = self.path / "history.csv"
        self.samples_path = self.path / "samples"
        self.snapshots_path = self.path / "snapshots"
        self.gif_path = self.path / "progress.gif"
        self.generator_path = self.path / "generator.keras"
        self.best_path = self.path / "best.keras"
        self.evaluations_path = self.path / "evaluations.jsonl"
        self.state_path = self.path / "state" / "gan.weights.h5"
        self.previous_path = self.path / "state" / "previous.weights.h5"

    def __repr__(self):
        return f"<Run {self.name}: {self.path}>"

    def lock(self):
        """Hold the run for this process, in a `with` statement.

        Raises:
            GanimeError: If another process trains it.
        """
        busy = f"run {self.name} is being trained by another process; use --run for another one"
        return exclusive(self.path / ".lock", busy)

    def open(self, config: dict, state: State | None = None, changed_data: bool = False) -> dict:
        """Write the configuration of a new run, or compare it with the existing run's and with that of its state.

        Args:
            config: What identifies the training, of JSON's types. `versions`, `plan`, the data's `name` and all but the name in
                `from`, the weights that it started from, are not compared, and a run from before a field of the recipe was
                added has that field's default.
            state: What the run is to be continued from, if anything.
            changed_data: Whether the run may go on with other pictures. Then its configuration has these, and the former ones
                with the step at which they were left in a list, `data_before`. A state from before that is continued too; the
                best generator until then is kept under another name.

        Returns:
            The configuration, with `data_before` if there is any: what the next state belongs to.

        Raises:
            InputError: If the run or its state is of another configuration; the message names what differs.
        """
        config = json.loads(json.dumps(config))
        known, of_state = self.config_path.exists(), state and state.about.get("config")
        former = self.read_config() if known else of_state or config
        if differing := _compare(former, config, changed_data):
            if not known:
                raise InputError(_explain_state(state, differing))
            way = "" if _compare(former, config, True) else "--changed-data (changed_data=True) to go on with other pictures, "
            raise InputError(
                f"run {self.name} was started differently: {differing}. Train as before, or use {way}--run with a new name"
            )
        # A state may be from before the pictures were changed: what has been changed since is in the run's configuration.
        changes = (former["data"], *former.get("data_before", []))
        of_run = of_state and any(_same_data(of_state["data"], data) for data in changes)
        if of_state and (differing := _compare(of_state, config, of_run)):
            raise InputError(_explain_state(state, differing))
        if state and not (known or of_state):
            advice = f"put {self.config_path} back, or use --run with a new name"
            raise InputError(f"what {state.path} belongs to is not known: {advice}")
        step = self._step(state)
        before = _pass_on(of_state or former, config["data"], step) if state else []
        config |= {"data_before": before} if before else {}
        config = {**{k: v for k, v in config.items() if k != "plan"}, **({"plan": former["plan"]} if "plan" in former else {})}
        if not known:
            self._write_config(config)
        elif not _same_data(former["data"], config["data"]):
            log.warning("run %s goes on with other pictures from step %d on", self.name, step)
            self._put_best_aside(step)
            self._write_config({**former, "data": config["data"], "data_before": before})
        elif before != former.get("data_before", []):  # the state is an earlier one
            self._write_config({**former, "data_before": before})
        return config

    def _step(self, state):
        """The step of a state."""
        if not state:
            return 0
        history = state.about.get("history") or self.summary().__dict__
        return int(history["step"])

    def _put_best_aside(self, step):
        """Other held-out pictures give other scores: what was best by the former ones is not replaced by what is by these."""
        if self.best_path.exists():
            aside = self.best_path.with_name(f"best-until-step-{step:06d}.keras")
            with atomic_write(aside) as part:
                shutil.copyfile(self.best_path, part)
            log.warning("the best generator until then is kept as %s: scores against other pictures are others", aside.name)

    def _write_config(self, config):
        with atomic_write(self.config_path) as part:
            part.write_text(json.dumps(config, indent=2) + "\n")

    def read_config(self) -> dict:
        """The run's configuration.

        Raises:
            InputError: If there is no such run or its file is damaged.
        """
        try:
            config = json.loads(self.config_path.read_text(encoding="utf-8"))
            Recipe(**config["recipe"])
            _check_types(config, {"seed": int})
            _check_types({"labels": "", **config["data"]}, _DATA)
            for data in config.get("data_before", []):
                _check_types({"labels": "", **data}, {"step": int, **_DATA})
            if "plan" in config:
                Plan(**config["plan"])
            if (origin := config.get("from")) is not None:
                _check_types(origin, {**_FROM, **({"step": int} if "step" in origin else {})})
        except FileNotFoundError:
            raise InputError(f"there is no run {self.name}: {self.config_path} does not exist") from None
        except InputError as error:
            reason = str(error)[:200]
            raise InputError(f"{self.config_path} is damaged, or of another version of ganime: {reason}") from None
        except (LookupError, TypeError, ValueError, OverflowError, RecursionError) as error:
            reason = f"{type(error).__name__}: {str(error)[:200]}"
            raise InputError(f"{self.config_path} is damaged, or of another version of ganime ({reason})") from None
        return config

    def newest_state(self) -> State | None:
        """The last state that is whole, with its content; None if nothing has been saved yet.

        Raises:
            GanimeError: If there are states, and none is whole.
        """
        return newest_state(self.state_path, self.previous_path)

    def tidy(self, state: State | None) -> None:
        """Remove what a kill has left unfinished, and keep a damaged last state aside, so that the one before stays."""
        for folder in (self.path, self.state_path.parent, self.samples_path, self.snapshots_path):
            remove_parts(folder)
        if state and state.path != self.state_path and self.state_path.exists():
            os.replace(self.state_path, self.state_path.with_name("damaged.weights.h5"))

    def summary(self) -> Summary:
        """The history's: of the last state or, where there is none that has it, of the file."""
        try:
            return Summary(**read_about(self.state_path)["history"])
        except (KeyError, TypeError):
            return summarize(self.history_path)

    def best_score(self, name: str, fingerprint: str | None = None, labels: str | None = None) -> float:
        """The lowest of a score in training so far; infinity if there is none.

        Args:
            name: Which score.
            fingerprint, labels: Of the pictures that are trained on; scores from when these were others do not count.
        """
        first = 0
        if fingerprint is not None and self.config_path.exists():
            config = self.read_config()
            first = max((data["step"] for data in config.get("data_before", [])), default=0)
            if (config["data"]["fingerprint"], config["data"].get("labels")) != (fingerprint, labels):
                return math.inf
        return min((row[name] for row in self.summary().scores if name in row and row["step"] > first), default=math.inf)

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


def describe_origin(origin: dict) -> str:
    """What `from` in a run's configuration says, in words.

    Example:
        >>> describe_origin({"name": "faces-default", "step": 2000, "sha256": "…"})
        'faces-default at step 2,000'
    """
    said = "step" not in origin or origin["name"].endswith(f"@{origin['step']}")
    return origin["name"] if said else f"{origin['name']} at step {origin['step']:,}"


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


def _compare(before, now, without_data=False):
    left_out = "versions.", "data_before", "plan.", "from.step", "from.sha256", "data." if without_data else "data.name"
    before, now = (
        {key: value for key, value in _flatten(tree).items() if not key.startswith(left_out)} for tree in (before, now)
    )
    fields = _flatten(json.loads(json.dumps({"recipe": asdict(Recipe())})))
    return differences({key: value for key, value in fields.items() if key in now} | before, now)


def _same_data(one, other):
    return all(one.get(name) == other.get(name) for name in ("pictures", "fingerprint", "labels"))


def _pass_on(config, data, step):
    """The pictures that came before these, where a state of this configuration and step goes on with them."""
    before = [*config.get("data_before", [])]
    if not _same_data(config["data"], data):
        if not before or before[-1]["step"] < step:  # else no step was made with them
            before.append({"step": step, **{name: config["data"][name] for name in _DATA if name in config["data"]}})
        elif _same_data(before[-1], data):
            before.pop()
    return before


def _explain_state(state, differing):
    advice = "Put the run's own back, or use --run with a new name"
    return f"{state.path} is the state of another training: {differing}. {advice}"


def _check_types(values, types):
    for name, kind in types.items():
        if type(values[name]) is not kind:
            raise ValueError(f"{name} is {str(values[name])[:80]!r}")


def _flatten(tree, prefix=""):
    if not isinstance(tree, dict):
        return {prefix.removesuffix("."): tree}
    return {key: value for name, part in tree.items() for key, value in _flatten(part, f"{prefix}{name}.").items()}
