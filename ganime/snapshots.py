"""What a run keeps of its steps, a whole state and a generator of each, which `RUN@STEP` names (no TensorFlow)."""

import os
import re
from pathlib import Path

from ganime.data.names import show
from ganime.errors import InputError
from ganime.run import Run
from ganime.state import State, read_state

MOST = 50  # that are kept, where nothing else is said
NAMED = 10  # steps in a message, at most
_NAME = re.compile(r"(.+)@([0-9]{1,12})", re.DOTALL)
_FILE = re.compile(r"step-([0-9]+)\.(?:keras|weights\.h5)")


class Snapshot(Run):
    """What a run has kept of a step: read like a run that was stopped there.

    Args:
        run: The run.
        step: The step. Whether it is kept is seen when it is read.
    """

    def __init__(self, run: Run, step: int):
        super().__init__(run.name)
        self.name, self.short_name, self.step = f"{run.name}@{step}", f"{run.path.name}@{step}", step
        self.state_path, self.generator_path = snapshot_paths(self.snapshots_path, step)

    def read_config(self) -> dict:
        """The run's configuration.

        Raises:
            InputError: If it is damaged, or the run does not keep that step; the message has steps that it keeps.
        """
        config = super().read_config()
        if self.step not in (steps := kept_steps(self.snapshots_path)):
            raise InputError(
                f"run {self.name.rpartition('@')[0]} keeps nothing of step {self.step}: {_name_kept(steps, self.step)}"
            )
        return config

    def newest_state(self) -> State:
        """The state that is kept.

        Raises:
            InputError: If there is none.
            DamagedState: If it is not as it was written.
        """
        try:
            return read_state(self.state_path)
        except FileNotFoundError:
            raise InputError(f"{self.name} has no state: {show(self.state_path)} is not there") from None


def open_run(name: Run | str | os.PathLike) -> Run:
    """The run to read from that a name or path stands for; `RUN@STEP` is what that run has kept of a step.

    A run whose own name ends like that comes first.

    Raises:
        InputError: If the name is none of a run.

    Example:
        >>> open_run("my-faces")
        <Run my-faces: checkpoints/my-faces>
    """
    if isinstance(name, Run):
        return name
    run, parts = Run(name), _NAME.fullmatch(os.fspath(name))
    if not parts or run.path.exists() or not (whole := Run(parts[1])).config_path.exists():
        return run
    return Snapshot(whole, int(parts[2]))


def check_trainable(run: Run) -> None:
    """See that a name is not that of a kept step, of which nothing may be changed. A run that has such a name already goes on.

    Raises:
        InputError: If it is.
    """
    if isinstance(run, Snapshot) or (_NAME.fullmatch(run.name) and not run.path.exists()):
        raise InputError(
            f"run {show(run.name)}: a name that ends in @ and a number is a step that a run keeps; to train on from there, "
            f"give a new run another name, and --from {show(run.name)} (start=...)"
        )


def snapshot_paths(folder: Path, step: int) -> tuple[Path, Path]:
    """Where the state and the generator of a step are kept."""
    return folder / f"step-{step:06d}.weights.h5", folder / f"step-{step:06d}.keras"


def kept_steps(folder: Path) -> list[int]:
    """The steps of which a folder has a state or a generator, in their order."""
    return sorted({int(match[1]) for path in folder.glob("step-*") if (match := _FILE.fullmatch(path.name))})


def kept_generators(run: Run) -> list[tuple[int, Path]]:
    """Steps and files of the generators that a run has: the kept ones and, where it is of a later step, the last.

    Raises:
        InputError: If none is kept.
    """
    paths = ((step, snapshot_paths(run.snapshots_path, step)[1]) for step in kept_steps(run.snapshots_path))
    found = [(step, path) for step, path in paths if path.is_file()]
    if not found:
        raise InputError(f"run {show(run.name)} has kept no generators: {_name_kept([], 0)}")
    if run.generator_path.is_file() and (last := run.summary().step) > found[-1][0]:
        found.append((last, run.generator_path))
    return found


def spacing(step: int, every: int, most: int) -> int:
    """How far apart the steps are that are kept when training has come to a step.

    Example:
        >>> [spacing(step, every=100, most=5) for step in (500, 600, 1000, 1200)]
        [100, 200, 200, 400]
    """
    while step // every > most:
        every *= 2
    return every


def make_room(folder: Path, every: int, most: int, step: int = 0) -> None:
    """See that no more than so many steps are kept, with the one that comes, besides step 0: drop those first that the present
    `spacing` leaves out, of these the oldest, each with what lies beside it."""
    if steps := sorted({*kept_steps(folder), step} - {0}):
        apart = spacing(steps[-1], every, most)
        left_out = [other for other in steps if other % apart]
        for state, generator in (snapshot_paths(folder, other) for other in left_out[: max(0, len(steps) - most)]):
            beside = (generator.with_suffix(ending) for ending in (".edits.npz", ".judge.npz"))
            for path in (state, generator, *beside):
                path.unlink(missing_ok=True)


def owner(generator: Path) -> tuple[Path, str]:
    """The folder of the run that a generator's file is of, if of any, and what follows the run's name: `@STEP`, or nothing."""
    kept = generator.parent.name == "snapshots" and _FILE.fullmatch(generator.name)
    return (generator.parent.parent, f"@{int(kept[1])}") if kept else (generator.parent, "")


def _name_kept(steps, wanted):
    """Which steps are kept, in words; of many those next to one."""
    if not steps:
        return "`fit --keep-every STEPS` keeps some from then on"
    near = sorted(sorted(steps, key=lambda step: abs(step - wanted))[:NAMED])
    names = ["…"] * (near[0] > steps[0]) + [str(step) for step in near] + ["…"] * (near[-1] < steps[-1])
    return f"of its {len(steps)} there are {', '.join(names)}" if len(near) < len(steps) else f"there are {', '.join(names)}"
