"""What is known of one generator: arrays in an `.npz` beside its `.keras` file, with that file's hash (no TensorFlow)."""

import io
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from ganime.data.names import show
from ganime.errors import InputError
from ganime.files import atomic_write, hash_file
from ganime.generation.archive import read_members


def load_beside(
    path: Path, place: Path, names: Iterable[str], check: Callable[[dict[str, np.ndarray]], None], missing: str, advice: str
) -> dict[str, np.ndarray]:
    """Read the arrays of a generator.

    Args:
        path: The generator's `.keras` file.
        place: The `.npz`.
        names: Of the arrays.
        check: Raises if they are not what they should be.
        missing: What to say where there are none, as in "there are no edits".
        advice: What to do about whatever is wrong.

    Raises:
        InputError: If there are none, they are damaged or another version's, or the generator has changed since.
    """
    if not place.is_file():
        raise InputError(f"{missing} of {show(path)}; {advice}")
    try:
        members = read_members(place)
        arrays = {name: np.load(io.BytesIO(members[f"{name}.npy"]), allow_pickle=False) for name in (*names, "generator")}
        digest = str(arrays.pop("generator"))
        check(arrays)
    except Exception as error:  # whatever a damaged file can hold
        raise InputError(f"{show(place)} is damaged, or another version's; {advice}") from error
    if digest != hash_file(path):
        raise InputError(f"{show(place)} is of an earlier state of {show(path)}; {advice}")
    return arrays


def save_beside(path: Path, place: Path, arrays: dict[str, np.ndarray]) -> Path:
    """Write the arrays of a generator, whole or not at all, and return where."""
    with atomic_write(place) as part, open(part, "wb") as file:
        np.savez(file, generator=hash_file(path), **arrays)
    return place
