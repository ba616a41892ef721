"""The model hub: shared folders are pushed to it, generators fetched from it if their hashes are right and no code is in them.

Its library, `huggingface_hub`, finds the user's token (`HF_TOKEN`, `hf auth login`), the hub (`HF_ENDPOINT`) and the cache.
"""

import json
import re
from contextlib import contextmanager
from pathlib import Path

from ganime import __version__
from ganime.data.hub_sets import explain_refusal
from ganime.data.names import show
from ganime.errors import GanimeError, InputError, missing, one_line
from ganime.exporting.manifest import EDITS, GENERATOR, JUDGE, MANIFEST, check_file, read_manifest
from ganime.generation.archive import CONFIG, WEIGHTS, read_archive
from ganime.generation.chain import read_chain

TIMEOUT = 10  # seconds until the hub counts as out of reach
_WORD = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
_REVISION = r"[A-Za-z0-9_][A-Za-z0-9_./-]*"
_NEW = {".gitattributes", "README.md", "index.html", "style.css"}  # what the hub itself puts into new repositories
# All that the generators of `build_generator` consist of. Keras' other classes can hold code (Lambda) or load files.
_STOCK = {
    *("Functional", "InputLayer", "Reshape", "Conv2DTranspose", "BatchNormalization", "Activation", "ReLU", "LeakyReLU"),
    *("DTypePolicy", "VarianceScaling", "GlorotUniform", "RandomUniform", "RandomNormal", "Zeros", "Ones", "__keras_tensor__"),
}


def check_name(name: str) -> None:
    """See that the hub could take a name, USER/NAME.

    Raises:
        InputError: If not.
    """
    if not re.fullmatch(f"{_WORD}/{_WORD}", name) or len(name) > 96 or re.search(r"--|\.\.|\.git$", name):
        raise InputError(
            f"'{one_line(name, 200)}' is not a name on the model hub, as in USER/NAME (letters, digits, single - _ and .)"
        )


def check_push(name: str) -> None:
    """See that the user may push to the model and the space of a name, before the work is done in vain.

    Raises:
        InputError: If it is no name, or somebody else's.
        GanimeError: If there is no token or it is not accepted, the hub cannot be reached, or one of the two already holds
            something that `share` has not put there.
    """
    check_name(name)
    with _one_line(name):
        from huggingface_hub import HfApi, get_token

        if get_token() is None:
            raise GanimeError("there is no token for the model hub: run `hf auth login`, or set HF_TOKEN")
        user = HfApi().whoami()
        if user.get("auth", {}).get("accessToken", {}).get("role") == "read":
            raise GanimeError("your token may only read: make one that may write, on the hub's page of settings")
        mine = [user["name"], *(group["name"] for group in user.get("orgs", []))]
        if name.split("/")[0].lower() not in map(str.lower, mine):
            raise InputError(f"{name} is not yours to push to: your token is for {one_line(', '.join(mine), 200)}")
        for kind in ("model", "space"):
            _list_ours(name, kind)


def push(folder: Path, name: str) -> list[str]:
    """Push a folder that `share` wrote: all of it as a model, its page as a static space, which are made if need be.

    Each of both changes in one commit. What an earlier push put there and is no more in the folder is deleted.

    Returns:
        The addresses of both.

    Raises:
        GanimeError: As `check_push`, or if the hub refuses something.
    """
    addresses = []
    with _one_line(name):
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

        for kind, part, options in (("model", folder, {}), ("space", folder / "page", {"space_sdk": "static"})):
            url = HfApi().create_repo(name, repo_type=kind, exist_ok=True, **options)
            files = {path.relative_to(part).as_posix(): path for path in sorted(part.rglob("*")) if path.is_file()}
            changes = [CommitOperationAdd(place, path) for place, path in files.items()]
            changes += [CommitOperationDelete(place) for place in sorted(_list_ours(name, kind) - files.keys())]
            HfApi().create_commit(name, changes, commit_message=f"Shared by ganime {__version__}", repo_type=kind)
            addresses.append(str(url))
    return addresses


def fetch_generator(address: str) -> Path:
    """Where the generator of an address lies in the hub's cache: `hf://USER/NAME`, also with `@REVISION`.

    What is not there yet is fetched, and with it its edits and its judge, which lie beside it. Without a network the newest
    that was fetched serves. Every time the files are compared with the manifest's hashes, and the generator must be a chain of
    layers as `build_generator` makes them, so that no code of others is ever run.

    Raises:
        InputError: If the address is malformed.
        GanimeError: If there is no such generator, it is another one than the manifest says, could hold code, or is neither in
            the cache nor to be had.
    """
    match = re.fullmatch(rf"hf://({_WORD}/{_WORD})(?:@({_REVISION}))?", address)
    if not match or ".." in address:
        raise InputError(
            f"'{one_line(address, 200)}' is not an address on the model hub, as in hf://USER/NAME or hf://USER/NAME@REVISION"
        )
    name, revision = match[1], match[2] or "main"
    check_name(name)
    with _one_line(address):
        offline = not _is_reachable(name, revision)
        manifest = _download(name, MANIFEST, revision, offline)
        hashes = read_manifest(manifest)
        if GENERATOR not in hashes:
            raise GanimeError(f"{MANIFEST} lists no {GENERATOR}")
        for file in {GENERATOR, EDITS, JUDGE} & hashes.keys():
            path = _download(name, file, manifest.parent.name, offline)  # of the commit that the manifest is of
            check_file(path, hashes[file])
    _check_code_free(manifest.with_name(GENERATOR))
    return manifest.with_name(GENERATOR)


def _download(name, file, revision, offline):
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(name, file, revision=revision, local_files_only=offline))


def _is_reachable(name, revision):
    """Whether the hub answers; the library alone would try for 23 seconds."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        HfApi().model_info(name, revision=revision, timeout=TIMEOUT)
    except HfHubHTTPError as error:
        if error.response.status_code in (401, 403, 404):
            raise
        return False
    except Exception:  # no network, as whatever client the library uses says it
        return False
    return True


def _list_ours(name, kind):
    """The files that an earlier push has put into a repository.

    Raises:
        GanimeError: If there are others, but none of ours.
    """
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        there = set(HfApi().list_repo_files(name, repo_type=kind))
    except RepositoryNotFoundError:
        return set()
    if MANIFEST in there:
        return there & {MANIFEST, *read_manifest(Path(hf_hub_download(name, MANIFEST, repo_type=kind)))}
    if others := there - _NEW:
        raise GanimeError(f"the {kind} holds {show(min(others))}, which `share` has not put there; push under another name")
    return set()


def _check_code_free(path):
    try:
        read_chain(path)
        members = read_archive(path).members
        sound = members.keys() == {"metadata.json", CONFIG, WEIGHTS} and _is_stock(json.loads(members[CONFIG]))
    except Exception:  # whatever a file can hold
        sound = False
    if not sound:
        raise GanimeError(f"{show(path)} is not loaded: it is no generator as build_generator makes them, and could hold code")


def _is_stock(config):
    """Whether all objects in a configuration are of Keras' classes that hold no code."""
    if isinstance(config, list):
        return all(map(_is_stock, config))
    if not isinstance(config, dict):
        return True
    name, module = config.get("class_name", "Functional"), config.get("module") or "keras"
    known = name in _STOCK and config.get("registered_name") in (None, name) and module.split(".")[0] == "keras"
    return known and all(map(_is_stock, config.values()))


@contextmanager
def _one_line(what):
    """Say in one line what went wrong on the hub, and what to do."""
    try:
        yield
    except ImportError as error:
        raise missing("huggingface_hub>=1") from error
    except InputError:
        raise
    except GanimeError as error:
        raise GanimeError(f"{what}: {error}") from error
    except Exception as error:  # the library's own, its HTTP client's, the system's
        raise GanimeError(f"{what}: {_explain(error)}") from error


def _explain(error):
    from huggingface_hub import errors

    known = {
        errors.GatedRepoError: "its owner lets in only whom they know: ask on its page",
        errors.RepositoryNotFoundError: "there is no such model on the hub, or it is private and your token is not for it",
        errors.RevisionNotFoundError: "the model is there, but has no such revision",
        errors.LocalEntryNotFoundError: "the model hub cannot be reached, and no copy is here from an earlier time",
        errors.EntryNotFoundError: "it was not shared by ganime: a file is missing there",
        errors.OfflineModeIsEnabled: "HF_HUB_OFFLINE is set, so nothing is pushed",
    }
    forbidden = "your token may not do this: make one that may write, on the hub's page of settings"
    failed = f"the model hub failed: {one_line(str(error), 500) or type(error).__name__}"
    return explain_refusal(error, known, forbidden) or failed
