"""What a person may give as `--data`."""

import os
from pathlib import Path

from ganime.data.encoded import EncodedPictures
from ganime.data.folder import FolderListing, PictureFolder
from ganime.data.listing import Listing
from ganime.data.names import show
from ganime.data.packed import PackedPictures
from ganime.data.public import PUBLIC_SETS, download
from ganime.errors import InputError


def open_pictures(data: str | os.PathLike, strict: bool = False) -> EncodedPictures | PackedPictures:
    """Pictures of a folder, of a file made by `pack`, or of a public data set, which is downloaded if it is not there yet.

    Args:
        data: A path, or a name from `PUBLIC_SETS`.
        strict: Whether an unreadable picture is an error.

    Raises:
        InputError: If it is none of them, or nothing in it can be used.
        GanimeError: If the data set cannot be downloaded.
    """
    data = os.fspath(data)
    if Path(data).is_file():
        return PackedPictures(data, strict)
    folder, subfolders = locate(data)
    pictures = PictureFolder(folder, strict, subfolders)
    if not Path(data).is_dir():
        pictures.name = data
    return pictures


def open_listing(data: str | os.PathLike, without: Path | None = None) -> Listing:
    """What there is to train on in what `open_pictures` takes, usable or not.

    Args:
        data: As `open_pictures` has it.
        without: A folder that is left out of a folder.

    Raises:
        InputError: If it is none of them.
        GanimeError: If the data set cannot be downloaded.
    """
    folder, subfolders = locate(os.fspath(data))
    return FolderListing(folder, subfolders, without)


def locate(data: str) -> tuple[Path, tuple[str, ...]]:
    """The folder that is given by its path or is a public data set, and those within it that count, if not all do.

    Raises:
        InputError: If it is neither.
        GanimeError: If the data set cannot be downloaded.
    """
    if data and Path(data).is_dir():
        return Path(data), ()
    if data in PUBLIC_SETS:
        return download(data), PUBLIC_SETS[data].subfolders
    kinds = f"a folder of pictures, a file made by `data pack` or one of {', '.join(PUBLIC_SETS)}"
    raise InputError(f"{show(data) or 'nothing'} is not {kinds}")
