"""`ganime.json`: what a shared folder holds, by which it is known again and its files are checked."""

import contextlib
import json
import re
from pathlib import Path

from ganime.data.names import show
from ganime.errors import GanimeError, InputError
from ganime.files import hash_file

MANIFEST = "ganime.json"
GENERATOR, EDITS, JUDGE = "generator.keras", "generator.edits.npz", "generator.judge.npz"
_FORMAT = "ganime-share-1"
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"  # never ".", "..", a drive or an absolute path
_NAME = re.compile(rf"{_PART}(/{_PART})*")


def write_manifest(folder: Path, **about) -> None:
    """Write the manifest of all files in a folder, at any depth.

    Args:
        folder: Where to.
        about: What else to say there, of JSON's types.
    """
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": hash_file(path)}
        for path in paths
        if path != folder / MANIFEST
    }
    (folder / MANIFEST).write_text(json.dumps({"format": _FORMAT, **about, "files": files}, indent=2) + "\n", encoding="utf-8")


def read_manifest(path: Path) -> dict[str, str]:
    """The SHA-256 of each file that a manifest lists, by its name below the manifest's folder.

    Raises:
        GanimeError: If it is no manifest, or a name in it could lead elsewhere.
    """
    try:
        manifest = json.loads(path.read_bytes())
        files = {name: file["sha256"] for name, file in manifest["files"].items()}
        if manifest["format"] != _FORMAT or not all(map(_NAME.fullmatch, files)):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise GanimeError(f"{show(path)} does not say what `share` writes") from None
    return files


def check_file(path: Path, sha256: str) -> None:
    """Compare a file with its hash.

    Raises:
        GanimeError: If it is another one.
    """
    if hash_file(path) != sha256:
        raise GanimeError(f"{show(path)} is not the file that {MANIFEST} lists: it is damaged, or was changed")


def check_replaceable(folder: Path) -> set[str]:
    """See that nothing is lost if `share` writes a folder anew.

    Returns:
        The names of what is in the folder.

    Raises:
        InputError: If something is in there that `share` has not written, or that was changed since.
    """
    if not folder.is_dir():
        return set()
    ours = {}
    with contextlib.suppress(GanimeError, OSError):
        ours = read_manifest(folder / MANIFEST)
    for path in sorted(path for path in folder.rglob("*") if not path.is_dir()):
        name = path.relative_to(folder).as_posix()
        if ours and name == MANIFEST:
            continue
        if name not in ours:
            raise InputError(f"--output {show(folder)} holds {show(name)}, which `share` has not written; name another folder")
        if hash_file(path) != ours[name]:
            raise InputError(
                f"--output {show(folder)}: {show(name)} was changed since `share` wrote it; keep it, and name another folder"
            )
    return {path.name for path in folder.iterdir()}


def check_ours(folder: Path, names: str) -> set[str]:
    """See that nothing is lost if `export` writes a folder anew.

    Args:
        folder: What is there.
        names: What the names of all files that it has written match, at any depth.

    Returns:
        The names of what is in the folder.

    Raises:
        InputError: If another file is in there.
    """
    for path in sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()):
        name = path.relative_to(folder).as_posix()
        if not re.fullmatch(names, name):
            raise InputError(f"{show(folder)} holds {show(name)}, which would be lost; name another folder")
    return {path.name for path in folder.iterdir()}
