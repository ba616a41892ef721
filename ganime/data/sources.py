"""What a person may give as `--data`."""

import glob
import os
import re
from collections.abc import Callable
from pathlib import Path

from ganime.data import foreign, public
from ganime.data.arrays import ArrayListing, PackedListing
from ganime.data.decode import is_picture
from ganime.data.encoded import EncodedPictures
from ganime.data.folder import FolderListing
from ganime.data.listing import HEAD, Listing, ending_of, is_hidden
from ganime.data.names import show
from ganime.data.numpy_files import is_packed
from ganime.data.packed import PackedPictures
from ganime.data.zips import ZipListing
from ganime.errors import InputError

KINDS = (
    "a folder, zip, tar, parquet, npz or npy file of pictures, a file made by `data pack`, a pattern of tar or parquet files"
)
HEADS = {  # of files: what their first bytes say
    b"PK": "zip",
    b"PAR1": "parquet",
    b"\x93NUMPY": "array",
    b"\x1f\x8b": "tar",  # whose reader says what to do about compressed ones
    b"BZh": "tar",
    b"\xfd7zXZ\0": "tar",
    b"\x28\xb5\x2f\xfd": "tar",
}
ENDINGS = {".zip": "zip", ".tar": "tar", ".parquet": "parquet", ".npz": "array"}
TAR = b"ustar"  # at byte 257 of a file
PART = re.compile(r"\.(zip|7z|tar)\.\d{3}$|\.z\d\d$", re.IGNORECASE)


def open_pictures(data: str | os.PathLike, strict: bool = False) -> EncodedPictures | PackedPictures:
    """Pictures to train on, or to compare with.

    Args:
        data: A path: of a folder; of an archive of one (zip, or tar without compression); of a `.parquet` file with a column of
            pictures; of an array, uint8 [count, height, width, 3], in an `.npz` or `.npy` file; of a file made by `pack`; of a
            folder of tar or parquet files, or a pattern of them. Or a public data set by its name in `PUBLIC_SETS` or its
            address, `hf://datasets/USER/NAME`, which is downloaded if it is not there yet.
        strict: Whether an unreadable picture is an error.

    Raises:
        InputError: If it is none of them, or nothing in it can be used.
        GanimeError: If it cannot be read or downloaded.
    """
    if _is_packed(data):
        return PackedPictures(data, strict)
    return EncodedPictures(open_listing(data), strict)


def open_listing(data: str | os.PathLike, without: Path | None = None) -> Listing:
    """All that there is in what `open_pictures` takes, usable or not.

    Args:
        data: As `open_pictures` has it.
        without: A folder that is left out of a folder.

    Raises:
        InputError: If it is none of that.
        GanimeError: If it cannot be read or downloaded.
    """
    data = os.fspath(data)
    path = Path(data)
    if data and path.is_dir():
        return _open_folder(path, (), without)
    if path.is_file():
        return _open_files([path], path)
    if known := public.get(data):
        path = public.download(data)
        listing = _open_files([path], path) if path.is_file() else _open_folder(path, known.subfolders)
        listing.name = known.name
        return listing
    if files := [Path(name) for name in sorted(glob.glob(data, recursive=True)) if os.path.isfile(name)]:
        return _open_files(files, path)
    known = f"hf://datasets/USER/NAME or one of {', '.join(public.PUBLIC_SETS)}"
    missing = "is not a folder or a file that is there, nor a public set"
    raise InputError(f"{show(data) or 'nothing'} {missing}; give {KINDS}, {known}")


def _open_folder(folder, subfolders, without=None):
    """The pictures under a folder or, where there are none, in the archives under it."""
    listing = FolderListing(folder, subfolders, without)
    if len(listing):
        return listing
    names = sorted(name for name in glob.iglob("**", root_dir=folder, recursive=True) if name.lower().endswith(tuple(ENDINGS)))
    seen = [name for name in names if not any(map(is_hidden, os.fsencode(name).split(os.sep.encode())))]
    archives = [folder / name for name in seen if os.path.isfile(folder / name)]
    return _open_files(archives, folder) if archives else listing


def _open_files(paths, place):
    """What files of one kind hold, as one source."""
    by_kind = {_kind(path): path for path in paths}
    if len(by_kind) > 1:
        shown = ", ".join(f"{show(path)} ({kind})" for kind, path in by_kind.items())
        raise InputError(f"{show(place)}: files of several kinds: {shown}; give each with --data")
    (kind,) = by_kind
    if kind in ("tar", "parquet"):
        return _OPENERS[kind](paths, place)
    if len(paths) > 1:
        raise InputError(f"{show(place)}: {len(paths):,} {kind} files are no one source; give each with --data")
    return _OPENERS[kind](paths[0])


def _kind(path):
    """What a file is, by what is in it."""
    with open(path, "rb") as file:
        head = file.read(512)
    if not head:
        raise InputError(f"{show(path)} is empty")
    if PART.search(path.name):
        way = "put the parts together, as 7-Zip or zip -s 0 does, and give the whole"
        raise InputError(f"{show(path)} is a part of an archive: {way}")
    if other := foreign.of_content(head):
        raise _refused(path, other)
    kind = next((kind for start, kind in HEADS.items() if head.startswith(start)), None)
    if kind == "zip" and path.suffix.lower() == ".npz":
        return "array"
    if kind is None and head[257:262] == TAR:
        return "tar"
    if kind is None and is_picture(head[:HEAD]):
        raise InputError(f"{show(path)} is a single picture: give the folder that it lies in")
    ending = ending_of(os.fsencode(path.name))
    if kind := kind or ENDINGS.get(ending):
        return "packed" if kind == "array" and _is_packed(path) else kind
    if other := foreign.of_ending(ending):
        raise _refused(path, other)
    raise InputError(f"{show(path)} is not {KINDS}")


def _refused(path, kind):
    return InputError(f"{show(path)} cannot be read as it is ({kind.name}): {kind.remedy_for(show(path))}")


def _is_packed(path):
    return os.path.isfile(path) and is_packed(path)


def _open_tars(paths, place):
    from ganime.data.tars import TarListing

    return TarListing(paths, place)


def _open_parquet(paths, place):
    from ganime.data.tables import open_parquet

    return open_parquet(paths, place)


_OPENERS: dict[str, Callable[..., Listing]] = {
    "zip": ZipListing,
    "tar": _open_tars,
    "parquet": _open_parquet,
    "array": ArrayListing,
    "packed": PackedListing,
}
