"""Data sets of the Hugging Face hub, fetched with the optional library huggingface_hub (no TensorFlow).

The library finds the user's token (`HF_TOKEN`, `hf auth login`) and the hub (`HF_ENDPOINT`).
"""

import json
import os
import re
from collections import Counter
from pathlib import Path
from urllib.parse import quote

from ganime.data.account import GIVEN, count_all
from ganime.data.decode import SUFFIXES
from ganime.data.labels import LABELS
from ganime.errors import GanimeError, InputError, missing, one_line
from ganime.files import atomic_write

PREFIX = "hf://datasets/"
TIMEOUT = 10  # seconds until the hub counts as out of reach
_WORD = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
_ADDRESS = re.compile(rf"{PREFIX}(?P<handle>{_WORD}/{_WORD})(?:@(?P<revision>[A-Za-z0-9_][A-Za-z0-9_./-]*))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")


def parse(address: str) -> tuple[str, str]:
    """The name (USER/NAME) and the revision, `main` if there is none, of an address such as `hf://datasets/USER/NAME@REVISION`.

    Raises:
        InputError: If it is none.
    """
    match = _ADDRESS.fullmatch(address)
    if not match or ".." in address or "--" in match["handle"] or len(match["handle"]) > 96:
        form = f"{PREFIX}USER/NAME or {PREFIX}USER/NAME@REVISION"
        raise InputError(f"'{one_line(address, 200)}' is no data set's address, which is of the form {form}")
    return match["handle"], match["revision"] or "main"


def find(handle: str, revision: str, file: str = "") -> Path | None:
    """Where a data set lies in the hub's cache, if `download` has put it there and all of it is still there.

    The network is not asked, and the library not imported.

    Args:
        handle: USER/NAME.
        revision: A branch, a tag or a commit; of a branch that was downloaded, what it was then.
        file: The one file that is wanted; empty if all pictures and archives are.

    Returns:
        A folder, or a file where the data set consists of a single archive; None if it is not there.
    """
    try:
        # The marker is written last, since the cache may hold a part of a revision, as another program or a kill has left it.
        about = json.loads(_marker(handle, revision, file).read_text())
        commit, files = about["commit"], about["files"]
        folder = _repository(handle) / "snapshots" / commit
        if not _COMMIT.fullmatch(commit) or not all(os.path.isfile(folder / name) for name in files):
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    single = len(files) == 1 and files[0].lower().endswith(GIVEN)
    return folder / files[0] if single else folder


def commit_of(path: Path) -> str | None:
    """The commit of which `find` gave the path."""
    return next((part for part in reversed(path.parts) if _COMMIT.fullmatch(part)), None)


def download(handle: str, revision: str, file: str = "") -> Path:
    """A data set on disk: what `find` gives, else its pictures and archives are downloaded into the hub's cache.

    A download that was broken off goes on where it was.

    Args:
        handle, revision, file: As `find` has them.

    Raises:
        GanimeError: If huggingface_hub is not installed, the hub cannot be reached, the data set is not there, private or
            gated, or holds nothing to train on.
    """
    if (found := find(handle, revision, file)) is not None:
        return found
    try:
        from huggingface_hub import HfApi, snapshot_download
    except ImportError as error:
        raise missing("huggingface_hub>=1") from error
    try:
        # Asked first, since the library alone would try for half a minute where there is no network.
        info = HfApi().dataset_info(handle, revision=revision, timeout=TIMEOUT)
        names = [sibling.rfilename for sibling in info.siblings or ()]
        files = [name for name in names if (name == file if file else _is_wanted(name))]
        if not any(map(_holds_pictures, files)):
            held = count_all(Counter(os.path.splitext(name)[1].lower() or "(no ending)" for name in names))
            raise GanimeError(f"it holds no pictures and no archives that can be read, but {one_line(held, 200) or 'nothing'}")
        patterns = [file] if file else [*map(_any_case, (*SUFFIXES, *GIVEN)), LABELS]
        cache = _repository(handle).parent
        snapshot_download(handle, repo_type="dataset", revision=info.sha, cache_dir=cache, allow_patterns=patterns)
        with atomic_write(_marker(handle, revision, file)) as part:
            part.write_text(json.dumps({"commit": info.sha, "files": files}))
    except Exception as error:  # the library's own, its HTTP client's, the system's
        reason = str(error) if isinstance(error, GanimeError) else _explain(error)
        raise GanimeError(f"{PREFIX}{handle} could not be downloaded: {reason}") from error
    if (found := find(handle, revision, file)) is None:
        raise GanimeError(f"{PREFIX}{handle} was downloaded, but a part of it is missing; try again")
    return found


def _repository(handle):
    """Where the library keeps a data set."""
    places = os.environ
    home = places.get("HF_HOME") or os.path.join(places.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    cache = places.get("HF_HUB_CACHE") or places.get("HUGGINGFACE_HUB_CACHE") or os.path.join(home, "hub")
    return Path(os.path.expandvars(os.path.expanduser(cache)), f"datasets--{handle.replace('/', '--')}")


def _marker(handle, revision, file):
    """The file that says of what revision which files are there. It goes with the data set when that is deleted."""
    return _repository(handle) / "ganime" / f"{quote(f'{revision} {file}', safe='')}.json"


def _is_wanted(name):
    return _holds_pictures(name) or name == LABELS


def _holds_pictures(name):
    return name.lower().endswith((*SUFFIXES, *GIVEN))


def _any_case(ending):
    """A pattern of the library's for names with an ending in capitals or not."""
    return "*" + "".join(f"[{letter}{letter.upper()}]" if letter.isalpha() else letter for letter in ending)


def _explain(error):
    from huggingface_hub import errors

    known = {
        errors.GatedRepoError: "its owner lets in only whom they know: ask on its page, then run `hf auth login`",
        errors.RepositoryNotFoundError: "there is no such data set, or it is private and your token is not for it",
        errors.RevisionNotFoundError: "the data set is there, but has no such revision",
        errors.LocalEntryNotFoundError: "the hub cannot be reached",
        errors.OfflineModeIsEnabled: "HF_HUB_OFFLINE is set, and it was not downloaded before",
    }
    if meaning := explain_refusal(error, known, "your token may not read it"):
        return meaning
    if type(error).__module__.startswith("httpx") and not isinstance(error, errors.HfHubHTTPError):
        return f"the hub cannot be reached ({type(error).__name__}); when it can be, the same command goes on"
    return f"the hub failed: {one_line(str(error), 500) or type(error).__name__}"


def explain_refusal(error: Exception, known: dict[type, str], forbidden: str) -> str | None:
    """What an error of `huggingface_hub` means to its user; None if that is not known.

    Args:
        error: What was raised.
        known: What the library's own errors mean, the first that fits.
        forbidden: What it means that the user's token is not for this.
    """
    from huggingface_hub.errors import HfHubHTTPError

    for kind, meaning in known.items():
        if isinstance(error, kind):
            return meaning
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if status == 401:
        return "the hub does not accept your token: run `hf auth login --force`, or correct HF_TOKEN, which goes first"
    return forbidden if status == 403 else None
